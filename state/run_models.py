"""Runs as frozen values: what starts one, what ends one, its objects and its log lines."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from state.models import RunStatus, SyncStatus


@dataclass(frozen=True, slots=True)
class NewRun:
    """An attempt that begins now; `changed_at` is when the record's oldest unsynced change was heard."""

    integration_id: UUID
    object_name: str
    record_id: str
    cause: str
    attempt: int
    changed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class RunObject:
    """What became of one m3ter object; `changes` are field -> [before, after]."""

    object_name: str
    salesforce_id: str
    action: str
    success: bool
    message: str
    m3ter_id: str | None = None
    changes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line of a run log. A call's detail: system, method, path, status, milliseconds, error."""

    kind: str  # 'call' or 'note'
    logged_at: datetime
    detail: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class RunResult:
    """How a run ends; a status that retries also says how soon."""

    status: RunStatus
    success: bool | None
    message: str = ""
    instruction: str = ""
    sync_status: SyncStatus | None = None
    next_attempt_in: timedelta | None = None
    objects: tuple[RunObject, ...] = ()
    log: tuple[LogLine, ...] = ()


@dataclass(frozen=True, slots=True)
class Run:
    """One attempt to sync one record."""

    run_id: UUID
    integration_id: UUID
    integration_name: str
    object_name: str
    record_id: str
    cause: str
    attempt: int
    status: RunStatus
    sync_status: SyncStatus | None
    success: bool | None
    message: str
    instruction: str
    changed_at: datetime | None
    started_at: datetime
    completed_at: datetime | None
    next_attempt_at: datetime | None
