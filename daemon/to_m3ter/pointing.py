"""Which record an event means that is no change event: platform events and PushTopics, by the mapping."""

from collections.abc import Mapping

from connectors.errors import RejectedError
from connectors.salesforce.ids import to_id18
from connectors.salesforce.models import ChangeEvent, Event, Notification, UndecodableEvent
from daemon.to_m3ter.mapping.channels import Pointer

_CHANGES = {"created": "CREATE", "updated": "UPDATE", "deleted": "DELETE", "undeleted": "UNDELETE"}
_ID = "Id"


def as_change(event: Event, pointers: Mapping[str, Pointer]) -> ChangeEvent | UndecodableEvent:
    """The event as a change of the record that it means; change events stay as they are.

    Without a record id it is undecodable, so that the records of its object are read again: whichever
    record was meant, what changed in Salesforce is found.
    """
    if not isinstance(event, Notification):
        return event
    pointer = pointers.get(event.channel)
    if pointer is None or pointer.object is None:
        return _lost(event, "the field mapping does not say which record events of this channel mean")
    field = pointer.record_id or _ID
    given = event.payload.get(field)
    if not given or not isinstance(given, str):
        return _lost(event, f"{field}, which is to name the {pointer.object} record, is {_shown(given)}")
    try:
        record_id = to_id18(given)
    except RejectedError as error:
        return _lost(event, f"{field} is to name the {pointer.object} record: {error.message}")
    # Whoever publishes an event means it: it has no origin and no user, so that it is never taken for the
    # echo of a write of m3sync.
    return ChangeEvent(
        channel=event.channel,
        replay_id=event.replay_id,
        object_name=pointer.object,
        record_ids=(record_id,),
        change_type=_CHANGES.get(event.event_type, "EVENT"),
        transaction_key=event.event_key,
        committed_at=event.created_at,
        payload=event.payload,
    )


def _lost(event: Notification, reason: str) -> UndecodableEvent:
    return UndecodableEvent(event.channel, event.replay_id, reason)


def _shown(given: object) -> str:
    if given is None or given == "":
        return "empty"
    return f"no text but {type(given).__name__}"
