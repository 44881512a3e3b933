"""What is remembered of a record between syncs: whether the criterion held, how the last sync ended."""

from collections.abc import Collection
from uuid import UUID

from state import database, sql
from state.database import Connection, Db
from state.models import RecordState, SyncStatus

_SQL = sql.load("record_states")


async def get(db: Db, integration_id: UUID, record_id: str) -> RecordState | None:
    """None for a record never looked at."""
    row = await database.fetch_one(db, _SQL["get"], integration_id, record_id)
    if row is None:
        return None
    status = SyncStatus(row["sync_status"]) if row["sync_status"] else None
    return RecordState(**{**row, "sync_status": status})


async def known_among(db: Db, integration_id: UUID, ids: Collection[str]) -> set[str]:
    """Those of these records that were looked at before."""
    rows = await database.fetch(db, _SQL["known_among"], integration_id, list(ids))
    return {row["record_id"] for row in rows}


async def ids_after(db: Db, integration_id: UUID, org_id: str, record_id: str, limit: int) -> list[str]:
    """The next records that the org had when they were last looked at, in the order of their ids."""
    rows = await database.fetch(db, _SQL["ids_after"], integration_id, org_id, record_id, limit)
    return [row["record_id"] for row in rows]


async def put(tx: Connection, state: RecordState) -> None:
    """Remember; None keeps what is known, and the first `last_synced_at` stays as `first_synced_at`."""
    await database.execute(
        *(tx, _SQL["put"], state.integration_id, state.record_id, state.criterion_held, state.sync_status),
        *(state.last_run_id, state.first_synced_at, state.last_synced_at, state.org_id, state.is_gone),
    )
