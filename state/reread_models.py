"""Re-reads as frozen values: why a window is read again, how far it was, and what it came to."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from uuid import UUID


class RereadCause(StrEnum):
    """Why a window is read again."""

    FIRST_START = "first start"  # from going live until the channel was subscribed
    REPLAY_REFUSED = "replay refused"  # Salesforce no longer knows the place of a channel
    OVERFLOW = "overflow"  # too many changes in one transaction: the event names none
    GAP = "gap"  # an event without data; or one that does not say which records it is about
    UNDECODABLE = "undecodable"  # an event that could not be read
    SILENT = "silent"  # something changed, and nothing was heard
    LOOK_UP = "look-up"  # of all changes only that known records are gone may have been missed
    INITIAL = "initial"  # a person wants everything that there is
    INSTANT = "instant"  # a person wants what changed since the last synchronization
    BY_HAND = "by hand"  # a person wants what changed since a time


class RereadStatus(StrEnum):
    """Where a window stands; READ is: all that it holds is in the inbox."""

    WAITING = "WAITING"
    READING = "READING"
    READ = "READ"


class Phase(StrEnum):
    """What of a window is being read: what changed in it, then which known records are no more."""

    CHANGES = "changes"
    MISSING = "missing"


_A_WHILE = timedelta(minutes=1)

# READING to READING is the take-over of an expired lease, WAITING to READ a window that a person gave up.
REREAD_TRANSITIONS: Mapping[RereadStatus, frozenset[RereadStatus]] = {
    RereadStatus.WAITING: frozenset({RereadStatus.READING, RereadStatus.READ}),
    RereadStatus.READING: frozenset({RereadStatus.READING, RereadStatus.WAITING, RereadStatus.READ}),
    RereadStatus.READ: frozenset(),
}


@dataclass(frozen=True, slots=True)
class Window:
    """To be read again, by Salesforce's clock. No `from_at`: everything; no `until_at`: until it is begun.

    `delay`: how long to wait before it is read; one that waits already waits for so long from now on.
    """

    object_name: str
    cause: RereadCause
    detail: str = ""
    channel: str = ""
    from_at: datetime | None = None
    until_at: datetime | None = None
    checks_missing: bool = False
    delay: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True)
class Reread:
    """A window taken to be read. `attempts` counts this one, and begins again with every page that was kept.

    `cursor_at` and `cursor_id` are the last record read in this `phase`; `total` is how many were counted.
    """

    reread_id: UUID
    integration_id: UUID
    org_id: str
    object_name: str
    cause: RereadCause
    detail: str
    channel: str
    from_at: datetime | None
    until_at: datetime | None
    checks_missing: bool
    phase: Phase
    cursor_at: datetime | None
    cursor_id: str
    records_read: int
    records_put: int
    total: int | None
    attempts: int
    has_begun: bool
    lease_token: UUID
    lease: timedelta


@dataclass(frozen=True, slots=True)
class RereadStory:
    """A re-read as people see it. `left`: records it put into the inbox that are not synced yet.

    `differences`: records whose sync, caused by it, wrote something or failed. `is_stranded`: it is not read
    to its end, and goes on once its org is connected again in place of another.
    """

    reread_id: UUID
    integration_id: UUID
    integration_name: str
    org_id: str
    object_name: str
    cause: RereadCause
    detail: str
    channel: str
    from_at: datetime | None
    until_at: datetime | None
    checks_missing: bool
    status: RereadStatus
    phase: Phase
    records_read: int
    records_put: int
    total: int | None
    left: int
    differences: int
    attempts: int
    error: str | None
    instruction: str
    due_at: datetime
    opened_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    is_stranded: bool

    @property
    def is_open(self) -> bool:
        """Not everything that it holds is in the inbox yet."""
        return self.status is not RereadStatus.READ

    @property
    def is_put_off(self) -> bool:
        """It is not due for a while, and nothing is wrong with it."""
        is_waiting = self.status is RereadStatus.WAITING and self.error is None
        return is_waiting and self.due_at > datetime.now(UTC) + _A_WHILE

    @property
    def is_under_way(self) -> bool:
        """It is being read, or as soon as may be."""
        return self.is_open and not self.is_stranded and not self.is_put_off
