"""A SOQL query made ready against the org: which records it finds, and how each looks in the reply."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from connectors.sandbox.salesforce import soql_parser, soql_plan
from connectors.sandbox.salesforce.errors import SEE_WSDL, SalesforceError, not_for_events
from connectors.sandbox.salesforce.fields import Field
from connectors.sandbox.salesforce.records import Org
from connectors.sandbox.salesforce.schema import Child, SObject
from connectors.sandbox.salesforce.soql_filters import Filters, comparable
from connectors.sandbox.salesforce.soql_paths import Getter, Paths, Resolved
from connectors.sandbox.salesforce.soql_syntax import FieldsCall, Order, Path, Query
from connectors.sandbox.salesforce.soql_tokens import malformed, refusal
from connectors.sandbox.salesforce.storage import Table
from connectors.sandbox.salesforce.values import Row

MAX_OFFSET = 2000
Nested = Callable[["Prepared", list[str]], Any]


@dataclass(slots=True)
class Shape:
    """What a reply shows of a record: fields, parents (each a shape of its own) and child lists, in order."""

    owner: SObject
    fields: dict[str, Getter] = field(default_factory=dict)
    parents: dict[str, "tuple[Field, Shape]"] = field(default_factory=dict)
    children: dict[str, "tuple[Child, Prepared]"] = field(default_factory=dict)
    order: list[str] = field(default_factory=list)


class Prepared:
    """One query, checked and ready to run; raises SalesforceError where Salesforce would refuse it."""

    def __init__(self, org: Org, query: Query, *, source: str, sees_deleted: bool) -> None:
        definition = org.schema.find(source)
        if definition is None:
            advice = SEE_WSDL.format(kind="object", name="entity")
            raise refusal(
                "INVALID_TYPE", query.text, query.at, f"sObject type '{source}' is not supported. {advice}"
            )
        if definition.is_event:
            raise not_for_events(definition.name, "query")
        if query.offset > MAX_OFFSET:
            raise SalesforceError(
                "NUMBER_OUTSIDE_VALID_RANGE", f"Maximum SOQL offset allowed is {MAX_OFFSET}"
            )
        self.table: Table = org.table(definition.name)
        self.query = query
        self._org = org
        self._sees_deleted = sees_deleted
        self._paths = Paths(org, definition, query, sees_deleted=sees_deleted)
        self._filters = Filters(org, self._paths, query.text, self._values_of)
        self._holds = None if query.where is None else self._filters.compile(query.where)
        self._orders = [self._order_key(order) for order in query.orders]
        self.shape = self._shape(definition)

    def find(self, among: Iterable[str] | None = None) -> list[str]:
        """Ids of the records that the query finds, in order; only `among` these when given."""
        if among is None:
            among = soql_plan.candidates(self.table, self._filters, self.query.where)
        found = (record_id for record_id in among if self._accepts(record_id))
        start, limit = self.query.offset, self.query.limit
        end = None if limit is None else start + limit
        if not self._orders:
            return list(islice(found, start, end))
        ordered = list(found)
        for key, is_descending in reversed(self._orders):
            ordered.sort(key=key, reverse=is_descending)
        return ordered[start:end]

    def render(self, record_id: str, version: str, nested: Nested) -> dict[str, Any]:
        """A record as the reply shows it; `nested` makes the reply of a child list from its ids."""
        return self._render(self.shape, self.table.rows[record_id], version, nested)

    def _accepts(self, record_id: str) -> bool:
        row = self.table.rows.get(record_id)
        if row is None or (row["IsDeleted"] and not self._sees_deleted) or self._org.is_hidden(record_id):
            return False
        return self._holds is None or self._holds(row)

    def _order_key(self, order: Order) -> tuple[Callable[[str], Any], bool]:
        found = self._paths.filterable(order.path, "sorted")
        get, target, rows = self._paths.getter(found), found.field, self.table.rows
        null_rank = 1 if order.has_nulls_last is not order.is_descending else -1

        def key(record_id: str) -> tuple[int, Any]:
            value = comparable(target, get(rows[record_id]))
            return (null_rank, 0) if value is None else (0, value)

        return key, order.is_descending

    def _values_of(self, query: Query, outer: Field) -> set[Any]:
        prepared = Prepared(self._org, query, source=query.source, sees_deleted=self._sees_deleted)
        if len(query.items) != 1 or not isinstance(query.items[0], Path):
            raise malformed(query.text, query.at, "A semi-join sub-query must select exactly one field")
        found = prepared._paths.resolve(query.items[0])
        if {outer.type, found.field.type} - {"id", "reference"}:
            message = "Semi join sub-selects can only query id fields, cannot use: " + found.field.name
            raise refusal("INVALID_FIELD", query.text, query.items[0].at, message)
        get = prepared._paths.getter(found)
        rows = prepared.table.rows
        return {get(rows[record_id]) for record_id in prepared.find()} - {None}

    # --- the shape of the reply

    def _shape(self, definition: SObject) -> Shape:
        shape = Shape(definition)
        for item in self.query.items:
            match item:
                case Path():
                    self._select(shape, self._paths.resolve(item))
                case FieldsCall():
                    for each in definition.fields.values():
                        if item.kind == "ALL" or each.is_custom is (item.kind == "CUSTOM"):
                            self._select(shape, Resolved((), definition, each))
                case Query():
                    child = self._paths.child(item)
                    nested = Prepared(
                        self._org, item, source=child.object_name, sees_deleted=self._sees_deleted
                    )
                    name = child.name or item.source
                    shape.children[name] = (child, nested)
                    shape.order.append(name)
        return shape

    def _select(self, shape: Shape, found: Resolved) -> None:
        for hop in found.hops:
            name = str(hop.relationship_name)
            if name not in shape.parents:
                parent = self._org.table(hop.reference_to[0]).definition
                shape.parents[name] = (hop, Shape(parent))
                shape.order.append(name)
            shape = shape.parents[name][1]
        if found.field.name not in shape.fields:
            shape.fields[found.field.name] = self._paths.getter(Resolved((), found.owner, found.field))
            shape.order.append(found.field.name)

    def _render(self, shape: Shape, row: Row, version: str, nested: Nested) -> dict[str, Any]:
        owner = shape.owner.name
        url = f"/services/data/v{version}/sobjects/{owner}/{row['Id']}"
        shown: dict[str, Any] = {"attributes": {"type": owner, "url": url}}
        for name in shape.order:
            if name in shape.fields:
                shown[name] = shape.fields[name](row)
            elif name in shape.parents:
                hop, parent_shape = shape.parents[name]
                parent = self._paths.parent(row.get(hop.name))
                shown[name] = None if parent is None else self._render(parent_shape, parent, version, nested)
            else:
                child, query = shape.children[name]
                among = query.table.find(child.field_name, row["Id"]) or ()
                shown[name] = nested(query, query.find(among))
        return shown


def prepare(org: Org, text: str, *, sees_deleted: bool = False) -> Prepared:
    """Parse and check a query; raises SalesforceError."""
    query = soql_parser.parse(text)
    return Prepared(org, query, source=query.source, sees_deleted=sees_deleted)
