"""The org: its tables with sessions, and transactions that tell listeners what they changed."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from aiohttp import web

from connectors.sandbox.clock import Clock
from connectors.sandbox.salesforce import ids, notation, rules, sessions
from connectors.sandbox.salesforce.changes import Actor, Listener, RecordChange
from connectors.sandbox.salesforce.schema import Schema
from connectors.sandbox.salesforce.tables import Tables
from connectors.sandbox.salesforce.transactions import Transaction
from connectors.sandbox.salesforce.usage import Usage
from connectors.sandbox.salesforce.values import Row

SYSTEM_USER = "005S9000000AAAAIA4"


class Org(Tables):
    """One Salesforce org in memory.

    Programs outside the REST API (the demo company, tests) write with `create`, `update`, `delete` and
    `undelete`, each its own transaction, or with several writes in `with org.transaction(actor) as tx`.
    """

    def __init__(self, clock: Clock | None = None, *, schema: Schema | None = None) -> None:
        super().__init__(schema or Schema.standard())
        self.clock = clock or Clock()
        self._listeners: list[Listener] = []
        self.usage = Usage(self.now)
        self.org_id = self._first_records()
        self.sessions = sessions.Sessions(self.org_id, self.now)
        self.actor = Actor(self._integration_user())

    def now(self) -> datetime:
        """The sandbox's time, in UTC."""
        return self.clock.now()

    # --- writing

    def transaction(self, actor: Actor | None = None) -> Transaction:
        """Writes that commit together; `actor` is the integration user when not given."""
        return Transaction(self, actor or self.actor, self.now(), self.announce)

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

    def merge(
        self, winner_id: str, loser_ids: Sequence[str], fields: Mapping[str, Any] | None = None
    ) -> None:
        """Merge one or two records into another of their object, which takes the fields."""
        with self.transaction() as tx:
            tx.merge(winner_id, loser_ids, fields)

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

    # --- access

    def authenticate(self, request: web.Request) -> sessions.Session | None:
        """The session that a request's Authorization header names, while it is valid."""
        return self.sessions.of_header(request.headers.get("Authorization", ""))

    def expire_sessions(self) -> int:
        """Make every access token invalid; returns how many there were."""
        return self.sessions.expire_all()

    def _first_records(self) -> str:
        self.actor = Actor(SYSTEM_USER)
        own = {"Name": "Northwind Cloud Ltd", "Country": "GB", "InstanceName": "SBX1"}
        return self.create("Organization", own, record_id=ids.unlike_any("00D"))

    def _integration_user(self) -> str:
        user = {
            "Username": "integration@northwind.example",
            "FirstName": "Integration",
            "LastName": "User",
            "Email": "integration@northwind.example",
            "Alias": "integ",
        }
        return self.create("User", user)
