"""The entity data sync as frozen values: settings, runs, copies, and what became of a write."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from state.models import Integration, RunStatus

FLOW = "Entity Data Sync"
HOURLY = "0 * * * *"


class EntityType(StrEnum):
    """What an integration brings into Salesforce (m3ter's words)."""

    ACCOUNT = "Account"
    BILL = "Bill"
    CONTRACT = "Contract"
    COMMITMENT = "Commitment"
    BALANCE = "Balance"


class Namespace(StrEnum):
    """Where in Salesforce (m3ter's words)."""

    CONNECTOR = "m3ter Connector"
    TESTING = "m3ter Connector (Testing)"
    CUSTOM = "Custom Objects"


class Removal(StrEnum):
    """What is done with the copy of an entity that is gone, or that left the filter."""

    MARK = "mark"
    DELETE = "delete"
    KEEP = "keep"


class CopyStatus(StrEnum):
    """Where a copy stands."""

    WAITING = "WAITING"  # to be written once it is due
    WRITTEN = "WRITTEN"
    REFUSED = "REFUSED"  # not tried again before it changes or a person says so


class CopyAction(StrEnum):
    """How a copy is written."""

    UPSERT = "upsert"
    MARK = "mark"
    DELETE = "delete"


class RunCause(StrEnum):
    """Why a run was asked for; a retry and what the feed found are written without a scan."""

    SCHEDULE = "schedule"
    MANUAL = "manual"
    RETRY = "retry"
    FEED = "feed"
    FIRST = "first"


@dataclass(frozen=True, slots=True)
class EntitySyncSettings:
    """What a person decides; no account ids means all, and a restricted one wins.

    `custom_fields`: m3ter custom field to Salesforce field. `schedule`: a cron expression or an interval.
    """

    entity_type: EntityType
    namespace: Namespace = Namespace.CONNECTOR
    account_ids: tuple[str, ...] = ()
    restricted_account_ids: tuple[str, ...] = ()
    notification_users: tuple[str, ...] = ()
    custom_fields: Mapping[str, str] = field(default_factory=dict)
    schedule: str = HOURLY
    on_deletion: Removal = Removal.MARK
    on_leaving: Removal = Removal.MARK


@dataclass(frozen=True, slots=True)
class EntitySync:
    """An integration of this flow; `revision` grows with every change of what is written."""

    integration: Integration
    settings: EntitySyncSettings
    revision: int
    scheduled_at: datetime | None
    feed_at: datetime | None
    feed_event_id: str | None
    first_completed_at: datetime | None

    @property
    def stamp(self) -> tuple[int, UUID | None, UUID | None]:
        """What a task is made for, and is replaced when it changes: settings and credentials."""
        return self.revision, self.integration.salesforce_credential_id, self.integration.m3ter_credential_id


@dataclass(frozen=True, slots=True)
class Counts:
    """What is added to a run; `calls`: kind of call to how many."""

    pages: int = 0
    entities_read: int = 0
    differing: int = 0
    written: int = 0
    created: int = 0
    refused: int = 0
    marked: int = 0
    deleted: int = 0
    unchanged: int = 0
    calls: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EntityRun:
    """One run: asked for, under way, or ended; `cursor` is None at the beginning of its scan."""

    run_id: UUID
    integration_id: UUID
    integration_name: str
    entity_type: EntityType
    cause: RunCause
    status: RunStatus
    requested_at: datetime
    started_at: datetime | None
    completed_at: datetime | None
    cursor: str | None
    is_scanned: bool
    pages: int
    entities_read: int
    differing: int
    written: int
    created: int
    refused: int
    marked: int
    deleted: int
    unchanged: int
    calls: Mapping[str, int]
    error: str
    instruction: str
    lease_until: datetime | None
    claimed_by: str | None


@dataclass(frozen=True, slots=True)
class RunClaim:
    """A run in hand; `lease_token` is the fence, `asked_at` by this machine's monotonic clock."""

    run_id: UUID
    integration_id: UUID
    cause: RunCause
    lease_token: UUID
    lease: timedelta
    asked_at: float
    cursor: str | None
    is_scanned: bool


@dataclass(frozen=True, slots=True)
class Wanted:
    """One mapped entity, as it should be in Salesforce."""

    m3ter_id: str
    account_id: str
    version: int
    mapped_with: str
    digest: str
    payload: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class KnownCopy:
    """What a scan compares with; that of a copy to be marked or deleted is like no entity."""

    m3ter_id: str
    version: int
    mapped_with: str
    digest: str
    written_digest: str | None
    status: CopyStatus


@dataclass(frozen=True, slots=True)
class Waiting:
    """One record to be written; only an upsert has a payload. `changed_at` is the same at each attempt."""

    m3ter_id: str
    action: CopyAction
    digest: str
    payload: Mapping[str, Any] | None
    salesforce_id: str | None
    attempts: int
    changed_at: datetime
    is_orphan: bool = False  # at its last attempt


@dataclass(frozen=True, slots=True)
class Written:
    """Salesforce took it; `digest` is that of the Waiting that was written."""

    m3ter_id: str
    digest: str
    salesforce_id: str
    was_created: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """Salesforce will not take it as it is."""

    m3ter_id: str
    digest: str
    code: str
    message: str
    fields: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Postponed:
    """To be tried again after `delay`; an orphan with all others, between half and one and a half of it from
    now, or when a parent's record comes into being."""

    m3ter_id: str
    digest: str
    delay: timedelta
    code: str
    message: str
    is_orphan: bool = False


@dataclass(frozen=True, slots=True)
class Copy:
    """A copy as it is shown to a person; code, message and fields are Salesforce's own of a failed write."""

    integration_id: UUID
    integration_name: str
    entity_type: EntityType
    namespace: Namespace
    m3ter_id: str
    account_id: str
    salesforce_id: str | None
    status: CopyStatus
    action: CopyAction
    version: int
    attempts: int
    due_at: datetime
    changed_at: datetime
    written_at: datetime | None
    code: str
    message: str
    fields: tuple[str, ...]


CopyIssue = Copy  # one that Salesforce refused, or did not take at the last attempt


@dataclass(frozen=True, slots=True)
class Backlog:
    """What of one integration is not in Salesforce yet, had without counting all of its copies."""

    waiting: int = 0
    due: int = 0
    retrying: int = 0  # of those waiting, not taken at the last attempt
    refused: int = 0
    oldest_changed_at: datetime | None = None
