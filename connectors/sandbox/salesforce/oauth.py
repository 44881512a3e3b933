"""OAuth 2.0 as Salesforce speaks it: client credentials, JWT bearer, refresh token; and who a session is."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jwt
from aiohttp import web

from connectors import wire
from connectors.sandbox.salesforce.records import Org
from connectors.sandbox.salesforce.sessions import ConnectedApp

JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
LOGIN_HOSTS = ("https://login.salesforce.com", "https://test.salesforce.com")
_LEEWAY_SECONDS = 180


class OAuthError(Exception):
    """A refusal by the token endpoint: always 400, in OAuth's shape."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(description)
        self.body = {"error": error, "error_description": description}


@dataclass(frozen=True, slots=True)
class Granted:
    """What a grant came to: for whom, and the next refresh token where there is one."""

    app: ConnectedApp
    user_id: str
    refresh_token: str | None = None


class OAuth:
    """The org's token endpoint and identity service."""

    def __init__(self, org: Org) -> None:
        self._org = org

    async def token(self, request: web.Request) -> web.Response:
        """POST /services/oauth2/token."""
        form = {name: str(value) for name, value in (await request.post()).items()}
        client_id, secret = _basic(request.headers.get("Authorization", ""))
        if client_id:
            form = {"client_id": client_id, "client_secret": secret, **form}
        url = _base_url(request)
        try:
            granted = self._grant(form, url)
        except OAuthError as error:
            return _json(error.body, 400)
        return _json(self._reply(granted, url))

    def _grant(self, form: Mapping[str, str], url: str) -> Granted:
        match form.get("grant_type", ""):
            case "client_credentials":
                app = self._app(form, needs_secret=True)
                if app.run_as is None or not self._is_active(app.run_as):
                    raise OAuthError("invalid_grant", "no client credentials user enabled")
                return Granted(app, app.run_as)
            case "refresh_token":
                return self._refresh(form)
            case kind if kind == JWT_BEARER:
                return self._assertion(form.get("assertion", ""), url)
            case "":
                raise OAuthError("invalid_request", "missing required parameter: grant_type")
            case _:
                raise OAuthError("unsupported_grant_type", "grant type not supported")

    def _app(self, form: Mapping[str, str], *, needs_secret: bool) -> ConnectedApp:
        app = self._org.sessions.app(form.get("client_id", ""))
        if app is None:
            raise OAuthError("invalid_client_id", "client identifier invalid")
        secret = form.get("client_secret")
        if (needs_secret or secret is not None) and not hmac.compare_digest(
            (secret or "").encode(), app.client_secret.encode()
        ):
            raise OAuthError("invalid_client", "invalid client credentials")
        return app

    def _refresh(self, form: Mapping[str, str]) -> Granted:
        app = self._app(form, needs_secret=False)
        redeemed = self._org.sessions.redeem(app, form.get("refresh_token", ""))
        if redeemed is None or not self._is_active(redeemed[0].user_id):
            raise OAuthError("invalid_grant", "expired access/refresh token")
        return Granted(app, redeemed[0].user_id, redeemed[1])

    def _assertion(self, assertion: str, url: str) -> Granted:
        """A JWT signed by the app's key: iss a consumer key, sub a username, aud a login host, exp ahead."""
        try:
            claims = jwt.decode(assertion, options={"verify_signature": False})
        except jwt.PyJWTError:
            raise OAuthError("invalid_grant", "invalid assertion") from None
        app = self._org.sessions.app(str(claims.get("iss", "")))
        if app is None:
            raise OAuthError("invalid_client_id", "client identifier invalid")
        if app.public_key is None:
            raise OAuthError("invalid_client", "invalid client credentials")
        try:
            # Only the signature: times are read below, on the sandbox's clock.
            jwt.PyJWS().decode(assertion, app.public_key, algorithms=["RS256"])
        except jwt.PyJWTError:
            raise OAuthError("invalid_grant", "invalid assertion") from None
        if str(claims.get("aud", "")).rstrip("/") not in (*LOGIN_HOSTS, url):
            raise OAuthError("invalid_grant", "audience is invalid")
        # Clients write exp as a number or as its digits in a string; both are taken.
        expires = str(claims.get("exp", ""))
        if not expires.isdigit() or int(expires) + _LEEWAY_SECONDS < self._org.now().timestamp():
            raise OAuthError("invalid_grant", "expired authorization code")
        user_id = self._user_named(str(claims.get("sub", "")))
        if user_id is None:
            raise OAuthError("invalid_grant", "user hasn't approved this consumer")
        return Granted(app, user_id)

    def _user_named(self, username: str) -> str | None:
        found = self._org.table("User").find("Username", username) or ()
        return next((each for each in found if self._is_active(each)), None)

    def _is_active(self, user_id: str) -> bool:
        user = self._org.row(user_id)
        return user is not None and user.get("IsActive") is True

    def _reply(self, granted: Granted, url: str) -> dict[str, Any]:
        session = self._org.sessions.open(granted.user_id)
        issued_at = str(int(self._org.now().timestamp() * 1000))
        identity = f"{url}/id/{self._org.org_id}/{granted.user_id}"
        digest = hmac.new(granted.app.client_secret.encode(), (identity + issued_at).encode(), hashlib.sha256)
        reply = {
            "access_token": session.token,
            "signature": base64.b64encode(digest.digest()).decode(),
            "scope": "api refresh_token id",
            "instance_url": url,
            "id": identity,
            "token_type": "Bearer",
            "issued_at": issued_at,
        }
        return reply if granted.refresh_token is None else {**reply, "refresh_token": granted.refresh_token}

    async def identity(self, request: web.Request) -> web.Response:
        """GET /services/oauth2/userinfo and /id/org/user: 403 with a bare text when the token is not good."""
        session = self._org.authenticate(request)
        asked = request.match_info.get("user_id")
        if session is None or asked not in (None, session.user_id):
            return web.Response(status=403, text="Bad_OAuth_Token")
        user = self._org.row(session.user_id) or {}
        url = f"{_base_url(request)}/id/{self._org.org_id}/{session.user_id}"
        return _json(
            {
                "sub": url,
                "id": url,
                "user_id": session.user_id,
                "organization_id": self._org.org_id,
                "username": user.get("Username"),
                "preferred_username": user.get("Username"),
                "display_name": user.get("Name"),
                "name": user.get("Name"),
                "email": user.get("Email"),
                "active": user.get("IsActive"),
                "user_type": "STANDARD",
                "zoneinfo": "GMT",
            }
        )


def routes(org: Org) -> list[web.RouteDef]:
    """The routes of the token endpoint and of the identity service."""
    service = OAuth(org)
    return [
        web.post("/services/oauth2/token", service.token),
        web.get("/services/oauth2/userinfo", service.identity),
        web.get("/id/{org_id}/{user_id}", service.identity),
    ]


def _base_url(request: web.Request) -> str:
    return f"{request.scheme}://{request.host}"


def _basic(authorization: str) -> tuple[str, str]:
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return "", ""
    try:
        name, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return name, secret


def _json(body: Any, status: int = 200) -> web.Response:
    return web.Response(
        body=wire.dumps(body), status=status, content_type="application/json", charset="UTF-8"
    )
