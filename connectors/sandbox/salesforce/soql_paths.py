"""From a field path in a query to the field it names and a function that reads it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from connectors.sandbox.salesforce.errors import SEE_WSDL, SalesforceError
from connectors.sandbox.salesforce.fields import Field
from connectors.sandbox.salesforce.records import Org
from connectors.sandbox.salesforce.schema import Child, SObject
from connectors.sandbox.salesforce.soql_syntax import Path, Query
from connectors.sandbox.salesforce.soql_tokens import refusal
from connectors.sandbox.salesforce.storage import rendered
from connectors.sandbox.salesforce.values import Row

Getter = Callable[[Row], Any]
MAX_LEVELS = 5


@dataclass(frozen=True, slots=True)
class Resolved:
    """A field of `owner`, reached over `hops` from the object that is queried."""

    hops: tuple[Field, ...]
    owner: SObject
    field: Field


class Paths:
    """Resolves the paths of one query against its object."""

    def __init__(self, org: Org, owner: SObject, query: Query, *, sees_deleted: bool) -> None:
        self._org = org
        self._owner = owner
        self._query = query
        self._sees_deleted = sees_deleted

    def resolve(self, path: Path) -> Resolved:
        """The field behind a path; raises INVALID_FIELD as Salesforce words it."""
        names = path.names
        if len(names) > 1 and names[0].lower() in {self._query.alias.lower(), self._owner.name.lower()} - {
            ""
        }:
            names = names[1:]
        owner = self._owner
        hops: list[Field] = []
        for name in names[:-1]:
            hop = owner.parents.get(name.lower())
            parent = None if hop is None else self._org.schema.find(hop.reference_to[0])
            if hop is None or parent is None or len(hops) == MAX_LEVELS:
                raise self._refuse(path, _unknown_relationship(name, "field path"))
            hops.append(hop)
            owner = parent
        field = owner.find(names[-1])
        if field is None:
            advice = SEE_WSDL.format(kind="field", name="custom field")
            raise self._refuse(path, f"No such column '{names[-1]}' on entity '{owner.name}'. {advice}")
        return Resolved(tuple(hops), owner, field)

    def filterable(self, path: Path, verb: str) -> Resolved:
        """The same, for a field that conditions and orders may name: no address, no long text."""
        found = self.resolve(path)
        if found.field.type == "address" or (found.field.type == "textarea" and found.field.length > 255):
            raise self._refuse(path, f"field '{found.field.name}' can not be {verb} in a query call")
        return found

    def getter(self, found: Resolved) -> Getter:
        """A function from a row of the queried object to the value; None where a parent is missing."""
        owner, field = found.owner, found.field
        if found.hops:
            return self._through(found.hops, lambda row: rendered(row, owner, field))
        return lambda row: rendered(row, owner, field)

    def _through(self, hops: tuple[Field, ...], read: Getter) -> Getter:
        names = [hop.name for hop in hops]

        def value(row: Row) -> Any:
            for name in names:
                parent = self.parent(row.get(name))
                if parent is None:
                    return None
                row = parent
            return read(row)

        return value

    def parent(self, record_id: str | None) -> Row | None:
        """The record that a reference leads to, as far as this query may see it."""
        if record_id is None or self._org.is_hidden(record_id):
            return None
        if self._sees_deleted:
            return self._org.table_of_id(record_id).rows.get(record_id)
        return self._org.row(record_id)

    def child(self, query: Query) -> Child:
        """The child relationship that a sub-query reads; raises INVALID_TYPE."""
        child = self._owner.children.get(query.source.lower().removeprefix(f"{self._owner.name.lower()}."))
        if child is None:
            message = _unknown_relationship(query.source, "FROM part of query call")
            raise refusal("INVALID_TYPE", query.text, query.at, message)
        return child

    def _refuse(self, path: Path, message: str) -> SalesforceError:
        return refusal("INVALID_FIELD", self._query.text, path.at, message)


def _unknown_relationship(name: str, where: str) -> str:
    advice = SEE_WSDL.format(kind="relationship", name="custom relationship").replace("'__c'", "'__r'")
    return f"Didn't understand relationship '{name}' in {where}. {advice}"
