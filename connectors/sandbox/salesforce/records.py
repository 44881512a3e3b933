"""The org: its tables, who may see what, and transactions that tell listeners what they changed."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from connectors.sandbox.clock import Clock
from connectors.sandbox.salesforce import ids, notation, rules, sessions, values
from connectors.sandbox.salesforce.changes import Actor, Listener, RecordChange
from connectors.sandbox.salesforce.errors import SalesforceError, unknown_type
from connectors.sandbox.salesforce.fields import Field
from connectors.sandbox.salesforce.schema import Schema, SObject
from connectors.sandbox.salesforce.storage import Table
from connectors.sandbox.salesforce.transactions import Transaction
from connectors.sandbox.salesforce.usage import Usage
from connectors.sandbox.salesforce.values import Row

if TYPE_CHECKING:
    from aiohttp import web

SYSTEM_USER = "005S9000000AAAAIA4"


class Org:
    """One Salesforce org in memory.

    Programs outside the REST API (the demo company, tests) write with `create`, `update`, `delete` and
    `undelete`, each its own transaction, or with several writes in `with org.transaction(actor) as tx`.
    """

    def __init__(self, clock: Clock | None = None, *, schema: Schema | None = None) -> None:
        self.clock = clock or Clock()
        self.schema = schema or Schema.standard()
        self.binned_with: dict[str, str] = {}
        self._tables: dict[str, Table] = {}
        self._listeners: list[Listener] = []
        self._hidden: set[str] = set()
        self._numbers: dict[str, int] = {}
        self.usage = Usage(self.now)
        self.org_id = self._first_records()
        self.sessions = sessions.Sessions(self.org_id, self.now)
        self.actor = Actor(self._integration_user())

    def now(self) -> datetime:
        """The sandbox's time, in UTC."""
        return self.clock.now()

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

    # --- writing

    def transaction(self, actor: Actor | None = None) -> Transaction:
        """Writes that commit together; `actor` is the integration user when not given."""
        return Transaction(self, actor or self.actor)

    def create(self, object_name: str, fields: Mapping[str, Any], *, record_id: str | None = None) -> str:
        """Create one record in its own transaction; returns its id."""
        with self.transaction() as tx:
            return tx.create(object_name, fields, record_id=record_id)

    def update(self, object_name: str, record_id: str, fields: Mapping[str, Any]) -> None:
        """Update one record in its own transaction."""
        with self.transaction() as tx:
            tx.update(object_name, record_id, fields)

    def delete(self, object_name: str, record_id: str) -> None:
        """Put one record into the recycle bin."""
        with self.transaction() as tx:
            tx.delete(object_name, record_id)

    def undelete(self, object_name: str, record_id: str) -> None:
        """Bring one record back from the recycle bin."""
        with self.transaction() as tx:
            tx.undelete(object_name, record_id)

    def empty_bin(self, object_name: str, record_id: str) -> None:
        """Delete one record for good."""
        with self.transaction() as tx:
            tx.empty_bin(object_name, record_id)

    def load(self, object_name: str, rows: Iterable[Mapping[str, Any]]) -> list[str]:
        """Store trusted rows in bulk, without checks and change events: data from before the stream.

        Values are in stored form (Decimal with a fraction, ISO dates); computed fields and stamps are added.
        """
        table, at = self.table(object_name), notation.instant(self.now())
        user = self.actor.user_id
        stamps = {"CreatedDate": at, "CreatedById": user, "LastModifiedDate": at, "LastModifiedById": user}
        loaded: list[str] = []
        for given in rows:
            record_id = given.get("Id") or table.mint()
            row: Row = {"Id": record_id, "IsDeleted": False, **given, **stamps, "SystemModstamp": at}
            rules.derive(self, table.definition.name, row, given)
            for other_id, other in ((record_id, row), *rules.ripple(self, table.definition.name, row)):
                self.table_of_id(other_id).put(other_id, other)
            table.touch(record_id)
            loaded.append(record_id)
        return loaded

    def on_commit(self, listener: Listener) -> None:
        """Call `listener` with the changes of every transaction, before the writer gets its answer."""
        self._listeners.append(listener)

    def announce(self, changes: Sequence[RecordChange]) -> None:
        """Tell the listeners."""
        for listener in self._listeners:
            listener(changes)

    def next_number(self, object_name: str) -> str:
        """The next value of an object's auto-number."""
        self._numbers[object_name] = self._numbers.get(object_name, 99) + 1
        return f"{self._numbers[object_name]:08d}"

    # --- access

    def hide(self, record_id: str) -> None:
        """Make a record inaccessible to whoever calls the API."""
        self._hidden.add(ids.normalize(record_id) or record_id)

    def show(self, record_id: str) -> None:
        """Make a hidden record accessible again."""
        self._hidden.discard(ids.normalize(record_id) or record_id)

    def is_hidden(self, record_id: str) -> bool:
        """Whether the record was made inaccessible."""
        return bool(self._hidden) and record_id in self._hidden

    def authenticate(self, request: "web.Request") -> sessions.Session | None:
        """The session that a request's Authorization header names, while it is valid."""
        return self.sessions.of_header(request.headers.get("Authorization", ""))

    def expire_sessions(self) -> int:
        """Make every access token invalid; returns how many there were."""
        return self.sessions.expire_all()

    def _first_records(self) -> str:
        self.actor = Actor(SYSTEM_USER)
        return self.create(
            "Organization", {"Name": "Northwind Cloud Ltd", "Country": "GB", "InstanceName": "SBX1"}
        )

    def _integration_user(self) -> str:
        user = {
            "Username": "integration@northwind.example",
            "FirstName": "Integration",
            "LastName": "User",
            "Email": "integration@northwind.example",
            "Alias": "integ",
        }
        return self.create("User", user)
