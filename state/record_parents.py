"""Which record a line belonged to when last read: a deleted line still leads to its parent."""

from collections.abc import Collection, Iterable

from state import database, sql
from state.database import Connection, Db

_SQL = sql.load("record_parents")


async def remember(tx: Connection, org_id: str, pairs: Iterable[tuple[str, str]]) -> None:
    """Keep (line id, parent id) pairs."""
    known = list(pairs)
    if known:
        lines, parents = zip(*known, strict=True)
        await database.execute(tx, _SQL["remember"], org_id, list(lines), list(parents))


async def parents_of(db: Db, org_id: str, ids: Collection[str]) -> dict[str, str]:
    """The parent of each line that was ever read."""
    rows = await database.fetch(db, _SQL["parents_of"], org_id, list(ids))
    return {row["record_id"]: row["parent_id"] for row in rows}
