"""Change events to inbox rows: which record each leads to, and which leave a window to be read again."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from connectors.errors import RejectedError
from connectors.salesforce.ids import NO_RECORD
from connectors.salesforce.models import ChangeEvent, UndecodableEvent, to_id18
from daemon.to_m3ter.mapping import document
from state.checkpoints import Step
from state.models import Change

OVERFLOW = "GAP_OVERFLOW"
# Salesforce's clock is read to the second, and its servers' clocks are not one.
MARGIN = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Watch:
    """What one integration wants to hear: channels, its parent object, and line object -> parent field."""

    integration_id: UUID
    channels: tuple[str, ...]
    parent: str
    lines: Mapping[str, str]


def watch(integration_id: UUID, mapping: document.Mapping) -> Watch:
    """As its field mapping says."""
    lines = {name: field_name for name, field_name in mapping.objects_watched.items() if field_name}
    return Watch(integration_id, tuple(document.channels(mapping)), mapping.parent, lines)


@dataclass(frozen=True, slots=True)
class Heard:
    """One change, and the parent that the event itself names, if it does."""

    change: Change
    named: str | None = None


@dataclass(slots=True)
class Sorted:
    """A batch taken apart. `windows`: channel -> what may have been missed on it."""

    heard: list[Heard] = field(default_factory=list)
    windows: dict[str, str] = field(default_factory=dict)
    steps: dict[str, Step] = field(default_factory=dict)


def sort(
    events: Iterable[ChangeEvent | UndecodableEvent],
    watched: Watch,
    since: Mapping[str, datetime] | None = None,
) -> Sorted:
    """Take a batch apart. What was committed before its channel's time in `since` is counted and left out."""
    found = Sorted()
    for event in events:
        is_old = isinstance(event, ChangeEvent) and _is_before(event, since or {})
        _step(found, event, is_old)
        if isinstance(event, UndecodableEvent):
            found.windows[event.channel] = f"Event {event.replay_id} could not be read: {event.reason}"
        elif not is_old:
            _take(found, event, watched)
    return found


def _is_before(event: ChangeEvent, since: Mapping[str, datetime]) -> bool:
    beginning = since.get(event.channel)
    return (
        beginning is not None and event.committed_at is not None and event.committed_at < beginning - MARGIN
    )


def _step(found: Sorted, event: ChangeEvent | UndecodableEvent, is_old: bool) -> None:
    before = found.steps.get(event.channel)
    left_out = (before.left_out if before else 0) + is_old
    committed_at = event.committed_at if isinstance(event, ChangeEvent) else None
    committed_at = committed_at or (before.event_at if before else None)
    if event.replay_id:
        found.steps[event.channel] = Step(event.replay_id, committed_at, left_out)


def _take(found: Sorted, event: ChangeEvent, watched: Watch) -> None:
    if event.change_type == OVERFLOW or not event.record_ids:
        found.windows[event.channel] = _unnamed(event)
        return
    for record_id in event.record_ids:
        if record_id == NO_RECORD:
            found.windows[event.channel] = _unnamed(event)
        elif (full := _full(record_id)) is None:
            found.windows[event.channel] = (
                f"Event {event.replay_id} names {event.object_name} records only as {record_id!r}."
            )
        else:
            found.heard.append(_heard(event, full, found, watched))


def _unnamed(event: ChangeEvent) -> str:
    return f"Event {event.replay_id} says that {event.object_name} records changed and does not name them."


def _full(record_id: str) -> str | None:
    """The 18 characters of a record id; None for what is none."""
    try:
        return to_id18(record_id)
    except RejectedError:
        return None


def _heard(event: ChangeEvent, record_id: str, found: Sorted, watched: Watch) -> Heard:
    field_name = watched.lines.get(event.object_name)
    given = event.payload.get(field_name) if field_name else None
    named = _full(given) if isinstance(given, str) and given else None
    if given and named is None:
        found.windows[event.channel] = (
            f"Event {event.replay_id} says that {event.object_name} {record_id} belongs to {given!r}, "
            "which is no record id."
        )
    change = Change(
        channel=event.channel,
        replay_id=event.replay_id,
        object_name=event.object_name,
        record_id=record_id,
        change_type=event.change_type,
        changed_fields=event.changed_fields,
        change_origin=event.change_origin,
        commit_user=event.commit_user,
        transaction_key=event.transaction_key,
        committed_at=event.committed_at,
    )
    return Heard(change, named)


def lead(heard: Heard, remembered: Mapping[str, str], watched: Watch) -> list[tuple[str, str]]:
    """Which records, (object, id), the inbox is to have for one changed line.

    Its parents: the one that its event names and the one that it was last seen with. A line whose parent is
    unknown goes in itself, and the worker asks for the parent.
    """
    line = heard.change
    parents = {heard.named, remembered.get(line.record_id)} - {None}
    return [(watched.parent, each) for each in sorted(filter(None, parents))] or [
        (line.object_name, line.record_id)
    ]
