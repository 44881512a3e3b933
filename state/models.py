"""Rows of the database as frozen values, their statuses, and which status may follow which."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, TypeVar
from uuid import UUID


class RunStatus(StrEnum):
    """m3ter's statuses of a run."""

    WAITING = "WAITING"
    STARTED = "STARTED"
    COMPLETE = "COMPLETE"
    ERROR = "ERROR"
    AWAITING_RETRY = "AWAITING_RETRY"
    AUTH_FAILED = "AUTH_FAILED"
    DISABLED = "DISABLED"
    TIMEOUT_LIMIT_EXCEEDED = "TIMEOUT_LIMIT_EXCEEDED"
    RATE_LIMIT_RETRY = "RATE_LIMIT_RETRY"


class SyncStatus(StrEnum):
    """What one Sync to m3ter came to (m3ter's words)."""

    COMPLETED = "Completed"
    PARTIAL_SUCCESS = "Partial Success"
    FAILED = "Failed"


class InboxStatus(StrEnum):
    """Where a changed record stands."""

    WAITING = "WAITING"
    CLAIMED = "CLAIMED"
    SET_ASIDE = "SET_ASIDE"


class Cause(StrEnum):
    """Why a record is to be synced."""

    CHANGE = "change"
    MANUAL = "manual"
    REREAD = "reread"
    INITIAL = "initial"


class IntentStatus(StrEnum):
    """What became of a create that was about to be sent."""

    OPEN = "OPEN"
    DONE = "DONE"
    REFUSED = "REFUSED"


Status = TypeVar("Status", bound=StrEnum)

# Every attempt is a run of its own: a run that awaits its retry has ended, its next attempt is another run.
RUN_TRANSITIONS: Mapping[RunStatus, frozenset[RunStatus]] = {
    RunStatus.WAITING: frozenset({RunStatus.STARTED, RunStatus.DISABLED}),
    RunStatus.STARTED: frozenset(set(RunStatus) - {RunStatus.WAITING, RunStatus.STARTED}),
    **{status: frozenset() for status in set(RunStatus) - {RunStatus.WAITING, RunStatus.STARTED}},
}
# CLAIMED to CLAIMED is the take-over of an expired lease; completion deletes the row.
INBOX_TRANSITIONS: Mapping[InboxStatus, frozenset[InboxStatus]] = {
    InboxStatus.WAITING: frozenset({InboxStatus.CLAIMED}),
    InboxStatus.CLAIMED: frozenset({InboxStatus.CLAIMED, InboxStatus.WAITING, InboxStatus.SET_ASIDE}),
    InboxStatus.SET_ASIDE: frozenset({InboxStatus.WAITING}),
}
INTENT_TRANSITIONS: Mapping[IntentStatus, frozenset[IntentStatus]] = {
    IntentStatus.OPEN: frozenset({IntentStatus.DONE, IntentStatus.REFUSED}),
    IntentStatus.DONE: frozenset(),
    IntentStatus.REFUSED: frozenset(),
}


def may_become(transitions: Mapping[Status, frozenset[Status]], target: Status) -> list[str]:
    """The statuses from which `target` may be reached, for the WHERE of a statement that sets it."""
    return [status.value for status, following in transitions.items() if target in following]


@dataclass(frozen=True, slots=True)
class NewCredential:
    """A credential to be kept: `summary` may be shown, `secret` is sealed before it is stored."""

    name: str
    system: str  # 'salesforce' or 'm3ter'
    secret: Mapping[str, Any] = field(repr=False)
    summary: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Credential:
    """A credential as it may be shown; authorized when the system's last word about it was yes."""

    credential_id: UUID
    name: str
    system: str
    summary: Mapping[str, Any]
    authorized_at: datetime | None
    error: str | None
    created_at: datetime
    updated_at: datetime

    @property
    def is_authorized(self) -> bool:
        return self.authorized_at is not None and self.error is None


@dataclass(frozen=True, slots=True)
class FieldMapping:
    """A field mapping document as written; `revision` grows with every change of its text."""

    field_mapping_id: UUID
    name: str
    document: str
    sha256: str
    revision: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class NewIntegration:
    """An integration to be made; credentials are named by id."""

    name: str
    flow: str  # 'Account Sync', 'Sales Agreement Sync' or, without a field mapping, 'Entity Data Sync'
    field_mapping_id: UUID | None
    salesforce_credential_id: UUID | None = None
    m3ter_credential_id: UUID | None = None
    enabled: bool = False


