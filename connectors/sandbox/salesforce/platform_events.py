"""Platform events: what was created of X__e is heard on /event/X__e (Platform Events guide)."""

from collections.abc import Sequence
from typing import Any

from connectors.sandbox.salesforce import change_bodies, notation
from connectors.sandbox.salesforce.changes import RecordChange
from connectors.sandbox.salesforce.events import EventBus, schema_id
from connectors.sandbox.salesforce.fields import EVENT_FIELDS
from connectors.sandbox.salesforce.schema import Schema


class PlatformEvents:
    """Publishes the events of committed transactions; `captured` is the listener to give to the org.

    `undeclared`: events that exist only so that the control API can publish whatever it likes.
    """

    def __init__(self, schema: Schema, bus: EventBus) -> None:
        self._schema = schema
        self._bus = bus
        self.undeclared: set[str] = set()

    def exists(self, name: str) -> bool:
        """Whether a client may subscribe to /event/X__e; the name is case-sensitive."""
        found = self._schema.find(name)
        return name in self.undeclared or (found is not None and found.is_event and found.name == name)

    def captured(self, changes: Sequence[RecordChange]) -> None:
        """One committed transaction."""
        for change in changes:
            owner = self._schema.find(change.object_name)
            if owner is not None and owner.is_event:
                row = change.after or {}
                at = change_bodies.event_time(notation.instant(change.committed_at))
                payload: dict[str, Any] = {"CreatedDate": at, "CreatedById": change.user_id}
                for field in owner.fields.values():
                    if field.name not in EVENT_FIELDS:
                        value = row.get(field.name)
                        is_time = field.type == "datetime"
                        payload[field.name] = change_bodies.event_time(value) if is_time else value
                self._bus.post(
                    frozenset({f"/event/{owner.name}"}),
                    {
                        "schema": schema_id(owner.name),
                        "payload": payload,
                        "event": {"EventUuid": row.get("EventUuid")},
                    },
                )
