"""Which record a line belonged to when last read: a deleted line still leads to its parent."""

from collections.abc import Collection, Iterable
from datetime import datetime
from uuid import UUID

from state import database, sql
from state.database import Connection, Db

_SQL = sql.load("record_parents")


async def remember(
    tx: Connection, integration_id: UUID, pairs: Iterable[tuple[str, str]], asked_at: datetime | None = None
) -> None:
    """Keep (line id, parent id) pairs. Another integration may reach other parents, by another field.

    `asked_at`: by the database's clock, before Salesforce was asked for what says so; a line that was learned
    to belong elsewhere since then stays there. None for what an event says.
    """
    known = list(pairs)
    if known:
        lines, parents = zip(*known, strict=True)
        await database.execute(tx, _SQL["remember"], integration_id, [*lines], [*parents], asked_at)


async def parents_of(db: Db, integration_id: UUID, ids: Collection[str]) -> dict[str, str]:
    """The parent of each line that was ever read for this integration."""
    rows = await database.fetch(db, _SQL["parents_of"], integration_id, list(ids))
    return {row["record_id"]: row["parent_id"] for row in rows}


async def lines_of(db: Db, integration_id: UUID, parent_id: str) -> set[str]:
    """Every line that belonged to this record when it was last read for this integration."""
    rows = await database.fetch(db, _SQL["lines_of"], integration_id, parent_id)
    return {row["record_id"] for row in rows}


async def ids_after(db: Db, integration_id: UUID, org_id: str, record_id: str, limit: int) -> list[str]:
    """The next lines that the org had when their parent was last synced, in the order of their ids."""
    rows = await database.fetch(db, _SQL["ids_after"], integration_id, org_id, record_id, limit)
    return [row["record_id"] for row in rows]