@dataclass(frozen=True, slots=True)
class Integration:
    """One configured flow, with the names of what it uses and whether both its credentials are authorized."""

    integration_id: UUID
    name: str
    flow: str
    field_mapping_id: UUID | None
    field_mapping_name: str | None
    field_mapping_revision: int | None
    salesforce_credential_id: UUID | None
    salesforce_credential_name: str | None
    m3ter_credential_id: UUID | None
    m3ter_credential_name: str | None
    authorized: bool
    enabled: bool
    created_at: datetime
    updated_at: datetime

    @property
    def is_to_m3ter(self) -> bool:
        return self.field_mapping_id is not None


@dataclass(frozen=True, slots=True)
class Target:
    """An integration that wants to hear of changes of one Salesforce object."""

    integration_id: UUID
    object_name: str


@dataclass(frozen=True, slots=True)
class Change:
    """One record of one change event, as heard on a channel."""

    channel: str
    replay_id: str
    object_name: str
    record_id: str  # 18 characters
    change_type: str
    changed_fields: tuple[str, ...] = ()
    change_origin: str = ""
    commit_user: str = ""
    transaction_key: str = ""
    committed_at: datetime | None = None
    own_write: str = ""  # a Verdict of state.own_writes


@dataclass(frozen=True, slots=True)
class InboxRow:
    """A record known to have changed and not yet synced."""

    inbox_id: int
    integration_id: UUID
    integration_name: str
    object_name: str
    record_id: str
    cause: str
    priority: int
    status: InboxStatus
    first_changed_at: datetime
    changed_at: datetime
    due_at: datetime
    attempts: int
    lease_until: datetime | None
    claimed_by: str | None
    error: str | None
    reread_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """One record taken from the inbox; `attempts` counts this one, `lease_token` is the fence.

    `asked_at`: when it was asked for by this machine's monotonic clock, from which its `lease` counts here;
    `claimed_at`: the same by the database's.
    """

    inbox_id: int
    integration_id: UUID
    object_name: str
    record_id: str
    cause: Cause
    priority: int
    revision: int
    attempts: int
    first_changed_at: datetime
    lease_token: UUID
    lease: timedelta
    asked_at: float
    claimed_at: datetime
    reread_id: UUID | None = None  # the re-read that put it into the inbox


@dataclass(frozen=True, slots=True)
class RecordState:
    """What is remembered of a record between syncs, for one integration."""

    integration_id: UUID
    record_id: str
    criterion_held: bool
    sync_status: SyncStatus | None = None
    last_run_id: UUID | None = None
    first_synced_at: datetime | None = None
    last_synced_at: datetime | None = None
    org_id: str = ""  # in which it was last looked at; "" is not known
    is_gone: bool = False


@dataclass(frozen=True, slots=True)
class ExternalMapping:
    """Which Salesforce record is which m3ter entity; `external_mapping_id` once m3ter has it written too."""

    m3ter_org_id: str
    m3ter_entity: str
    external_table: str
    external_id: str
    m3ter_id: str
    external_mapping_id: str | None = None


@dataclass(frozen=True, slots=True)
class NewIntent:
    """A create about to be sent: for which record, and the JSON text of its body."""

    m3ter_org_id: str
    m3ter_entity: str
    external_table: str
    external_id: str
    body: str


@dataclass(frozen=True, slots=True)
class Intent:
    """A create that was about to be sent, and what became of it.

    While it is OPEN any of `body` and `earlier_bodies` may exist in m3ter: read there before creating again.
    """

    intent_id: UUID
    m3ter_org_id: str
    m3ter_entity: str
    external_table: str
    external_id: str
    body: str
    earlier_bodies: tuple[str, ...]
    status: IntentStatus
    m3ter_id: str | None
    created_at: datetime
    closed_at: datetime | None


@dataclass(frozen=True, slots=True)
class Health:
    """What a part last said of itself; `since` is when it became well or ceased to be."""

    subject: str
    is_well: bool
    message: str
    instruction: str
    since: datetime
    reported_at: datetime
