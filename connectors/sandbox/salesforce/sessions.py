"""Who may speak to the org: connected apps, refresh tokens, and sessions that end."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

LIFETIME = timedelta(hours=2)


@dataclass(frozen=True, slots=True)
class Session:
    """One access token and the user it speaks for."""

    token: str
    user_id: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class ConnectedApp:
    """A client app: its consumer key and secret, the certificate's public key (PEM) and the run-as user."""

    client_id: str
    client_secret: str
    public_key: str | None = None
    run_as: str | None = None
    rotates_refresh_tokens: bool = False


@dataclass(frozen=True, slots=True)
class Grant:
    """What a refresh token was issued for."""

    client_id: str
    user_id: str


def new_key_pair() -> tuple[str, str]:
    """A private and a public RSA key as PEM, for the JWT bearer flow."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return private.decode(), public.decode()


class Sessions:
    """All apps, refresh tokens and sessions of an org."""

    def __init__(self, org_id: str, now: Callable[[], datetime]) -> None:
        self._org_id = org_id
        self._now = now
        self._apps: dict[str, ConnectedApp] = {}
        self._open: dict[str, Session] = {}
        self._grants: dict[str, Grant] = {}
        self._spent: dict[str, str] = {}
        self.lifetime = LIFETIME

    def register(self, app: ConnectedApp) -> ConnectedApp:
        """Add (or change) a connected app."""
        self._apps[app.client_id] = app
        return app

    def new_app(self, run_as: str, *, public_key: str | None = None, rotates: bool = False) -> ConnectedApp:
        """A connected app with a fresh consumer key and secret."""
        client_id = "3MVG9" + secrets.token_urlsafe(58)
        return self.register(
            ConnectedApp(client_id, secrets.token_hex(32).upper(), public_key, run_as, rotates)
        )

    def app(self, client_id: str) -> ConnectedApp | None:
        """A connected app by its consumer key."""
        return self._apps.get(client_id)

    def open(self, user_id: str) -> Session:
        """A new session for a user."""
        token = f"{self._org_id[:15]}!AQ{secrets.token_urlsafe(60)}"
        session = Session(token, user_id, self._now() + self.lifetime)
        self._open[token] = session
        return session

    def of_header(self, authorization: str) -> Session | None:
        """The valid session of an Authorization header (Bearer or OAuth); its use prolongs it."""
        scheme, _, token = authorization.partition(" ")
        session = self._open.get(token.strip()) if scheme.lower() in {"bearer", "oauth"} else None
        if session is None:
            return None
        if session.expires_at <= self._now():
            del self._open[session.token]
            return None
        prolonged = Session(session.token, session.user_id, self._now() + self.lifetime)
        self._open[session.token] = prolonged
        return prolonged

    def expire_all(self) -> int:
        """End every session; refresh tokens stay good."""
        ended = len(self._open)
        self._open.clear()
        return ended

    def grant(self, app: ConnectedApp, user_id: str) -> str:
        """A refresh token for an app and a user."""
        token = "5Aep861" + secrets.token_urlsafe(60)
        self._grants[token] = Grant(app.client_id, user_id)
        return token

    def redeem(self, app: ConnectedApp, refresh_token: str) -> tuple[Grant, str | None] | None:
        """What a refresh token allows, and its successor where the app rotates; None when it is not good.

        With rotation a token works once: using it again revokes the whole chain.
        """
        if refresh_token in self._spent:
            self._revoke_chain(refresh_token)
            return None
        grant = self._grants.get(refresh_token)
        if grant is None or grant.client_id != app.client_id:
            return None
        if not app.rotates_refresh_tokens:
            return grant, None
        successor = self.grant(app, grant.user_id)
        del self._grants[refresh_token]
        self._spent[refresh_token] = successor
        return grant, successor

    def _revoke_chain(self, token: str) -> None:
        while token in self._spent:
            token = self._spent[token]
        self._grants.pop(token, None)
