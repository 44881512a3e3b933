"""What is remembered of a record between syncs: whether the criterion held, how the last sync ended."""

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


async def put(tx: Connection, state: RecordState) -> None:
    """Remember; None keeps what is known, and the first `last_synced_at` stays as `first_synced_at`."""
    await database.execute(
        *(tx, _SQL["put"], state.integration_id, state.record_id, state.criterion_held, state.sync_status),
        *(state.last_run_id, state.first_synced_at, state.last_synced_at),
    )
