"""Change Data Capture: from the changes of one committed transaction to change events on the bus."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from uuid import uuid4

from connectors import wire
from connectors.sandbox.salesforce import change_bodies, telling
from connectors.sandbox.salesforce.changes import RecordChange
from connectors.sandbox.salesforce.channel_members import Member
from connectors.sandbox.salesforce.channels import Channels
from connectors.sandbox.salesforce.events import Body, EventBus
from connectors.sandbox.salesforce.telling import Manner, Tellings
from connectors.sandbox.salesforce.values import Row

GapType = Literal["GAP_CREATE", "GAP_UPDATE", "GAP_DELETE", "GAP_UNDELETE", "GAP_OVERFLOW"]
LARGEST_EVENT = 1024 * 1024
OVERFLOW_AFTER = 100_000


@dataclass(slots=True)
class _Captured:
    """One event to be: `record_ids` grows as equal changes of other records are merged into it.

    `rows`: the records of `record_ids` as the transaction left them.
    """

    object_name: str
    change_type: str
    record_ids: list[str]
    body: dict[str, Any]
    changed_fields: list[str]
    rows: list[Row]
    operations: int = 1


class ChangeDataCapture:
    """Publishes what the org commits; `captured` is the listener to give to the org.

    `row` gives a record as it is, in the recycle bin too.
    """

    def __init__(self, bus: EventBus, channels: Channels, row: Callable[[str], Row | None]) -> None:
        self.bus = bus
        self.row = row
        self.channels = channels
        self.overflow_after = OVERFLOW_AFTER
        self.tellings = Tellings()
        self._commit_numbers = itertools.count(int(bus.clock.now().timestamp()) * 1_000, 7)

    def captured(self, committed: Sequence[RecordChange]) -> None:
        """One committed transaction."""
        changes = [change for change in committed if not change.object_name.endswith("__e")]
        if not changes:
            return
        manner = self.tellings.take()
        if manner is Manner.NOTHING:
            return
        limit = 0 if manner is Manner.OVERFLOW else self.overflow_after
        commit_number = next(self._commit_numbers)
        events = _merge(self._bodies(changes))
        operations = 0
        overflowed: set[str] = set()
        for sequence_number, event in enumerate(events, start=1):
            operations += event.operations
            header = _header(changes[0], event, sequence_number, commit_number)
            if operations <= limit:
                self._publish(event, header, manner)
            elif event.object_name not in overflowed:
                overflowed.add(event.object_name)
                self._publish(event, header, Manner.OVERFLOW)

    def gap(self, object_name: str, change_type: GapType, record_ids: Sequence[str]) -> int:
        """Publish an event without data; returns its replay id.

        Raises LookupError for an object that is unknown or has no change events.
        """
        name = self.channels.known(object_name)
        channels = self.channels.of(name)
        if not channels:
            raise LookupError(f"Changes of {name} are not captured: no channel would carry the event.")
        now = self.bus.clock.now()
        header = {
            "entityName": name,
            "recordIds": list(record_ids),
            "changeType": change_type,
            "changeOrigin": "",
            "transactionKey": str(uuid4()),
            "sequenceNumber": 1,
            "commitTimestamp": int(now.timestamp() * 1000),
            "commitUser": "005000000000000AAA",
            "commitNumber": next(self._commit_numbers),
            "changedFields": [],
        }
        payload = {"ChangeEventHeader": header}
        return self.bus.publish(name, channels, payload).replay_id

    def _publish(self, event: _Captured, header: dict[str, Any], manner: Manner | None) -> None:
        channels = self.channels.of(event.object_name)
        if not channels:
            return  # not selected: its sequence number stays a hole
        payload = {"ChangeEventHeader": header, **event.body}
        if manner is None and len(wire.dumps(payload)) > LARGEST_EVENT:
            manner = Manner.GAP
        if manner is Manner.UNDECODABLE:
            payload = {"ChangeEventHeader": None}
        elif manner is not None:
            payload = {"ChangeEventHeader": telling.header(manner, header)}
        if manner is not None:  # without data nothing can be filtered or added
            self.bus.publish(event.object_name, channels, payload)
            return
        particular = self.channels.particular(event.object_name)
        variants = {
            channel: self._single(event, header, member, passing)
            for channel, member in particular.items()
            if (passing := _passing(event, header, member))
        }
        heard = (channels - particular.keys()) | variants.keys()
        if heard:
            self.bus.publish(event.object_name, heard, payload, variants)

    def _single(
        self, event: _Captured, header: Body, member: Member, record_ids: list[str]
    ) -> Callable[[], list[Body]]:
        """One payload for each record; added fields are those of the record when the event is delivered."""
        is_enriched = event.change_type in {"UPDATE", "DELETE"}

        def payloads() -> list[Body]:
            made = []
            for record_id in record_ids:
                row = self.row(record_id) if is_enriched else None
                body = member.enriched(event.body, row) if is_enriched else event.body
                made.append({"ChangeEventHeader": {**header, "recordIds": [record_id]}, **body})
            return made

        return payloads

    def _bodies(self, changes: Sequence[RecordChange]) -> list[_Captured]:
        events = []
        for change in changes:
            owner = self.channels.schema.find(change.object_name)
            if owner is None:
                continue
            body: dict[str, Any] = {}
            names: list[str] = []
            if change.change_type == "UPDATE":
                body, names = change_bodies.changed(owner, change.before or {}, change.after or {})
                if not names:
                    continue
            elif change.change_type in {"CREATE", "UNDELETE"}:
                body = change_bodies.whole(owner, change.after or {})
            row = dict(change.after or change.before or {})
            operations = max(1, len(names) - 1)
            ids = [change.record_id]
            events.append(
                _Captured(change.object_name, change.change_type, ids, body, names, [row], operations)
            )
        return events


def _passing(event: _Captured, header: Body, member: Member) -> list[str]:
    """The ids of the event's records that are heard on the member's channel."""
    pairs = zip(event.record_ids, event.rows, strict=True)
    return [record_id for record_id, row in pairs if member.passes(row, header)]


def _merge(events: list[_Captured]) -> list[_Captured]:
    """Equal changes of several records of one object become one event with all their ids."""
    merged: dict[tuple[str, str, bytes], _Captured] = {}
    for event in events:
        key = (event.object_name, event.change_type, wire.dumps(event.body))
        known = merged.get(key)
        if known is None:
            merged[key] = event
        else:
            known.record_ids += event.record_ids
            known.rows += event.rows
            known.operations += event.operations
    return list(merged.values())


def _header(
    first: RecordChange, event: _Captured, sequence_number: int, commit_number: int
) -> dict[str, Any]:
    return {
        "entityName": event.object_name,
        "recordIds": event.record_ids,
        "changeType": str(event.change_type),
        "changeOrigin": first.origin,
        "transactionKey": first.transaction_key,
        "sequenceNumber": sequence_number,
        "commitTimestamp": int(first.committed_at.timestamp() * 1000),
        "commitUser": first.user_id,
        "commitNumber": commit_number,
        "changedFields": event.changed_fields,
    }
