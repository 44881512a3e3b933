"""The streaming side of an org, put together: bus, capture, CometD, and what the control API may do to them.

Own kinds of POST /sandbox/faults, besides those of cometd_faults.StreamFault:
drop_session {}; purge {};
gap {object, change_type?: GAP_CREATE GAP_UPDATE GAP_DELETE GAP_UNDELETE, record_ids: ids, or "001*"};
overflow {object} (GAP_OVERFLOW);
tell_as {as: gap overflow wildcard undecodable nothing, times: 1}: how the next transactions are told, in
place of the events that they should have (telling.Manner);
custom_channel {name: "Sales__chn", objects};
publish {channel, payload} (a raw event, also one that nobody can decode; on /event/X__e a platform event).
"""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from connectors.sandbox.clock import Clock
from connectors.sandbox.salesforce.capture import ChangeDataCapture
from connectors.sandbox.salesforce.channels import Channels
from connectors.sandbox.salesforce.cometd import Streaming
from connectors.sandbox.salesforce.events import EventBus
from connectors.sandbox.salesforce.schema import Schema
from connectors.sandbox.salesforce.telling import NO_RECORD, Telling

Document = dict[str, Any]
RecordId = Annotated[
    str, StringConstraints(pattern=r"^([A-Za-z0-9]{15}|[A-Za-z0-9]{18}|[A-Za-z0-9]{3,17}\*)$")
]
REFUSALS = ("refuse_replay", "refuse_subscription", "unauthorized", "too_busy", "deny_handshake")


class Told(BaseModel):
    """What the control API may tell a stream, beside a refusal."""

    model_config = ConfigDict(extra="forbid")
    kind: str


class Gap(Told):
    """Something happened to these records, and the event cannot say what."""

    object: str
    change_type: Literal["GAP_CREATE", "GAP_UPDATE", "GAP_DELETE", "GAP_UNDELETE"] = "GAP_UPDATE"
    record_ids: list[RecordId] = Field(min_length=1)


class Overflow(Told):
    """A transaction changed too much of this object to tell."""

    object: str


class CustomChannel(Told):
    """A channel of the org's own, for the change events of several objects."""

    name: str
    objects: list[str] = Field(min_length=1)


class Publication(Told):
    """A raw event."""

    channel: str
    payload: dict[str, Any]


class OrgStream:
    """Everything of an org that streams."""

    def __init__(self, clock: Clock, schema: Schema, is_valid: Callable[[str], bool]) -> None:
        self.bus = EventBus(clock)
        self.channels = Channels(schema)
        self.capture = ChangeDataCapture(self.bus, self.channels)
        self.cometd = Streaming(self.bus, clock, is_valid, self.channels.exists)

    def add_routes(self, app: web.Application) -> None:
        """Serve CometD on the org's application."""
        self.cometd.add_routes(app)

    def stop(self) -> None:
        """Let every held connect return."""
        self.cometd.stop()

    def clear_faults(self) -> None:
        """Let the pending refusals end."""
        self.cometd.faults.clear()
        self.capture.tellings.clear()

    def own_kinds(self) -> Mapping[str, Callable[[Document], Document]]:
        """The faults that only a stream can have, by kind."""
        refusals = dict.fromkeys(REFUSALS, self._refuse)
        return {
            **refusals,
            "drop_session": self._drop_session,
            "gap": self._gap,
            "overflow": self._overflow,
            "tell_as": self._tell_as,
            "custom_channel": self._custom_channel,
            "purge": self._purge,
            "publish": self._publish,
        }

    def _refuse(self, document: Document) -> Document:
        fault = self.cometd.faults.add(document)
        self.bus.wake()
        return fault.model_dump(mode="json")

    def _drop_session(self, _document: Document) -> Document:
        return {"dropped": self.cometd.sessions.drop_all()}

    def _gap(self, document: Document) -> Document:
        asked = Gap.model_validate(document)
        return {"replay_id": self.capture.gap(asked.object, asked.change_type, asked.record_ids)}

    def _overflow(self, document: Document) -> Document:
        asked = Overflow.model_validate(document)
        return {"replay_id": self.capture.gap(asked.object, "GAP_OVERFLOW", [NO_RECORD])}

    def _tell_as(self, document: Document) -> Document:
        asked = Telling.model_validate(document)
        self.capture.tellings.add(asked)
        return {"as": asked.manner, "times": asked.times}

    def _custom_channel(self, document: Document) -> Document:
        asked = CustomChannel.model_validate(document)
        self.channels.add_custom(asked.name, asked.objects)
        return {"channel": f"/data/{asked.name}"}

    def _purge(self, _document: Document) -> Document:
        return {"purged": self.bus.purge()}

    def _publish(self, document: Document) -> Document:
        asked = Publication.model_validate(document)
        if asked.channel.startswith("/event/"):
            self.channels.platform_events.add(asked.channel.removeprefix("/event/"))
        if not self.channels.exists(asked.channel):
            raise LookupError(f"There is no channel {asked.channel}.")
        channels = frozenset({asked.channel})
        return {"replay_id": self.bus.publish(asked.channel, channels, asked.payload).replay_id}
