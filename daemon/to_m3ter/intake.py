"""Change events to inbox rows: which record each leads to, and which leave a window to be read again."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from connectors.errors import RejectedError
from connectors.salesforce.ids import NO_RECORD
from connectors.salesforce.models import ChangeEvent, UndecodableEvent, to_id18
from daemon.to_m3ter.mapping import document
from state.models import Change, Target

OVERFLOW = "GAP_OVERFLOW"


@dataclass(frozen=True, slots=True)
class Lead:
    """A line object of an integration, and how a line leads to its parent."""

    integration_id: UUID
    parent_object: str
    parent_field: str


@dataclass(frozen=True, slots=True)
class Watch:
    """What the integrations of one org want to hear: channels, parents, and lines by their object."""

    channels: tuple[str, ...]
    parents: tuple[Target, ...]
    leads: Mapping[str, tuple[Lead, ...]]


def watch(mappings: Mapping[UUID, document.Mapping]) -> Watch:
    """The union over the mappings."""
    channels: dict[str, None] = {}
    parents: list[Target] = []
    leads: dict[str, list[Lead]] = {}
    for integration_id, mapping in mappings.items():
        channels |= dict.fromkeys(document.channels(mapping))
        for object_name, parent_field in mapping.objects_watched.items():
            if parent_field is None:
                parents.append(Target(integration_id, object_name))
            else:
                leads.setdefault(object_name, []).append(Lead(integration_id, mapping.parent, parent_field))
    return Watch(tuple(channels), tuple(parents), {name: tuple(all_) for name, all_ in leads.items()})


@dataclass(frozen=True, slots=True)
class Heard:
    """One change, and the parents that the event itself names: parent field -> record id."""

    change: Change
    named: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Sorted:
    """A batch taken apart. `windows`: channel -> what may have been missed on it."""

    heard: list[Heard] = field(default_factory=list)
    windows: dict[str, str] = field(default_factory=dict)
    positions: dict[str, str] = field(default_factory=dict)
    event_at: dict[str, datetime | None] = field(default_factory=dict)


def sort(events: Iterable[ChangeEvent | UndecodableEvent], watched: Watch) -> Sorted:
    """Take a batch apart."""
    found = Sorted()
    for event in events:
        if event.replay_id:
            found.positions[event.channel] = event.replay_id
        if isinstance(event, UndecodableEvent):
            found.windows[event.channel] = f"Event {event.replay_id} could not be read: {event.reason}"
            continue
        found.event_at[event.channel] = event.committed_at
        for record_id in event.record_ids:
            missed = _missed(event, record_id)
            if missed:
                found.windows[event.channel] = missed
            else:
                found.heard.append(_heard(event, to_id18(record_id), watched))
    return found


def _missed(event: ChangeEvent, record_id: str) -> str:
    """Why this id names no record, "" when it does."""
    if event.change_type == OVERFLOW or record_id == NO_RECORD:
        return f"Event {event.replay_id} says that too many {event.object_name} records changed to name them."
    try:
        to_id18(record_id)
    except RejectedError:
        return f"Event {event.replay_id} names {event.object_name} records only as {record_id!r}."
    return ""


def _heard(event: ChangeEvent, record_id: str, watched: Watch) -> Heard:
    named: dict[str, str] = {}
    for lead in watched.leads.get(event.object_name, ()):
        parent = event.payload.get(lead.parent_field)
        if isinstance(parent, str) and parent:
            named[lead.parent_field] = to_id18(parent)
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


@dataclass(slots=True)
class Led:
    """Where lines lead: parents to put into the inbox by integration, and lines whose parent is unknown."""

    parents: dict[UUID, set[tuple[str, str]]] = field(default_factory=dict)
    orphans: list[Target] = field(default_factory=list)


def lead(heard: Heard, remembered: Mapping[str, str], watched: Watch) -> Led:
    """The parents of one changed line: those its event names and the one it was last seen with."""
    led = Led()
    for each in watched.leads.get(heard.change.object_name, ()):
        ids = {heard.named.get(each.parent_field), remembered.get(heard.change.record_id)} - {None}
        for parent_id in ids:
            if parent_id is not None:
                led.parents.setdefault(each.integration_id, set()).add((each.parent_object, parent_id))
        if not ids:
            led.orphans.append(Target(each.integration_id, heard.change.object_name))
    return led


def lines_of(heard: Sequence[Heard], watched: Watch) -> list[str]:
    """The ids of the changed lines whose parents should be looked up."""
    return [each.change.record_id for each in heard if each.change.object_name in watched.leads]
