"""The channels of a field mapping: which there are, of what kind, and which record an event on one means."""

import re
from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import AfterValidator

from daemon.to_m3ter.mapping import values

Kind = Literal["all changes", "changes of one object", "custom channel", "platform event", "PushTopic"]

ALL_CHANGES = "/data/ChangeEvents"
_KINDS: tuple[tuple[re.Pattern[str], Kind], ...] = (
    (re.compile(re.escape(ALL_CHANGES)), "all changes"),
    (re.compile(r"/data/[A-Za-z][A-Za-z0-9_]{0,79}__chn", re.ASCII), "custom channel"),
    (re.compile(r"/data/[A-Za-z][A-Za-z0-9_]{0,79}ChangeEvent", re.ASCII), "changes of one object"),
    (re.compile(r"/event/[A-Za-z][A-Za-z0-9_]{0,79}__e", re.ASCII), "platform event"),
    (re.compile(r"/topic/[A-Za-z0-9_]{1,25}", re.ASCII), "PushTopic"),
)
FORMS = (
    "/data/ChangeEvents, /data/OpportunityChangeEvent, /data/Name__chn, /event/Name__e or /topic/Name "
    "(25 characters at most)"
)


def kind(channel: str) -> Kind | None:
    """What is heard on a channel of this name; None for the name of no channel that m3sync can hear."""
    return next((said for form, said in _KINDS if form.fullmatch(channel)), None)


def _channel(text: str) -> str:
    if kind(text) is None:
        message = f"{text[:80]!r} is not a channel that m3sync can hear, such as {FORMS}"
        raise ValueError(message)
    return text


ChannelText = Annotated[str, AfterValidator(_channel)]


class Pointer(values.Part):
    """Which record an event means where it does not say so itself: an object, and the field with its id."""

    object: values.NameText | None = None
    record_id: values.NameText | None = None


def change_event(object_name: str) -> str:
    """The channel of one object's change events."""
    if object_name.endswith("__c"):
        return f"/data/{object_name.removesuffix('__c')}__ChangeEvent"
    return f"/data/{object_name}ChangeEvent"


def event_object(channel: str) -> str | None:
    """The platform event that is heard on a channel, as Salesforce describes it; None for another kind."""
    return channel.removeprefix("/event/") if kind(channel) == "platform event" else None


def problem(channel: str, pointer: Pointer, watched: Iterable[str]) -> str | None:
    """What is wrong with a channel of a mapping that watches these objects; None if nothing is."""
    objects = tuple(watched)
    match kind(channel):
        case "platform event" if not (pointer.object and pointer.record_id):
            return (
                'needs the record that it means: { object = "Opportunity", record_id = "Opportunity_Id__c" }'
            )
        case "PushTopic" if not pointer.object:
            return 'needs the object of its query: { object = "Opportunity" }'
        case "PushTopic" if pointer.record_id:
            return "takes no record_id: a PushTopic tells the record by the Id that its query selects"
        case "platform event" | "PushTopic" if pointer.object not in objects:
            return f"means {pointer.object}, which is neither the parent nor a line of this mapping"
        case "all changes" | "custom channel" | "changes of one object" if (
            pointer.object or pointer.record_id
        ):
            return "takes neither object nor record_id: a change event says itself which record changed"
        case "changes of one object" if channel not in map(change_event, objects):
            return (
                f"hears an object that is neither the parent nor a line of this mapping: {', '.join(objects)}"
            )
        case _:
            return None


def objects(channel: str, pointer: Pointer, watched: Iterable[str]) -> tuple[str, ...]:
    """The objects whose records a lost event on this channel may have been about."""
    every = tuple(watched)
    if pointer.object:
        return (pointer.object,)
    if kind(channel) == "changes of one object":
        return tuple(name for name in every if change_event(name) == channel)
    return every
