"""PushTopics: records whose query tells which changes are notified on /topic/Name, and with which fields."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from connectors.sandbox.salesforce import notation, push_topic_queries
from connectors.sandbox.salesforce.change_bodies import event_time
from connectors.sandbox.salesforce.changes import ChangeType, RecordChange
from connectors.sandbox.salesforce.events import EventBus
from connectors.sandbox.salesforce.fields import SYSTEM_FIELDS
from connectors.sandbox.salesforce.records import Org
from connectors.sandbox.salesforce.schema import SObject
from connectors.sandbox.salesforce.soql_filters import Filters
from connectors.sandbox.salesforce.soql_paths import Paths
from connectors.sandbox.salesforce.storage import rendered
from connectors.sandbox.salesforce.values import Row

RETENTION = timedelta(hours=24)
_WORDS = {
    ChangeType.CREATE: ("created", "NotifyForOperationCreate"),
    ChangeType.UPDATE: ("updated", "NotifyForOperationUpdate"),
    ChangeType.DELETE: ("deleted", "NotifyForOperationDelete"),
    ChangeType.UNDELETE: ("undeleted", "NotifyForOperationUndelete"),
}


@dataclass(frozen=True, slots=True)
class _Topic:
    """One PushTopic as it was when its row was read. `watched`: fields whose change counts, None for all."""

    row: Row
    owner: SObject
    fields: tuple[str, ...]
    watched: frozenset[str] | None
    holds: Callable[[Row], bool]

    def wants(self, change: RecordChange) -> bool:
        """Whether this change is notified: its kind, its fields, and the record as the query finds it."""
        if change.object_name != self.owner.name or not self.row.get(_WORDS[change.change_type][1]):
            return False
        if change.change_type is ChangeType.UPDATE:
            changed = set(change.changed) - SYSTEM_FIELDS.keys()
            if not (changed if self.watched is None else changed & self.watched):
                return False
        found = change.before if change.change_type is ChangeType.DELETE else change.after
        return found is not None and self.holds(dict(found))

    def notification(self, change: RecordChange) -> dict[str, Any]:
        """The message's `data`. That a deleted record is told by its Id alone is inferred, not documented."""
        row = dict(change.after or {})
        names = ("Id",) if change.change_type is ChangeType.DELETE else self.fields
        at = event_time(notation.instant(change.committed_at))
        return {
            "event": {"createdDate": at, "type": _WORDS[change.change_type][0]},
            "sobject": {name: self._value(row, name) for name in names} | {"Id": change.record_id},
        }

    def _value(self, row: Row, name: str) -> Any:
        field = self.owner.find(name)
        if field is None:
            return None
        value = rendered(row, self.owner, field)
        return event_time(value) if field.type == "datetime" else value


class PushTopics:
    """The topics of an org; `captured` is the listener to give to it."""

    def __init__(self, org: Org, bus: EventBus) -> None:
        self._org = org
        self._bus = bus
        self._read: dict[str, _Topic] = {}
        org.checks["PushTopic"] = self.check

    def check(self, row: Row) -> None:
        """Refuse a PushTopic that could never notify; raises SalesforceError."""
        push_topic_queries.check(self._org.schema, row)
        self._made(row)

    def exists(self, name: str) -> bool:
        """Whether a client may subscribe to /topic/Name."""
        return any(topic.row["Name"] == name for topic in self._topics())

    def captured(self, changes: Sequence[RecordChange]) -> None:
        """One committed transaction."""
        topics = self._topics()
        for change in changes if topics else ():
            for topic in topics:
                if topic.wants(change):
                    channels = frozenset({f"/topic/{topic.row['Name']}"})
                    self._bus.post(channels, topic.notification(change), retention=RETENTION)

    def publish(self, channels: frozenset[str], sobject: dict[str, Any]) -> int:
        """A notification with any body at all; returns its replay id."""
        at = event_time(notation.instant(self._org.now()))
        data = {"event": {"createdDate": at, "type": "updated"}, "sobject": sobject}
        return self._bus.post(channels, data, retention=RETENTION).replay_id

    def _topics(self) -> list[_Topic]:
        return [self._topic(row) for row in self._org.table("PushTopic").live() if row.get("IsActive")]

    def _topic(self, row: Row) -> _Topic:
        known = self._read.get(row["Id"])
        if known is None or known.row is not row:
            known = self._read[row["Id"]] = self._made(row)
        return known

    def _made(self, row: Row) -> _Topic:
        query = push_topic_queries.parse(str(row["Query"]))
        owner = self._org.table(query.source).definition
        filters = Filters(self._org, Paths(self._org, owner, query, sees_deleted=True), query.text, _none)
        selected = push_topic_queries.selected(query, owner)
        filtered = push_topic_queries.conditions(query, owner)
        watched = {"Select": selected, "Where": filtered, "Referenced": selected | filtered}
        among = watched.get(str(row["NotifyForFields"]))
        return _Topic(
            row,
            owner,
            fields=tuple(field.name for field in owner.fields.values() if field.name in selected),
            watched=None if among is None else frozenset(among),
            holds=_all if query.where is None else filters.compile(query.where),
        )


def _all(_row: Row) -> bool:
    return True


def _none(*_sub_query: object) -> set[Any]:
    return set()  # sub-queries were refused when the topic was made
