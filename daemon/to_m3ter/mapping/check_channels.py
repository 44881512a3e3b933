"""Proving the channels of a field mapping: do their events exist, and is each object watched heard?"""

from collections.abc import Iterator

from daemon.to_m3ter.mapping import channels, described, document
from daemon.to_m3ter.mapping.check_fields import Finding

_SURE = ("all changes", "changes of one object")


def check(mapping: document.Mapping, describes: described.Describes) -> Iterator[Finding]:
    """Of a mapping without channels there is nothing to find: m3sync chooses those that it needs."""
    for channel, pointer in (mapping.channels or {}).items():
        yield from _check_event(channel, pointer, describes)
    if mapping.channels:
        yield from _check_heard(mapping)


def _check_event(
    channel: str, pointer: channels.Pointer, describes: described.Describes
) -> Iterator[Finding]:
    """A platform event and its field with the id. Other channels are known only to their subscribers."""
    name, where = channels.event_object(channel), f'channels."{channel}"'
    if name is None:
        return
    if name not in describes:
        message = f"Salesforce has no platform event {name} that m3sync's user can see."
        yield Finding("error", where, message, "Correct the name, or give the user access to the event.")
        return
    found = described.find(describes, name, (pointer.record_id or "Id",))
    if isinstance(found, described.Unknown):
        yield Finding("error", f"{where}.record_id", found.message, found.instruction)
    elif isinstance(found, described.Known) and found.kind != "text":
        message = f"{name}.{found.name} is of kind {found.kind}, and a record id is a text."
        yield Finding("error", f"{where}.record_id", message, "Name the field that holds the record's id.")
    elif isinstance(found, described.Known) and found.is_nillable:
        message = f"{name}.{found.name} may be empty."
        mend = f"An event without it has the changed {pointer.object} records read again: require it."
        yield Finding("warning", f"{where}.record_id", message, mend)


def _check_heard(mapping: document.Mapping) -> Iterator[Finding]:
    """What a custom channel carries cannot be asked: it is taken to carry what is watched."""
    objects = document.channel_objects(mapping)
    for name in mapping.objects_watched:
        heard = [channel for channel, about in objects.items() if name in about]
        if not heard:
            message = f"Changes of {name} are heard on none of these channels."
            mend = f'Add "{channels.change_event(name)}" = {{}}, or re-read by hand: m3sync sync --since.'
            yield Finding("warning", "channels", message, mend)
        sure = [channel for channel in heard if channels.kind(channel) in _SURE]
        if len(sure) > 1:
            message = f"Each change of {name} is heard {len(sure)} times: on {' and '.join(sure)}."
            yield Finding("warning", "channels", message, "Leave one of them out: deliveries are counted.")
