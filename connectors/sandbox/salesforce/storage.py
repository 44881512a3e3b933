"""Rows of one object by id, and the indexes that spare a scan: by value, by parent, by last modification."""

from collections.abc import Iterable, Iterator
from typing import Any

from connectors.sandbox.salesforce.fields import Field
from connectors.sandbox.salesforce.ids import Minter
from connectors.sandbox.salesforce.schema import SObject
from connectors.sandbox.salesforce.values import Row


class Index:
    """Record ids by a field's value; a value with one record keeps it without a set around it."""

    def __init__(self) -> None:
        self._ids: dict[Any, str | dict[str, None]] = {}

    def add(self, value: Any, record_id: str) -> None:
        """Enter one record."""
        held = self._ids.setdefault(value, record_id)
        if isinstance(held, dict):
            held[record_id] = None
        elif held != record_id:
            self._ids[value] = {held: None, record_id: None}

    def discard(self, value: Any, record_id: str) -> None:
        """Take one record out."""
        held = self._ids.get(value)
        if held == record_id:
            del self._ids[value]
        elif isinstance(held, dict):
            held.pop(record_id, None)
            if not held:
                del self._ids[value]

    def find(self, value: Any) -> tuple[str, ...]:
        """The ids of the records with this value, in the order in which they came."""
        held = self._ids.get(value)
        if held is None:
            return ()
        return (held,) if isinstance(held, str) else tuple(held)


def index_key(field: Field, value: Any) -> Any:
    """Texts are found without regard to case; ids as they are."""
    return value.lower() if isinstance(value, str) and not field.reference_to else value


class Table:
    """One object's rows. A row is never changed in place: `put` swaps it, so that whoever holds one keeps it.

    `deleted` tells when a record went to the recycle bin; it is remembered after the bin is emptied.
    """

    def __init__(self, definition: SObject, minter: Minter) -> None:
        self.definition = definition
        self.rows: dict[str, Row] = {}
        self.deleted: dict[str, str] = {}
        self._minter = minter
        self._indexes: dict[str, tuple[Field, Index]] = {}
        self._recent: dict[str, None] = {}

    def mint(self) -> str:
        """The next free id."""
        while (record_id := self._minter.mint()) in self.rows:
            pass
        return record_id

    def put(self, record_id: str, row: Row | None) -> Row | None:
        """Swap in a row (None: take it away) and return the one that was there."""
        before = self.rows.get(record_id)
        self._ensure_indexes()
        for field, index in self._indexes.values():
            old = None if before is None else before.get(field.name)
            new = None if row is None else row.get(field.name)
            if old != new:
                if old is not None:
                    index.discard(index_key(field, old), record_id)
                if new is not None:
                    index.add(index_key(field, new), record_id)
        if row is None:
            self.rows.pop(record_id, None)
            self._recent.pop(record_id, None)
            return before
        self.rows[record_id] = row
        if row["IsDeleted"]:
            self.deleted[record_id] = row["SystemModstamp"]
        else:
            self.deleted.pop(record_id, None)
        return before

    def touch(self, record_id: str) -> None:
        """Make a record the last modified one: called once that is certain, so that time only goes on."""
        self._recent.pop(record_id, None)
        self._recent[record_id] = None

    def _ensure_indexes(self) -> None:
        fields = self.definition.indexed
        if len(fields) == len(self._indexes):
            return
        for field in fields:
            if field.name not in self._indexes:
                index = Index()
                self._indexes[field.name] = (field, index)
                for record_id, row in self.rows.items():
                    if row.get(field.name) is not None:
                        index.add(index_key(field, row[field.name]), record_id)

    def find(self, field_name: str, value: Any) -> tuple[str, ...] | None:
        """Ids with this value in an indexed field, deleted ones among them; None when it is not indexed."""
        self._ensure_indexes()
        held = self._indexes.get(field_name)
        return None if held is None else held[1].find(index_key(held[0], value))

    def modified_since(self, at: str) -> Iterator[str]:
        """Ids whose SystemModstamp is `at` or later, newest first; `at` as `wire.instant` writes it."""
        for record_id in reversed(self._recent):
            if self.rows[record_id]["SystemModstamp"] < at:
                return
            yield record_id

    def live(self) -> Iterable[Row]:
        """All rows that are not in the recycle bin."""
        return (row for row in self.rows.values() if not row["IsDeleted"])


def address(row: Row, owner: SObject, compound: str) -> dict[str, Any] | None:
    """A compound address from its parts, or None when every part is empty."""
    stem = compound.removesuffix("Address")
    parts: dict[str, Any] = {}
    for part in (
        "City",
        "Country",
        "GeocodeAccuracy",
        "Latitude",
        "Longitude",
        "PostalCode",
        "State",
        "Street",
    ):
        value = row.get(stem + part) if owner.find(stem + part) is not None else None
        parts[part[0].lower() + part[1:]] = value
    return parts if any(value is not None for value in parts.values()) else None


def rendered(row: Row, owner: SObject, field: Field) -> Any:
    """A field's value as a reply carries it."""
    if field.type == "address":
        return address(row, owner, field.name)
    return bool(row.get(field.name)) if field.type == "boolean" else row.get(field.name)
