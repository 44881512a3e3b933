"""Bearer tokens: given for an access key, good for five hours of the sandbox's time."""

import base64
import binascii
import hmac
import secrets
from collections.abc import Callable
from datetime import datetime, timedelta

LIFETIME = timedelta(seconds=18_000)


class Tokens:
    """The tokens of one access key."""

    def __init__(self, api_key: str, api_secret: str, now: Callable[[], datetime]) -> None:
        self.api_key = api_key
        self.api_secret = api_secret
        self._now = now
        self._expiries: dict[str, datetime] = {}

    def accepts_key(self, authorization: str) -> bool:
        """Whether a Basic Authorization header carries this key and secret."""
        scheme, _, encoded = authorization.partition(" ")
        if scheme.lower() != "basic":
            return False
        try:
            given = base64.b64decode(encoded.strip(), validate=True)
        except (binascii.Error, ValueError):
            return False
        return hmac.compare_digest(given, f"{self.api_key}:{self.api_secret}".encode())

    def issue(self) -> str:
        """A new token."""
        token = secrets.token_urlsafe(48)
        self._expiries[token] = self._now() + LIFETIME
        return token

    def accepts(self, authorization: str) -> bool:
        """Whether a Bearer Authorization header carries a token that is still good."""
        scheme, _, token = authorization.partition(" ")
        expires_at = self._expiries.get(token.strip()) if scheme.lower() == "bearer" else None
        return expires_at is not None and expires_at > self._now()

    def expire(self, token: str | None = None) -> None:
        """Withdraw one token, or all of them."""
        if token is None:
            self._expiries.clear()
        else:
            self._expiries.pop(token, None)
