"""Change events to inbox rows: which record each leads to, and which changes name no record."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal
from uuid import UUID

from connectors.errors import RejectedError
from connectors.salesforce.ids import NO_RECORD
from connectors.salesforce.models import ChangeEvent, Event, UndecodableEvent, to_id18
from daemon.to_m3ter import pointing
from daemon.to_m3ter.mapping import document
from daemon.to_m3ter.mapping.channels import Pointer
from state.checkpoints import Step
from state.models import Change

GAP = "GAP_"
OVERFLOW = "GAP_OVERFLOW"


@dataclass(frozen=True, slots=True)
class Watch:
    """What one integration wants to hear: channels, its parent object, and line object -> parent field.

    `objects`: for each channel, what to read again when something that was said on it is lost. `pointers`:
    the channels whose events are no change events, with the record that they mean: a record of theirs may
    change without an event, so their silence says nothing. `revision`: of the field mapping, if it is saved.
    """

    integration_id: UUID
    channels: tuple[str, ...]
    parent: str
    lines: Mapping[str, str]
    objects: Mapping[str, tuple[str, ...]]
    pointers: Mapping[str, Pointer] = field(default_factory=dict)
    revision: int | None = None

    def watched_as(self, object_name: str) -> str | None:
        """An object as the field mapping spells it; None when it is not watched."""
        return document.spelled(object_name, (self.parent, *self.lines))

    def objects_on(self, channels: Iterable[str]) -> set[str]:
        """All that any of these channels tells of."""
        return {name for channel in channels for name in self.objects[channel]}


def watch(integration_id: UUID, mapping: document.Mapping, revision: int | None = None) -> Watch:
    """As its field mapping says."""
    lines = {name: field_name for name, field_name in mapping.objects_watched.items() if field_name}
    objects = document.channel_objects(mapping)
    pointers = document.pointers(mapping)
    channels = tuple(document.channels(mapping))
    return Watch(integration_id, channels, mapping.parent, lines, objects, pointers, revision)


@dataclass(frozen=True, slots=True)
class Heard:
    """One change, and the parent that the event itself names, if it does.

    `is_unclear`: where the line is now the event does not tell. `event`: what tells whether we made the
    change ourselves; None where the event does not tell the whole change.
    """

    change: Change
    named: str | None = None
    is_unclear: bool = False
    event: ChangeEvent | None = None


@dataclass(frozen=True, slots=True)
class Missed:
    """Records of an object changed, and nobody says which; `event_at`: when that was committed, if known."""

    object_name: str
    channel: str
    cause: Literal["overflow", "gap", "undecodable"]
    detail: str
    event_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Gap:
    """Records named by events without data. They are in the inbox as any other; this is for the record."""

    object_name: str
    channel: str
    detail: str
    records: int


@dataclass(slots=True)
class Sorted:
    """A batch taken apart."""

    heard: list[Heard] = field(default_factory=list)
    missed: list[Missed] = field(default_factory=list)
    gaps: dict[tuple[str, str], Gap] = field(default_factory=dict)
    steps: dict[str, Step] = field(default_factory=dict)


def sort(events: Iterable[Event], watched: Watch) -> Sorted:
    """Take a batch apart. Events of objects that are not watched only move their channel's place."""
    found = Sorted()
    for heard in events:
        event = pointing.as_change(heard, watched.pointers)
        _step(found, event)
        if isinstance(event, UndecodableEvent):
            detail = f"Event {event.replay_id} could not be read: {event.reason}"
            for name in watched.objects.get(event.channel, ()):
                found.missed.append(Missed(name, event.channel, "undecodable", detail))
        elif (object_name := watched.watched_as(event.object_name)) is not None:
            _take(found, event, object_name, watched)
    return found


def _step(found: Sorted, event: ChangeEvent | UndecodableEvent) -> None:
    before = found.steps.get(event.channel)
    committed_at = event.committed_at if isinstance(event, ChangeEvent) else None
    committed_at = committed_at or (before.event_at if before else None)
    if event.replay_id:
        found.steps[event.channel] = Step(event.replay_id, committed_at)


def _take(found: Sorted, event: ChangeEvent, object_name: str, watched: Watch) -> None:
    named = [_full(each) for each in event.record_ids if each != NO_RECORD]
    whole = [each for each in named if each is not None]
    if event.change_type == OVERFLOW or len(whole) < len(event.record_ids) or not whole:
        found.missed.append(_missed(event, object_name))
    found.heard += [_heard(event, object_name, each, watched) for each in whole]
    if event.change_type.startswith(GAP) and whole:
        key = (event.channel, object_name)
        before = found.gaps.get(key) or Gap(object_name, event.channel, _gap(event), 0)
        found.gaps[key] = replace(before, records=before.records + len(whole))


def _missed(event: ChangeEvent, object_name: str) -> Missed:
    is_overflow = event.change_type == OVERFLOW or NO_RECORD in event.record_ids
    how = f" but as {', '.join(event.record_ids)[:80]}" if event.record_ids else ""
    return Missed(
        object_name,
        event.channel,
        "overflow" if is_overflow else "gap",
        f"Event {event.replay_id} ({event.change_type}) says that {event.object_name} records changed "
        f"and does not name them{how}.",
        event.committed_at,
    )


def _gap(event: ChangeEvent) -> str:
    return f"Event {event.replay_id} ({event.change_type}) names its records and does not say what changed."


def _full(record_id: str) -> str | None:
    """The 18 characters of a record id; None for what is none."""
    try:
        return to_id18(record_id)
    except RejectedError:
        return None


def _heard(event: ChangeEvent, object_name: str, record_id: str, watched: Watch) -> Heard:
    field_name = watched.lines.get(object_name)
    given = event.payload.get(field_name) if field_name else None
    named = _full(given) if isinstance(given, str) and given else None
    change = Change(
        channel=event.channel,
        replay_id=event.replay_id,
        object_name=object_name,
        record_id=record_id,
        change_type=event.change_type,
        changed_fields=event.changed_fields,
        change_origin=event.change_origin,
        commit_user=event.commit_user,
        transaction_key=event.transaction_key,
        committed_at=event.committed_at,
    )
    content = None if event.channel in watched.pointers else event
    is_unclear = field_name is not None and named is None and _is_untold(event, field_name, content)
    return Heard(change, named, is_unclear, content)


def _is_untold(event: ChangeEvent, field_name: str, content: ChangeEvent | None) -> bool:
    """Whether an event that names no parent may be of a line that moved.

    One that tells the whole change has the field, if it changed: with the record, or empty.
    """
    if field_name in event.payload:
        return bool(event.payload[field_name])
    return content is None or event.change_type.startswith(GAP) or field_name in event.changed_fields


def lead(heard: Heard, remembered: Mapping[str, str], watched: Watch) -> list[tuple[str, str]]:
    """Which records, (object, id), the inbox is to have for one changed line.

    Its parents: the one that it has now, as its event or Salesforce says, and the one that it was last seen
    with. A line whose parent is unknown or unclear goes in itself, and the worker asks for the parent.
    """
    line = heard.change
    parents = {heard.named, remembered.get(line.record_id)} - {None}
    led = [(watched.parent, each) for each in sorted(filter(None, parents))]
    return led if led and not heard.is_unclear else [*led, (line.object_name, line.record_id)]
