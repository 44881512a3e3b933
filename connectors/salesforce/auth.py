"""Salesforce's token by client credentials, JWT bearer or refresh token; one fetch at a time."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Self, assert_never

import jwt
from pydantic import SecretStr
from yarl import URL

from connectors.addresses import base_url
from connectors.errors import AuthenticationError, RejectedError, TransientError
from connectors.exchange import Grant, Repeatable, Request
from connectors.http import Http
from connectors.salesforce import oauth_refusing
from connectors.salesforce.ids import to_id18
from connectors.salesforce.models import SalesforceCredential
from connectors.wire import Json

OnRefreshToken = Callable[[SecretStr], Awaitable[None]]
# While inside, nobody else spends the refresh token; gives the one that is good now if it is known better.
Spending = Callable[[], AbstractAsyncContextManager[SecretStr | None]]

_JWT_LIFE = timedelta(minutes=3)
_PATIENCE = timedelta(minutes=4)  # beyond the deadline of an exchange: this also bounds the wait for the turn
_LAST_WAIT = timedelta(seconds=20)  # a service is given 30 seconds after its parts have been cancelled


@dataclass(frozen=True, slots=True)
class Holder:
    """Whose the token is, from the identity URL in the token reply (.../id/<org>/<user>)."""

    org_id: str
    user_id: str


class SalesforceAuth:
    """Hands out bearer tokens with the instance URL where they are good.

    Salesforce does not say how long a token lives: one is used until it is refused. Where refresh tokens
    rotate, each is good once; `on_refresh_token` gets the next one and must have stored it when it returns;
    both happen within `spending`. An exchange belongs to nobody who waits for it: a caller that is cancelled
    leaves it running, and the end of the `async with` waits for it, or the next token would be lost.
    """

    def __init__(
        self,
        credential: SalesforceCredential,
        http: Http,
        on_refresh_token: OnRefreshToken | None = None,
        spending: Spending | None = None,
    ) -> None:
        self._credential = credential
        self._http = http
        self._on_refresh_token = on_refresh_token
        self._spending = spending
        self._refresh_token = credential.refresh_token
        self._fetching: asyncio.Task[Grant] | None = None
        self._grant: Grant | None = None
        self._generation = 0
        self.holder: Holder | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        fetching, self._fetching = self._fetching, None
        if fetching is None:
            return
        try:
            if self._credential.flow == "refresh_token":
                await asyncio.wait({fetching}, timeout=_LAST_WAIT.total_seconds())
        finally:
            fetching.cancel()
            await asyncio.gather(fetching, return_exceptions=True)

    async def grant(self) -> Grant:
        if self._grant is not None:
            return self._grant
        if self._fetching is None or self._fetching.done():
            self._fetching = asyncio.create_task(self._fetch(), name="salesforce-token")
            self._fetching.add_done_callback(_look_at)
        try:
            async with asyncio.timeout(_PATIENCE.total_seconds()):
                return await asyncio.shield(self._fetching)
        except TimeoutError as error:
            raise TransientError(
                f"Salesforce: no token within {_PATIENCE.total_seconds():g} s.",
                instruction="It is tried again. If it lasts, look at Salesforce and at the database.",
            ) from error

    async def refused(self, grant: Grant) -> None:
        # Another caller may have fetched a new one already: that one is not what was refused.
        if self._grant is not None and self._grant.generation == grant.generation:
            self._grant = None

    async def _fetch(self) -> Grant:
        if self._spending is None or self._credential.flow != "refresh_token":
            self._grant = await self._exchange()
            return self._grant
        async with self._spending() as current:
            self._refresh_token = current or self._refresh_token
            self._grant = await self._exchange()
        return self._grant

    async def _exchange(self) -> Grant:
        # A second token does no harm, but a rotating refresh token spent twice revokes the authorization.
        is_refresh = self._credential.flow == "refresh_token"
        request = Request(
            "POST",
            "/services/oauth2/token",
            form=self._form(),
            repeatable=Repeatable.IF_UNTOUCHED if is_refresh else Repeatable.ALWAYS,
        )
        answer = (await self._http.send(request, dialect=oauth_refusing.DIALECT)).body
        if not isinstance(answer, dict) or not isinstance(answer.get("access_token"), str):
            raise AuthenticationError(
                "Salesforce answered the request for a token without a token.",
                instruction="Check the URL of the Salesforce credential.",
            )
        await self._keep_refresh_token(answer.get("refresh_token"))
        self.holder = _holder(answer.get("id")) or self.holder
        self._generation += 1
        return Grant(answer["access_token"], self._generation, _instance_url(answer.get("instance_url")))

    async def _keep_refresh_token(self, given: Json) -> None:
        if not isinstance(given, str) or not given:
            return
        if self._refresh_token is not None and given == self._refresh_token.get_secret_value():
            return
        if self._credential.flow == "refresh_token":
            self._refresh_token = SecretStr(given)
            if self._on_refresh_token is not None:
                await self._on_refresh_token(self._refresh_token)

    def _form(self) -> dict[str, str]:
        credential, form = self._credential, {"client_id": self._credential.client_id}
        if credential.client_secret is not None:
            form["client_secret"] = credential.client_secret.get_secret_value()
        match credential.flow:
            case "client_credentials":
                return {"grant_type": "client_credentials", **form}
            case "refresh_token":
                token = self._refresh_token.get_secret_value() if self._refresh_token else ""
                return {"grant_type": "refresh_token", "refresh_token": token, **form}
            case "jwt_bearer":
                return {
                    "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
                    "assertion": _assertion(credential),
                }
            case _:
                assert_never(credential.flow)


def _look_at(fetching: asyncio.Task[Grant]) -> None:
    """Nobody may be waiting any more: a failure is then nobody's, and no defect."""
    if not fetching.cancelled():
        fetching.exception()


def _assertion(credential: SalesforceCredential) -> str:
    key = credential.private_key.get_secret_value() if credential.private_key else ""
    claims = {
        "iss": credential.client_id,
        "sub": credential.username,
        "aud": credential.jwt_audience(),
        "exp": datetime.now(UTC) + _JWT_LIFE,
    }
    return jwt.encode(claims, key, algorithm="RS256")


def _instance_url(given: Json) -> str | None:
    if given is None:
        return None
    try:
        return base_url(str(given))
    except ValueError as error:
        raise AuthenticationError(
            f"Salesforce sends us to an instance that cannot be used: {error}.",
            instruction="Check the URL of the Salesforce credential.",
        ) from error


def _holder(identity_url: Json) -> Holder | None:
    try:
        parts = URL(str(identity_url)).path.rstrip("/").split("/")
        return Holder(to_id18(parts[-2]), to_id18(parts[-1]))
    except (ValueError, IndexError, RejectedError):
        return None
