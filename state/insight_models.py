"""What people and metrics ask for: the status of an integration, the story of a record, figures."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from state.entity_models import Copy
from state.models import ExternalMapping, Health, InboxRow, Integration, Intent, RecordState
from state.reread_models import RereadStory
from state.run_models import LogLine, Run, RunObject


class FirstSynchronization(StrEnum):
    """Whether the systems were ever brought into step as a whole."""

    NOT_STARTED = "not started"
    IN_PROGRESS = "in progress"
    DONE = "done"


class IssueKind(StrEnum):
    """Why something is an issue."""

    PART = "part"  # a system, a stream or the worker is not well
    REREAD = "reread"  # a window that could not be read again, tried several times
    SET_ASIDE = "set aside"  # tried often enough; a person can retry it
    FAILED = "failed"  # the last sync failed, wholly or for some objects; a change or a person retries it
    RETRYING = "retrying"  # the last attempt failed; it is tried again by itself
    PING_PONG = "ping-pong"  # it is changed as often as it is synced, and left alone for a while


class CurrentStatus(StrEnum):
    """What an integration is doing now."""

    DISABLED = "disabled"
    NOT_AUTHORIZED = "not authorized"
    SYNCING = "syncing"
    WAITING = "waiting"  # records are known to have changed and wait for their turn or their retry
    ISSUES = "issues"  # nothing waits, and something needs a person
    IN_STEP = "in step"


@dataclass(frozen=True, slots=True)
class Issue:
    """Something that needs a person: a record that was set aside or failed, a part that is not well."""

    kind: IssueKind
    subject: str  # a Salesforce record id, the part, or 're-read of <object>'
    message: str
    instruction: str
    since: datetime
    run_id: UUID | None = None
    inbox_id: int | None = None  # of a record set aside, which a person can retry


@dataclass(frozen=True, slots=True)
class InboxDepth:
    """How many records wait (and are due), are in flight, were set aside; and the oldest unsynced change."""

    waiting: int = 0
    due: int = 0
    claimed: int = 0
    set_aside: int = 0
    oldest_changed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Status:
    """The synchronization information of one integration; `lag` is the age of the oldest unsynced change.

    An initial synchronization is no lag. `rereads`: the windows still open, then the latest.
    """

    integration: Integration
    first_synchronization: FirstSynchronization
    first_synchronized_at: datetime | None
    current: CurrentStatus
    issues: tuple[Issue, ...]
    issue_count: int
    last_synchronized_at: datetime | None
    is_automatic: bool
    lag: timedelta | None
    inbox: InboxDepth
    rereads: tuple[RereadStory, ...]
    echoes: int = 0  # events of what m3sync wrote itself, ever: not synced
    near_misses: int = 0  # events that bear its mark and say something else: synced


@dataclass(frozen=True, slots=True)
class RunFilter:
    """Which runs to show; None is any."""

    failed: bool | None = None
    integration: str | UUID | None = None
    record_id: str | None = None
    limit: int = 20


@dataclass(frozen=True, slots=True)
class RunStory:
    """A run with its object results, and its log where asked for."""

    run: Run
    objects: tuple[RunObject, ...]
    log: tuple[LogLine, ...] = ()


@dataclass(frozen=True, slots=True)
class HeardEvent:
    """A change event that named the record, without the data."""

    org_id: str
    channel: str
    replay_id: str
    object_name: str
    record_id: str
    change_type: str
    changed_fields: tuple[str, ...]
    change_origin: str
    commit_user: str
    committed_at: datetime | None
    received_at: datetime
    own_write: str = ""  # a Verdict of state.own_writes: 'echo' was not synced, 'near miss' was


@dataclass(frozen=True, slots=True)
class Story:
    """Everything known of one record or m3ter entity, newest first, and in sentences what is next."""

    record_id: str
    parent_ids: tuple[str, ...]  # of a line: the records it belonged to
    events: tuple[HeardEvent, ...]
    inbox: tuple[InboxRow, ...]
    runs: tuple[RunStory, ...]
    states: tuple[RecordState, ...]
    external_mappings: tuple[ExternalMapping, ...]
    open_intents: tuple[Intent, ...]
    rereads: tuple[RereadStory, ...]  # those that put it into the inbox
    next: tuple[str, ...]
    copies: tuple[Copy, ...] = ()  # of the m3ter entity, or in the Salesforce record

    @property
    def is_heard(self) -> bool:
        """Whether m3sync had to do with it as with what goes to m3ter."""
        return bool(self.events or self.inbox or self.runs or self.states or self.external_mappings)

    @property
    def is_known(self) -> bool:
        """Whether m3sync ever had to do with the record."""
        return self.is_heard or bool(self.copies)


@dataclass(frozen=True, slots=True)
class Figures:
    """What the metrics show; the totals only grow. Keys: integration name, then status or action."""

    inbox: Mapping[str, InboxDepth]
    lag: Mapping[str, timedelta]
    runs: Mapping[tuple[str, str], int]
    objects: Mapping[tuple[str, str], int]
    last_synchronized_at: Mapping[str, datetime]
    last_event_at: datetime | None
    open_intents: int
    echoes: Mapping[tuple[str, str], int]  # events of our own writes: 'echo' or 'near miss'
    windows: Mapping[tuple[str, str], int]  # to be read again, ever opened, by cause
    rereads: Mapping[tuple[str, str], int]  # records 'read', 'put' into the inbox, that 'differed'
    open_windows: Mapping[str, int]
    health: tuple[Health, ...]
