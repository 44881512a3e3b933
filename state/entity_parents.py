"""Which Salesforce records hold the parents of entities, as the copies beside theirs tell."""

from collections.abc import Collection
from uuid import UUID

from state import database, sql
from state.database import Db

_SQL = sql.load("entity_parents")


async def records(db: Db, copied_by: Collection[UUID], m3ter_ids: Collection[str]) -> dict[str, str]:
    """The record ids (18 characters) of those entities that these integrations have copied, by m3ter id."""
    if not copied_by or not m3ter_ids:
        return {}
    rows = await database.fetch(db, _SQL["records"], list(copied_by), sorted(m3ter_ids))
    return {row["m3ter_id"]: row["salesforce_id"] for row in rows}
