"""How values are worded for people (panel and command line) and for machines (JSON)."""

import dataclasses
import re
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any

from state import sentence
from state.insight_models import CurrentStatus, Status
from state.models import RunStatus
from state.run_models import LogLine, Run

_M3TER_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)
# The same in every path of m3ter's, and 50 characters long.
_ORGANIZATION = re.compile(r"^/organizations/[^/]+(?=/)")


# What is said of a change event that was heard of our own write.
OWN_WRITE = {
    "echo": "our own write: m3ter has it already, so nothing is synced",
    "near miss": "bears the mark of m3sync and is not just what it wrote: synced as any change",
}


# What a call came to, as the run log names it (the families of connectors.errors).
_FAILURES = {
    "TransientError": "may be repeated",
    "RateLimited": "asked to slow down",
    "AuthenticationError": "credential not accepted",
    "RejectedError": "refused",
    "NotFoundError": "not found",
    "MissingMappingError": "not mapped",
}


def shown(value: object) -> str:
    """A value as people read it; times in UTC to the second."""
    match value:
        case None | "":
            return "-"
        case bool():
            return "yes" if value else "no"
        case datetime():
            return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
        case timedelta():
            return lasting(value)
        case Enum():
            return str(value.value)
        case list() | tuple():
            return ", ".join(shown(part) for part in value) or "-"
        case _:
            return str(value)


def is_m3ter_id(given: str) -> bool:
    """Whether it has the form of the ids of m3ter's entities."""
    return _M3TER_ID.fullmatch(given) is not None


def advised(message: str, instruction: str) -> str:
    """What happened, and what to do about it, in one line."""
    return f"{sentence.ended(message)} {instruction}".strip() if instruction else message


def lasting(duration: timedelta) -> str:
    """A duration in the two units that matter: `340 ms`, `4.2 s`, `12 min 5 s`, `3 h 10 min`, `2 d 4 h`."""
    seconds = duration.total_seconds()
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    whole = int(seconds)
    sizes = ((86_400, "d", 3_600, "h"), (3_600, "h", 60, "min"), (60, "min", 1, "s"))
    size, unit, part_size, part_unit = next(each for each in sizes if whole >= each[0])
    count, rest = divmod(whole, size)
    part = rest // part_size
    return f"{count} {unit} {part} {part_unit}" if part else f"{count} {unit}"


def since(at: datetime, now: datetime | None = None) -> str:
    """How long ago (or until when), coarsely: `just now`, `5 min ago`, `in 3 h`."""
    seconds = int(((now or datetime.now(UTC)) - at).total_seconds())
    if abs(seconds) < 5:
        return "just now"
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")):
        if abs(seconds) >= size:
            count = f"{abs(seconds) // size} {unit}"
            return f"{count} ago" if seconds > 0 else f"in {count}"
    raise AssertionError(seconds)


def came_to(run: Run) -> str:
    """The sync status where the sync has come to one for good, else the run's: it is tried again, say."""
    has_ended = run.status in (RunStatus.COMPLETE, RunStatus.ERROR)
    return str(run.sync_status.value if run.sync_status and has_ended else run.status.value)


def current(status: Status) -> str:
    """What an integration is doing now: `in step`, `waiting`, `3 issues`."""
    if status.current is not CurrentStatus.ISSUES:
        return str(status.current.value)
    count = max(status.issue_count, status.inbox.set_aside)
    return f"{count} issue{'' if count == 1 else 's'}"


def status_document(status: Status) -> dict[str, Any]:
    """An integration's status for machines; its lag has the name that metrics and health give it."""
    fields: dict[str, Any] = plain(status)
    return {("lag_seconds" if name == "lag" else name): value for name, value in fields.items()}


def change_text(change: object) -> str:
    """`before -> after` of one field."""
    if isinstance(change, list | tuple) and len(change) == 2:
        return f"{shown(change[0])} -> {shown(change[1])}"
    return shown(change)


def short_path(path: object) -> str:
    """Without the organization that every path of m3ter's begins with."""
    return _ORGANIZATION.sub("", str(path))


def log_text(line: LogLine) -> str:
    """One log line in words: `m3ter POST /organizations/... 200, 12 ms`."""
    detail = line.detail
    if line.kind != "call":
        text = detail.get("message") or detail.get("text")
        return str(text or "; ".join(f"{name}: {value}" for name, value in detail.items()))
    call = f"{detail.get('system', '')} {detail.get('method', '')} {short_path(detail.get('path', ''))}"
    answer = f"{call} {detail.get('status') or 'no answer'}, {detail.get('milliseconds')} ms"
    return f"{answer}: {failure(str(detail['error']))}" if detail.get("error") else answer


def failure(error: str) -> str:
    """A failed call's kind in words, with the system's code where it gave one: `refused DUPLICATE_VALUE`."""
    kind, _, code = error.partition(" ")
    return f"{_FAILURES[kind]} {code}".rstrip() if kind in _FAILURES else error


def plain(value: object) -> Any:
    """Rows, times and ids as JSON knows them: times ISO 8601 in UTC, durations in seconds."""
    match value:
        case datetime():
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        case timedelta():
            return round(value.total_seconds(), 3)
        case uuid.UUID():
            return str(value)
        case Enum():
            return value.value
        case Mapping():
            return {str(key): plain(inner) for key, inner in value.items()}
        case list() | tuple() | set() | frozenset():
            return [plain(inner) for inner in value]
        case _ if dataclasses.is_dataclass(value) and not isinstance(value, type):
            return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
        case _:
            return value
