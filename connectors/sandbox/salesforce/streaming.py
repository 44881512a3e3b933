"""The streaming side of an org, put together: bus, capture, CometD, and what the control API may do to them.

Own kinds of POST /sandbox/faults, besides those of cometd_faults.StreamFault:
drop_session {}; gap {object, change_type?, record_ids}; overflow {object}; purge {};
publish {channel, payload} (a raw event, also one that nobody can decode; on /event/X__e a platform event).
"""

from collections.abc import Callable, Mapping
from typing import Any

from aiohttp import web

from connectors.sandbox.clock import Clock
from connectors.sandbox.salesforce.capture import NO_RECORD, ChangeDataCapture
from connectors.sandbox.salesforce.channels import Channels
from connectors.sandbox.salesforce.cometd import Streaming
from connectors.sandbox.salesforce.events import EventBus
from connectors.sandbox.salesforce.schema import Schema

Document = dict[str, Any]
REFUSALS = ("refuse_replay", "refuse_subscription", "unauthorized", "too_busy", "deny_handshake")


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

    def own_kinds(self) -> Mapping[str, Callable[[Document], Document]]:
        """The faults that only a stream can have, by kind."""
        refusals = dict.fromkeys(REFUSALS, self._refuse)
        return {
            **refusals,
            "drop_session": self._drop_session,
            "gap": self._gap,
            "overflow": self._overflow,
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
        change_type = document.get("change_type", "GAP_UPDATE")
        return {"replay_id": self.capture.gap(document["object"], change_type, document["record_ids"])}

    def _overflow(self, document: Document) -> Document:
        return {"replay_id": self.capture.gap(document["object"], "GAP_OVERFLOW", [NO_RECORD])}

    def _purge(self, _document: Document) -> Document:
        return {"purged": self.bus.purge()}

    def _publish(self, document: Document) -> Document:
        channel, payload = document["channel"], document["payload"]
        if channel.startswith("/event/"):
            self.channels.platform_events.add(channel.removeprefix("/event/"))
        if not self.channels.exists(channel):
            raise LookupError(f"There is no channel {channel}.")
        return {"replay_id": self.bus.publish(channel, frozenset({channel}), payload).replay_id}
