"""Events out of the stream's messages; one that cannot be read says so and never stops the others.

Their shapes: Change Data Capture guide, Change Event Message Structure; Platform Events guide, Subscribe with
CometD; Streaming API guide, PushTopic Queries.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from connectors.errors import RejectedError
from connectors.salesforce.ids import to_id18
from connectors.salesforce.models import ChangeEvent, Event, Notification, UndecodableEvent

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class _Header(BaseModel):
    """ChangeEventHeader (Change Data Capture guide, Change Event Header Fields)."""

    model_config = ConfigDict(extra="ignore")

    entityName: str  # noqa: N815 - the names are Salesforce's
    recordIds: list[str]  # noqa: N815 - as above
    changeType: str  # noqa: N815 - as above
    changedFields: list[str] | None = None  # noqa: N815 - as above
    changeOrigin: str | None = None  # noqa: N815 - as above
    commitUser: str | None = None  # noqa: N815 - as above
    transactionKey: str | None = None  # noqa: N815 - as above
    sequenceNumber: int | None = None  # noqa: N815 - as above
    commitNumber: int | None = None  # noqa: N815 - as above
    commitTimestamp: int | None = None  # noqa: N815 - as above


def decode(channel: str, data: Any) -> Event:
    """The event in the `data` of one message."""
    if channel.startswith("/topic/"):
        return _notification(channel, data, "sobject")
    if channel.startswith("/event/"):
        return _notification(channel, data, "payload")
    return _change(channel, data)


def _notification(channel: str, data: Any, part: str) -> Notification | UndecodableEvent:
    """A PushTopic tells of its event beside the record, a platform event among its own fields."""
    replay_id = _replay_id(data)
    body = data.get(part) if isinstance(data, dict) else None
    if not replay_id or not isinstance(body, dict):
        return UndecodableEvent(channel, replay_id, f"the message has no replay id or no {part}")
    event, is_topic = data["event"], part == "sobject"
    return Notification(
        channel=channel,
        replay_id=replay_id,
        event_type=_text(event.get("type")) if is_topic else "",
        event_key=_text(event.get("createdDate" if is_topic else "EventUuid")),
        created_at=_moment(event.get("createdDate") if is_topic else body.get("CreatedDate")),
        payload=body,
    )


def _text(said: Any) -> str:
    return said if isinstance(said, str) else ""


def _moment(said: Any) -> datetime | None:
    """When the event was made. One whose time cannot be read is still an event."""
    try:
        moment = datetime.fromisoformat(said)
    except (TypeError, ValueError):
        return None
    return moment if moment.tzinfo else None


def _change(channel: str, data: Any) -> ChangeEvent | UndecodableEvent:
    replay_id = _replay_id(data)
    payload = data.get("payload") if isinstance(data, dict) else None
    if not replay_id or not isinstance(payload, dict):
        return UndecodableEvent(channel, replay_id, "the message has no replay id or no payload")
    body = {name: value for name, value in payload.items() if name != "ChangeEventHeader"}
    try:
        header = _Header.model_validate(payload.get("ChangeEventHeader"))
        return _event(channel, replay_id, header, body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        return UndecodableEvent(channel, replay_id, f"ChangeEventHeader {where}: {first['msg']}".strip())
    except (RejectedError, OverflowError) as error:
        return UndecodableEvent(channel, replay_id, str(error))


def _event(channel: str, replay_id: str, header: _Header, body: dict[str, Any]) -> ChangeEvent:
    at = header.commitTimestamp
    return ChangeEvent(
        channel=channel,
        replay_id=replay_id,
        object_name=header.entityName,
        record_ids=tuple(_record_id(record_id) for record_id in header.recordIds),
        change_type=header.changeType,
        changed_fields=tuple(header.changedFields or body),
        change_origin=header.changeOrigin or "",
        commit_user=header.commitUser or "",
        transaction_key=header.transactionKey or "",
        sequence_number=header.sequenceNumber or 0,
        commit_number=header.commitNumber or 0,
        committed_at=None if at is None else _EPOCH + timedelta(milliseconds=at),
        payload=body,
    )


def _record_id(record_id: str) -> str:
    """Wildcards ("001*") stay as they are: they name no single record."""
    return record_id if "*" in record_id else to_id18(record_id)


def _replay_id(data: Any) -> str:
    event = data.get("event") if isinstance(data, Mapping) else None
    replay_id = event.get("replayId") if isinstance(event, Mapping) else None
    return str(replay_id) if isinstance(replay_id, int | str) and not isinstance(replay_id, bool) else ""
