"""m3ter's token: five hours, fetched ahead of its end, one fetch at a time."""

import asyncio
import base64
from datetime import UTC, datetime, timedelta

from connectors.errors import AuthenticationError
from connectors.exchange import Grant, Repeatable, Request, Response
from connectors.http import Http
from connectors.m3ter.models import M3terCredential
from connectors.refusals import Complaint, Dialect, Refusal

_AHEAD = timedelta(minutes=10)
_DEFAULT_LIFE = timedelta(hours=5)
_REFUSED = Refusal(
    AuthenticationError,
    "Check the access key id and the API secret of the credential, and that the service user is active.",
)


def _spoken(response: Response) -> Complaint | None:
    if not isinstance(response.body, dict):
        return None
    for key in ("message", "error_description", "error"):
        said = response.body.get(key)
        if isinstance(said, str) and said:
            return Complaint(f"m3ter refuses the credential: {said}", str(response.body.get("error", "")))
    return None


_TOKEN_DIALECT = Dialect(_spoken, dict.fromkeys((400, 401, 403, 404), _REFUSED))


class M3terAuth:
    """Hands out bearer tokens for one credential (m3ter docs: OAuth client credentials over HTTP Basic)."""

    def __init__(self, credential: M3terCredential, http: Http) -> None:
        self._credential = credential
        self._http = http
        self._turn = asyncio.Lock()
        self._grant: Grant | None = None
        self._renew_at = datetime.min.replace(tzinfo=UTC)
        self._generation = 0

    async def grant(self) -> Grant:
        async with self._turn:
            if self._grant is None or datetime.now(UTC) >= self._renew_at:
                self._grant = await self._fetch()
            return self._grant

    async def refused(self, grant: Grant) -> None:
        async with self._turn:
            # Another caller may have fetched a new one already: that one is not what was refused.
            if self._grant is not None and self._grant.generation == grant.generation:
                self._grant = None

    async def _fetch(self) -> Grant:
        key, secret = self._credential.api_key, self._credential.api_secret.get_secret_value()
        basic = base64.b64encode(f"{key}:{secret}".encode()).decode()
        request = Request(
            "POST",
            "/oauth/token",
            form={"grant_type": "client_credentials"},
            headers={"Authorization": f"Basic {basic}"},
            repeatable=Repeatable.ALWAYS,  # a token more does no harm
        )
        answer = (await self._http.send(request, dialect=_TOKEN_DIALECT)).body
        token = answer.get("access_token") if isinstance(answer, dict) else None
        if not isinstance(answer, dict) or not isinstance(token, str) or not token:
            raise AuthenticationError(
                "m3ter answered the request for a token without a token.",
                instruction="Check the URL of the m3ter credential.",
            )
        said = answer.get("expires_in")
        life = timedelta(seconds=int(said)) if isinstance(said, int) and said > 0 else _DEFAULT_LIFE
        self._renew_at = datetime.now(UTC) + max(life - _AHEAD, life / 2)
        self._generation += 1
        return Grant(token, self._generation)
