"""Credentials of both systems: the summary to show, the secret sealed by the vault."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import simplejson

from state import database, names, sql, vault
from state.database import Db, Pool, Row
from state.errors import Conflict, NotFound, VaultError
from state.models import Credential, NewCredential
from state.vault import Vault

_SQL = sql.load("credentials")
_LOOK_AGAIN = 0.05  # seconds


async def open_vault(db: Db, path: Path) -> Vault:
    """The vault of the key file at `path`; one is made only while there is nothing that it could not open.

    Raises VaultError.
    """
    if vault.is_absent(path):
        known = await list_all(db)
        if known:
            raise VaultError(
                f"There is no vault key at {path}, and the database keeps credentials sealed with one: "
                f"{', '.join(each.name for each in known)}.",
                vault.when_absent(path),
            )
    return vault.load_or_create_key(path)


async def add(db: Db, vault: Vault, new: NewCredential, *, replace: bool = False) -> Credential:
    """Keep a credential; raises Conflict when the name is taken, unless to be replaced, and NameUnusable."""
    names.check("credential", new.name)
    plaintext = simplejson.dumps(dict(new.secret), use_decimal=True).encode()
    sealed = vault.seal(plaintext, context=_context(new.system, new.name))
    values = (new.name, new.system, dict(new.summary), sealed)
    async with database.transaction(db) as tx:
        row = await database.fetch_one(tx, _SQL["add"], *values)
        if row is None and replace:
            row = await database.fetch_one(tx, _SQL["replace"], *values)
        if row is None:
            raise _taken(new.name, replace=replace)
        await database.execute(tx, _SQL["announce"])
    return Credential(**row)


async def rotate(
    db: Db, vault: Vault, credential_id: UUID, before: Mapping[str, Any], after: Mapping[str, Any]
) -> bool:
    """Keep `after` in the place of `before`; False when that is not what is kept (any more): somebody has
    replaced or removed the credential meanwhile, and theirs stays. Raises VaultError."""
    async with database.transaction(db) as tx:
        row = await database.fetch_one(tx, _SQL["lock"], credential_id)
        if row is None:
            return False
        context = _context(row["system"], row["name"])
        if simplejson.loads(vault.open(row["sealed"], context=context), use_decimal=True) != dict(before):
            return False
        plaintext = simplejson.dumps(dict(after), use_decimal=True).encode()
        await database.execute(tx, _SQL["rotate"], credential_id, vault.seal(plaintext, context=context))
        await database.execute(tx, _SQL["announce"])
    return True


@asynccontextmanager
async def alone(db: Pool, credential_id: UUID) -> AsyncIterator[None]:
    """While inside, no other process is: for what may be spent only once."""
    async with database.connection(db) as held:
        try:
            while not await database.fetch_value(held, _SQL["try_alone"], credential_id):  # noqa: ASYNC110 - only asking tells
                await asyncio.sleep(_LOOK_AGAIN)  # the lock of another session tells nobody that it is free
            yield
            await database.fetch_value(held, _SQL["not_alone"], credential_id)
        except BaseException:
            held.terminate()  # the lock goes with the session, however far it had come
            raise


async def get(db: Db, vault: Vault, name_or_id: str | UUID) -> tuple[Credential, dict[str, Any]]:
    """The credential and its secret; raises NotFound, VaultError."""
    row = await _row(db, name_or_id)
    plaintext = vault.open(row["sealed"], context=_context(row["system"], row["name"]))
    return _credential(row), simplejson.loads(plaintext, use_decimal=True)


async def show(db: Db, name_or_id: str | UUID) -> Credential:
    """The credential without its secret; raises NotFound."""
    return _credential(await _row(db, name_or_id))


async def list_all(db: Db) -> list[Credential]:
    """All credentials by name, without their secrets."""
    return [Credential(**row) for row in await database.fetch(db, _SQL["list_all"])]


async def mark_authorized(db: Db, credential_id: UUID) -> None:
    """The system accepted it just now."""
    await database.execute(db, _SQL["mark_authorized"], credential_id)


async def mark_refused(db: Db, credential_id: UUID, error: str) -> None:
    """The system refused it; `error` is the system's own message."""
    await database.execute(db, _SQL["mark_refused"], credential_id, error)


async def remove(db: Db, name_or_id: str | UUID) -> None:
    """Forget it; raises NotFound, and Conflict while an integration uses it."""
    row = await _row(db, name_or_id)
    try:
        await database.execute(db, _SQL["remove"], row["credential_id"])
    except asyncpg.ForeignKeyViolationError as error:
        raise Conflict(
            f"An integration uses the credential {row['name']}.",
            "Disconnect the integration or connect it with another credential first.",
        ) from error


async def _row(db: Db, name_or_id: str | UUID) -> Row:
    row = await database.fetch_one(db, _SQL["get"], str(name_or_id))
    if row is None:
        raise NotFound(f"There is no credential {name_or_id}.", "`m3sync credentials` lists them.")
    return row


def _taken(name: str, *, replace: bool) -> Conflict:
    if replace:
        return Conflict(
            f"There is a credential called {name} already, and it is for the other system.",
            "Choose another name.",
        )
    return Conflict(
        f"There is a credential called {name} already.", "Choose another name, or give --replace."
    )


def _credential(row: Row) -> Credential:
    return Credential(**{key: value for key, value in row.items() if key != "sealed"})


def _context(system: str, name: str) -> str:
    return f"{system} credential {name}"
