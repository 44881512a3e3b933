"""One transaction: every write of it or none, told to the listeners as each record's net change."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

from connectors.sandbox.salesforce import incoming, notation, rules
from connectors.sandbox.salesforce.changes import (
    Actor,
    ChangeType,
    Listener,
    RecordChange,
    change_type_of,
    differing,
)
from connectors.sandbox.salesforce.errors import (
    SalesforceError,
    deleted,
    no_access,
    not_for_events,
    not_found,
)
from connectors.sandbox.salesforce.schema import SObject
from connectors.sandbox.salesforce.storage import Table
from connectors.sandbox.salesforce.tables import Tables
from connectors.sandbox.salesforce.values import Row

Mark = tuple[int, dict[str, Row | None], dict[str, Row]]


class Transaction:
    """Writes of one request; leaving the context commits, an exception takes everything back.

    A write that is refused raises SalesforceError and leaves no trace, so that the others may go on.
    """

    def __init__(self, tables: Tables, actor: Actor, began_at: datetime, announce: Listener) -> None:
        self._tables = tables
        self._actor = actor
        self._announce = announce
        self._undo: list[tuple[Table, str, Row | None]] = []
        self._touched: dict[str, Row | None] = {}
        self._published: dict[str, Row] = {}
        self.key = str(uuid4())
        self.began_at = began_at

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self.roll_back()
        else:
            self._commit()

    def create(self, object_name: str, given: Mapping[str, Any], *, record_id: str | None = None) -> str:
        """A new record; returns its 18-character id. `record_id` gives it a known id."""
        table = self._tables.table(object_name)
        owner = table.definition
        if given.get("Id") is not None:
            raise SalesforceError(
                "INVALID_FIELD_FOR_INSERT_UPDATE", "cannot specify Id in an insert call", ("Id",)
            )
        accepted = incoming.accept(self._tables, owner, given, is_new=True)
        row = dict(accepted)
        incoming.complete(owner, row)
        if row.get("OwnerId") is None and owner.find("OwnerId") is not None:
            row["OwnerId"] = self._actor.user_id
        new_id = record_id or table.mint()
        incoming.check_unique(self._tables, owner, new_id, row)
        rules.derive(self._tables, owner.name, row, accepted)
        self._tables.check(owner.name, row)
        self._stamp(row, is_new=True)
        if owner.is_event:
            self._published[new_id] = {**row, "EventUuid": str(uuid4())}
        else:
            self._store(table, new_id, {"Id": new_id, "IsDeleted": False, **row})
        return new_id

    def enqueued(self, record_id: str) -> list[dict[str, Any]]:
        """What the reply to a creation lists under `errors`: for a platform event, that it is enqueued."""
        event = self._published.get(record_id)
        if event is None:
            return []
        return [{"statusCode": "OPERATION_ENQUEUED", "message": event["EventUuid"], "fields": []}]

    def update(self, object_name: str, record_id: str, given: Mapping[str, Any]) -> None:
        """Change fields of a record; a field given as None is emptied."""
        table = self._tables.table(object_name)
        _refuse_event(table.definition, "update")
        owner, before = table.definition, self._writable(table, record_id)
        changes = incoming.accept(self._tables, owner, without_id(given), is_new=False)
        row = {**before, **changes}
        incoming.check_unique(self._tables, owner, record_id, row)
        rules.derive(self._tables, owner.name, row, changes)
        self._tables.check(owner.name, row)
        self._stamp(row, is_new=False)
        self._store(table, record_id, row)

    def delete(self, object_name: str, record_id: str) -> None:
        """Put a record, and those that belong to it, into the recycle bin."""
        table = self._tables.table(object_name)
        _refuse_event(table.definition, "delete")
        row = self._writable(table, record_id)
        self._tables.row_rules.check_lock(table.definition, row)
        self._bin(table, record_id)

    def undelete(self, object_name: str, record_id: str) -> None:
        """Bring a record, and those deleted with it, back from the recycle bin."""
        table = self._tables.table(object_name)
        row = table.rows.get(record_id)
        if row is None or not row["IsDeleted"]:
            raise SalesforceError("UNDELETE_FAILED", "Entity is not in the recycle bin", ())
        key = self._tables.binned_with.get(record_id)
        restored = {**row, "IsDeleted": False, "MasterRecordId": None}
        self._stamp(restored, is_new=False)
        self._store(table, record_id, restored)
        for child_table, child_id in self._children(table.definition, record_id):
            if child_table.rows[child_id]["IsDeleted"] and self._tables.binned_with.get(child_id) == key:
                self.undelete(child_table.definition.name, child_id)

    def empty_bin(self, object_name: str, record_id: str) -> None:
        """Delete for good what lies in the recycle bin."""
        table = self._tables.table(object_name)
        row = table.rows.get(record_id)
        if row is None or not row["IsDeleted"]:
            raise SalesforceError("INVALID_ID_FIELD", "Entity is not in the recycle bin", ())
        self._store(table, record_id, None)

    def merge(self, winner_id: str, loser_ids: Sequence[str], given: Mapping[str, Any] | None = None) -> None:
        """Merge one or two records into another of their object, as the SOAP API and Apex offer it.

        The losers go to the recycle bin and name the winner; what belonged to them belongs to the winner,
        which takes the fields `given`.
        """
        table = self._tables.table_of_id(winner_id)
        owner = table.definition
        self._refuse_merge(table, winner_id, loser_ids)
        for loser_id in loser_ids:
            row = {**table.rows[loser_id], "IsDeleted": True, "MasterRecordId": winner_id}
            self._stamp(row, is_new=False)
            self._tables.binned_with[loser_id] = self.key
            self._store(table, loser_id, row)
        for pointing in self._tables.schema:
            for field in pointing.indexed:
                if owner.name in field.reference_to and field.name != "MasterRecordId":
                    self._point_at_winner(self._tables.table(pointing.name), field.name, winner_id, loser_ids)
        self.update(owner.name, winner_id, given or {})

    def _refuse_merge(self, table: Table, winner_id: str, loser_ids: Sequence[str]) -> None:
        if table.definition.find("MasterRecordId") is None:
            raise SalesforceError("INVALID_TYPE", f"{table.definition.name} records cannot be merged", ())
        if not 1 <= len(loser_ids) <= 2 or len({winner_id, *loser_ids}) <= len(loser_ids):
            message = "a merge takes one or two records into another one"
            raise SalesforceError("INVALID_ID_FIELD", message, ())
        for each in (winner_id, *loser_ids):
            self._writable(table, each)

    def _point_at_winner(
        self, table: Table, field_name: str, winner_id: str, loser_ids: Sequence[str]
    ) -> None:
        for loser_id in loser_ids:
            for child_id in table.find(field_name, loser_id) or ():
                child = table.rows[child_id]
                if not child["IsDeleted"]:
                    # A record that pointed at what is merged into it would point at itself.
                    row = {**child, field_name: None if child_id == winner_id else winner_id}
                    self._stamp(row, is_new=False)
                    self._store(table, child_id, row)

    def roll_back(self) -> None:
        """Take back everything so far."""
        self.roll_back_to((0, {}, {}))

    def mark(self) -> Mark:
        """A point to come back to with `roll_back_to`."""
        return len(self._undo), dict(self._touched), dict(self._published)

    def roll_back_to(self, mark: Mark) -> None:
        """Take back what came after the mark."""
        while len(self._undo) > mark[0]:
            table, record_id, before = self._undo.pop()
            table.put(record_id, before)
        self._touched, self._published = dict(mark[1]), dict(mark[2])

    def _writable(self, table: Table, record_id: str) -> Row:
        row = table.rows.get(record_id)
        if row is None:
            raise not_found()
        if row["IsDeleted"]:
            raise deleted()
        if self._tables.is_hidden(record_id):
            raise no_access()
        return row

    def _bin(self, table: Table, record_id: str) -> None:
        row = {**table.rows[record_id], "IsDeleted": True}
        self._stamp(row, is_new=False)
        self._tables.binned_with[record_id] = self.key
        self._store(table, record_id, row)
        for child_table, child_id in self._children(table.definition, record_id):
            if not child_table.rows[child_id]["IsDeleted"]:
                self._bin(child_table, child_id)

    def _children(self, owner: SObject, record_id: str) -> list[tuple[Table, str]]:
        found: list[tuple[Table, str]] = []
        for child in owner.cascades:
            table = self._tables.table(child.object_name)
            found += [(table, child_id) for child_id in table.find(child.field_name, record_id) or ()]
        return found

    def _stamp(self, row: Row, *, is_new: bool) -> None:
        at = notation.instant(self.began_at)
        if is_new:
            row.update(CreatedDate=at, CreatedById=self._actor.user_id)
        row.update(LastModifiedDate=at, LastModifiedById=self._actor.user_id, SystemModstamp=at)

    def _store(self, table: Table, record_id: str, row: Row | None) -> None:
        kept = None if row is None else {name: value for name, value in row.items() if value is not None}
        before = table.put(record_id, kept)
        self._undo.append((table, record_id, before))
        self._touched.setdefault(record_id, before)
        for other_id, other_row in rules.ripple(self._tables, table.definition.name, kept or before or {}):
            other = self._tables.table_of_id(other_id)
            self._undo.append((other, other_id, other.put(other_id, other_row)))

    def _commit(self) -> None:
        changes: list[RecordChange] = []
        for record_id, before in self._touched.items():
            table = self._tables.table_of_id(record_id)
            after = table.rows.get(record_id)
            if after is not None:
                table.touch(record_id)
            kind = change_type_of(before, after)
            if kind is not None:
                changes.append(
                    RecordChange(
                        object_name=table.definition.name,
                        record_id=record_id,
                        change_type=kind,
                        before=before,
                        after=after,
                        changed=differing(before, after),
                        user_id=self._actor.user_id,
                        origin=self._actor.origin,
                        transaction_key=self.key,
                        committed_at=self.began_at,
                        sequence_number=len(changes) + 1,
                    )
                )
        changes += self._publications(len(changes))
        self._undo.clear()
        self._touched, self._published = {}, {}
        if changes:
            self._announce(changes)

    def _publications(self, already: int) -> list[RecordChange]:
        """The platform events of this transaction: published when it commits, and stored nowhere."""
        return [
            RecordChange(
                object_name=self._tables.table_of_id(event_id).definition.name,
                record_id=event_id,
                change_type=ChangeType.CREATE,
                before=None,
                after=row,
                changed=(),
                user_id=self._actor.user_id,
                origin=self._actor.origin,
                transaction_key=self.key,
                committed_at=self.began_at,
                sequence_number=number,
            )
            for number, (event_id, row) in enumerate(self._published.items(), start=already + 1)
        ]


def _refuse_event(owner: SObject, operation: str) -> None:
    if owner.is_event:
        raise not_for_events(owner.name, operation)


def without_id(given: Mapping[str, Any]) -> dict[str, Any]:
    """A request's fields without the Id that collections carry among them."""
    return {name: value for name, value in given.items() if name.lower() != "id"}
