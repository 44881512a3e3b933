"""What an org holds below its rules and transactions: tables, schema, numbering, and what is hidden."""

from collections.abc import Callable, Sequence
from typing import Any

from connectors.sandbox.salesforce import ids, values
from connectors.sandbox.salesforce.errors import SalesforceError, unknown_type
from connectors.sandbox.salesforce.fields import Field
from connectors.sandbox.salesforce.row_rules import RowRules
from connectors.sandbox.salesforce.schema import Schema, SObject
from connectors.sandbox.salesforce.storage import Table, index_key
from connectors.sandbox.salesforce.values import Row


class Tables:
    """The rows of every object, found by name, by record id or by value.

    `binned_with` names, for a deleted record, the transaction that deleted it: undelete brings back together
    what went together. `checks`: what refuses a row of an object before it is stored.
    """

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self.row_rules = RowRules(schema)
        self.binned_with: dict[str, str] = {}
        self.checks: dict[str, Callable[[Row], None]] = {}
        self._tables: dict[str, Table] = {}
        self._hidden: set[str] = set()
        self._numbers: dict[str, int] = {}

    def table(self, object_name: str) -> Table:
        """The rows of an object; raises SalesforceError INVALID_TYPE when there is none of this name."""
        table = self._tables.get(object_name)
        return table if table is not None else self._open_table(object_name)

    def _open_table(self, object_name: str) -> Table:
        definition = self.schema.find(object_name)
        if definition is None:
            raise unknown_type(object_name)
        if definition.name not in self._tables:
            self._tables[definition.name] = Table(definition, ids.Minter(definition.key_prefix))
        return self._tables[definition.name]

    def table_of_id(self, record_id: str) -> Table:
        """The table that a record id belongs to; raises SalesforceError when no object has its prefix."""
        definition = self.schema.of_id(record_id)
        if definition is None:
            raise SalesforceError("INVALID_ID_FIELD", f"invalid id: {record_id}", ())
        return self.table(definition.name)

    def row(self, record_id: str | None) -> Row | None:
        """A record that is not deleted, by its 18-character id; only fields that have a value are in it."""
        definition = None if record_id is None else self.schema.of_id(record_id)
        if definition is None or record_id is None:
            return None
        row = self.table(definition.name).rows.get(record_id)
        return None if row is None or row["IsDeleted"] else row

    def matches(self, owner: SObject, by: Field, value: Any) -> list[str]:
        """Ids of the live, visible records with this value in an indexed field (or with this Id).

        The value is as a request gives it; raises SalesforceError when it does not fit the field.
        """
        table = self.table(owner.name)
        if by.name == "Id":
            found: Sequence[str] = [ids.normalize(value) or ""]
        else:
            wanted = values.coerce(by, value)
            found = () if wanted is None else table.find(by.name, wanted) or ()
        return [each for each in found if self.row(each) is not None and not self.is_hidden(each)]

    def check(self, object_name: str, row: Row) -> None:
        """Refuse a row that is about to be stored, where its object has a check; raises SalesforceError."""
        refuse = self.checks.get(object_name)
        if refuse is not None:
            refuse(row)
        owner = self.table(object_name).definition
        self.row_rules.check(owner, row)
        if "Id" not in row:
            self.row_rules.check_duplicates(
                owner, row, lambda field, value: self._is_held(owner, field, value)
            )

    def _is_held(self, owner: SObject, field_name: str, value: Any) -> bool:
        wanted = index_key(owner.fields[field_name.lower()], value)
        rows = self.table(owner.name).live()
        return any(index_key(owner.fields[field_name.lower()], row.get(field_name)) == wanted for row in rows)

    def next_number(self, object_name: str) -> str:
        """The next value of an object's auto-number."""
        self._numbers[object_name] = self._numbers.get(object_name, 99) + 1
        return f"{self._numbers[object_name]:08d}"

    def hide(self, record_id: str) -> None:
        """Make a record inaccessible to whoever calls the API."""
        self._hidden.add(ids.normalize(record_id) or record_id)

    def show(self, record_id: str) -> None:
        """Make a hidden record accessible again."""
        self._hidden.discard(ids.normalize(record_id) or record_id)

    def is_hidden(self, record_id: str) -> bool:
        """Whether the record was made inaccessible."""
        return bool(self._hidden) and record_id in self._hidden
