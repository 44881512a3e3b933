"""How far each Salesforce channel has durably got; replay ids are opaque and belong to one transport."""

from collections.abc import Collection, Mapping
from datetime import datetime

from state import database, sql
from state.database import Connection, Db

_SQL = sql.load("checkpoints")


async def get(db: Db, org_id: str, transport: str, channels: Collection[str]) -> dict[str, str]:
    """The replay id of each channel that has one."""
    rows = await database.fetch(db, _SQL["get"], org_id, transport, list(channels))
    return {row["channel"]: row["replay_id"] for row in rows}


async def advance(
    tx: Connection,
    org_id: str,
    transport: str,
    positions: Mapping[str, str],
    event_at: Mapping[str, datetime | None] | None = None,
) -> None:
    """Move channels to these replay ids, in the transaction that keeps the events before them (law 1).

    `event_at` is the commit time of the event at each position.
    """
    times = event_at or {}
    if positions:
        await database.execute(
            *(tx, _SQL["advance"], org_id, transport, list(positions), list(positions.values())),
            [times.get(channel) for channel in positions],
        )


async def forget(tx: Connection, org_id: str, transport: str, channels: Collection[str]) -> None:
    """Salesforce no longer knows these positions; the lost window is to be re-read (law 4)."""
    await database.execute(tx, _SQL["forget"], org_id, transport, list(channels))
