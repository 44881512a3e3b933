"""Refresh tokens that are good once: one spender at a time, the next token kept before it is needed."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import structlog
from pydantic import SecretStr

from state import credentials
from state.database import Pool
from state.models import Credential
from state.vault import Vault

log = structlog.get_logger(__name__)

_TOKEN = "refresh_token"  # noqa: S105 - the name of a field, no secret


class Rotation:
    """The refresh token of one credential, which other processes spend too and an operator may replace.

    `on_change` is told the secret that is kept by now.
    """

    def __init__(
        self,
        place: tuple[Pool, Vault],
        credential: Credential,
        secret: Mapping[str, Any],
        on_change: Callable[[Mapping[str, Any]], None],
    ) -> None:
        self._db, self._vault = place
        self._credential = credential
        self._secret = dict(secret)
        self._on_change = on_change

    @asynccontextmanager
    async def spending(self) -> AsyncIterator[SecretStr | None]:
        """Nobody else spends the token meanwhile; gives the one that is good now, None for the one known.

        Raises NotFound, VaultError, DatabaseUnavailable.
        """
        credential_id = self._credential.credential_id
        async with credentials.alone(self._db, credential_id):
            _, kept = await credentials.get(self._db, self._vault, credential_id)
            token = kept.get(_TOKEN)
            if not token or _without_token(kept) != _without_token(self._secret):
                yield None  # replaced by another login altogether: this one ends when that one begins
                return
            if kept != self._secret:
                self._change(kept)
            yield SecretStr(token)

    async def keep(self, token: SecretStr) -> None:
        """Durable when it returns, unless an operator has replaced the credential: theirs is the newer."""
        rotated = {**self._secret, _TOKEN: token.get_secret_value()}
        credential_id = self._credential.credential_id
        if await credentials.rotate(self._db, self._vault, credential_id, self._secret, rotated):
            self._change(rotated)
        else:
            log.warning(
                "refresh token not kept",
                credential=self._credential.name,
                reason="the credential was replaced meanwhile",
            )

    def _change(self, secret: Mapping[str, Any]) -> None:
        self._secret = dict(secret)
        self._on_change(secret)


def _without_token(secret: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in secret.items() if name != _TOKEN}
