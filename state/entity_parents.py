"""Which Salesforce records hold the parents of entities, as the copies beside theirs tell."""

from collections.abc import Collection
from uuid import UUID

from state import database, sql
from state.database import Db

_SQL = sql.load("entity_parents")


async def records(
    db: Db, integration_id: UUID, entity_type: str, m3ter_ids: Collection[str]
) -> dict[str, str]:
    """The record ids (18 characters) of those entities of one type whose copy is known, by m3ter id."""
    if not m3ter_ids:
        return {}
    rows = await database.fetch(db, _SQL["records"], integration_id, entity_type, sorted(m3ter_ids))
    return {row["m3ter_id"]: row["salesforce_id"] for row in rows}
