"""The streaming side of an org, put together: bus, capture, CometD, and what the control API may do to them.

Own kinds of POST /sandbox/faults, besides those of cometd_faults.StreamFault:
drop_session {}; purge {}; deafen {} (sessions that there are get no more events, and no error);
gap {object, change_type?: GAP_CREATE GAP_UPDATE GAP_DELETE GAP_UNDELETE, record_ids: ids, or "001*"};
overflow {object} (GAP_OVERFLOW);
tell_as {as: gap overflow wildcard undecodable nothing, times: 1}: how the next transactions are told, in
place of the events that they should have (telling.Manner);
custom_channel {name: "Sales__chn", objects, members: [{object, filter: "Amount > 100", enriched_fields: []}]}
(objects, or members, or both);
publish {channel, payload} (a raw event, also one that nobody can decode; on /event/X__e a platform event, on
/topic/X what the PushTopic says of the record).
"""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, Self

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from connectors.sandbox.salesforce import channel_members
from connectors.sandbox.salesforce.capture import ChangeDataCapture
from connectors.sandbox.salesforce.channels import Channels
from connectors.sandbox.salesforce.cometd import Streaming
from connectors.sandbox.salesforce.errors import SalesforceError
from connectors.sandbox.salesforce.events import EventBus
from connectors.sandbox.salesforce.platform_events import PlatformEvents
from connectors.sandbox.salesforce.push_topics import PushTopics
from connectors.sandbox.salesforce.records import Org
from connectors.sandbox.salesforce.telling import NO_RECORD, Telling
from connectors.sandbox.salesforce.values import Row

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


class ChannelMember(BaseModel):
    """An object on a custom channel."""

    model_config = ConfigDict(extra="forbid")
    object: str
    filter: str | None = None
    enriched_fields: list[str] = []


class CustomChannel(Told):
    """A channel of the org's own, for the change events of several objects."""

    name: str
    objects: list[str] = []
    members: list[ChannelMember] = []

    @model_validator(mode="after")
    def _has_members(self) -> Self:
        if not self.objects and not self.members:
            raise ValueError("a channel has objects, or members, which may have a filter and enriched_fields")
        return self


class Publication(Told):
    """A raw event."""

    channel: str
    payload: dict[str, Any]


class OrgStream:
    """Everything of an org that streams."""

    def __init__(self, org: Org) -> None:
        self._org = org
        self.bus = EventBus(org.clock)
        self.channels = Channels(org.schema)
        self.capture = ChangeDataCapture(self.bus, self.channels, self._row)
        self.platform_events = PlatformEvents(org.schema, self.bus)
        self.topics = PushTopics(org, self.bus)
        self.channels.others = {"event": self.platform_events.exists, "topic": self.topics.exists}
        self.cometd = Streaming(self.bus, org.clock, self._is_valid, self.channels.exists)
        for each in (self.capture, self.platform_events, self.topics):
            org.on_commit(each.captured)

    def _is_valid(self, token: str) -> bool:
        return self._org.sessions.of_header(f"Bearer {token}") is not None

    def _row(self, record_id: str) -> Row | None:
        return self._org.table_of_id(record_id).rows.get(record_id)

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
            "deafen": self._deafen,
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

    def _deafen(self, _document: Document) -> Document:
        return {"deafened": self.cometd.sessions.deafen_all()}

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
        plain = [ChannelMember(object=name) for name in asked.objects]
        self.channels.add_custom(asked.name, [self._member(each) for each in (*plain, *asked.members)])
        return {"channel": f"/data/{asked.name}"}

    def _member(self, asked: ChannelMember) -> channel_members.Member:
        name = self.channels.known(asked.object)
        try:
            return channel_members.member(self._org, name, asked.filter, asked.enriched_fields)
        except SalesforceError as error:
            raise ValueError(f"{name} cannot be a member: {error.message}") from error

    def _purge(self, _document: Document) -> Document:
        return {"purged": self.bus.purge()}

    def _publish(self, document: Document) -> Document:
        asked = Publication.model_validate(document)
        room, _, name = asked.channel.removeprefix("/").partition("/")
        if room == "event":
            self.platform_events.undeclared.add(name)
        if not self.channels.exists(asked.channel):
            raise LookupError(f"There is no channel {asked.channel}.")
        channels = frozenset({asked.channel})
        if room == "topic":
            return {"replay_id": self.topics.publish(channels, asked.payload)}
        return {"replay_id": self.bus.publish(asked.channel, channels, asked.payload).replay_id}
