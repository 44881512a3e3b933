"""Field mapping documents as written, by name."""

import hashlib
from uuid import UUID

import asyncpg

from state import database, names, sql
from state.database import Db
from state.errors import Conflict, NotFound
from state.models import FieldMapping

_SQL = sql.load("field_mappings")


async def save(db: Db, name: str, document: str) -> FieldMapping:
    """Write the document under `name`, over an earlier one; running integrations take it up.

    Raises NameUnusable.
    """
    names.check("field mapping", name)
    sha256 = hashlib.sha256(document.encode()).hexdigest()
    async with database.transaction(db) as tx:
        row = await database.fetch_one(tx, _SQL["save"], name, document, sha256)
        assert row is not None  # noqa: S101 - the statement always gives a row
        await database.execute(tx, _SQL["remap"], row["field_mapping_id"])
        await database.execute(tx, _SQL["announce"])
    return FieldMapping(**row)


async def get(db: Db, name_or_id: str | UUID) -> FieldMapping:
    """Raises NotFound."""
    row = await database.fetch_one(db, _SQL["get"], str(name_or_id))
    if row is None:
        raise NotFound(f"There is no field mapping {name_or_id}.", "`m3sync mappings` lists them.")
    return FieldMapping(**row)


async def list_all(db: Db) -> list[FieldMapping]:
    """All field mappings by name."""
    return [FieldMapping(**row) for row in await database.fetch(db, _SQL["list_all"])]


async def remove(db: Db, name_or_id: str | UUID) -> None:
    """Forget it; raises NotFound, and Conflict while an integration uses it."""
    found = await get(db, name_or_id)
    try:
        await database.execute(db, _SQL["remove"], found.field_mapping_id)
    except asyncpg.ForeignKeyViolationError as error:
        raise Conflict(
            f"An integration uses the field mapping {found.name}.", "Remove the integration first."
        ) from error
