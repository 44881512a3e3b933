"""How far the windows are that somebody follows, and what became of their records."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from state import database, sql
from state.database import Db
from state.rereads import Phase, RereadCause, RereadStatus

_SQL = sql.load("reread_progress")


@dataclass(frozen=True, slots=True)
class Progress:
    """One window. Of the records put into the inbox so many are `waiting` for their sync, among them those
    `postponed` after a failure; those `set_aside` wait for a person, and the others are synced."""

    reread_id: UUID
    integration_name: str
    object_name: str
    cause: RereadCause
    from_at: datetime | None
    until_at: datetime | None
    status: RereadStatus
    phase: Phase
    records_read: int
    records_put: int
    total: int | None
    waiting: int
    postponed: int
    set_aside: int
    differences: int
    error: str | None
    instruction: str
    due_at: datetime

    @property
    def is_read(self) -> bool:
        return self.status is RereadStatus.READ

    @property
    def synced(self) -> int:
        return max(0, self.records_put - self.waiting - self.set_aside)


async def of(db: Db, ids: Collection[UUID]) -> list[Progress]:
    """Of these windows, in the order in which they were opened; one that is forgotten is left out."""
    rows = await database.fetch(db, _SQL["progress"], list(ids))
    return [
        Progress(
            **{
                **row,
                "cause": RereadCause(row["cause"]),
                "status": RereadStatus(row["status"]),
                "phase": Phase(row["phase"]),
            }
        )
        for row in rows
    ]
