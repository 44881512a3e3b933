"""Which channels tell of every change of an object, and of which objects a batch tells up to when."""

from collections.abc import Iterable
from datetime import datetime

from connectors.salesforce.models import ChangeEvent, Event
from daemon.to_m3ter.intake import Watch
from daemon.to_m3ter.mapping import channels


def tellers(watched: Watch) -> dict[str, tuple[str, ...]]:
    """Of each object the channels that owe an event for every change of it; not every object has any.

    That is its own channel. On one that tells of several objects, an object may be missing on purpose when it
    has its own, and when there are more of these: then what is told on any of them is told.
    """
    found = {}
    for name in (watched.parent, *watched.lines):
        owing = [
            channel
            for channel in watched.channels
            if channel not in watched.pointers and name in watched.objects[channel]
        ]
        own = [channel for channel in owing if channels.kind(channel) == "changes of one object"]
        if owing:
            found[name] = tuple(own or owing)
    return found


def known_by_objects(watched: Watch) -> set[str]:
    """The channels that are complete when their objects are: none of these is told on others in its place."""
    found = tellers(watched)
    return {
        channel
        for channel in watched.channels
        if channel not in watched.pointers and all(len(found[name]) == 1 for name in watched.objects[channel])
    }


def told(events: Iterable[Event], watched: Watch) -> dict[str, datetime | None]:
    """The objects that a batch tells of on channels that owe it, with the latest commit that it tells, if it
    says when that was."""
    owing = tellers(watched)
    found: dict[str, datetime | None] = {}
    for event in events:
        if not isinstance(event, ChangeEvent):
            continue
        name = watched.watched_as(event.object_name)
        if name is not None and event.channel in owing.get(name, ()):
            at = [each for each in (found.get(name), event.committed_at) if each is not None]
            found[name] = max(at, default=None)
    return found
