"""Which queries a PushTopic may have (Streaming API guide, Supported and Unsupported PushTopic Queries).

The refusals that the guide words are in its words; those of an object, a missing Id and of too few fields are
not worded there, and ours are inferred.
"""

from collections.abc import Iterator
from decimal import Decimal
from itertools import pairwise

from connectors.sandbox.salesforce import soql_parser
from connectors.sandbox.salesforce.errors import SalesforceError
from connectors.sandbox.salesforce.schema import Schema, SObject
from connectors.sandbox.salesforce.soql_syntax import (
    Both,
    Comparison,
    Condition,
    Either,
    Membership,
    Negation,
    Path,
    Query,
)
from connectors.sandbox.salesforce.soql_tokens import TokenKind, tokens
from connectors.sandbox.salesforce.values import Row

AFTER_VERSION = Decimal(20)
# Of the standard objects that the guide lists, those that this org has; every custom object is supported.
SUPPORTED = frozenset({"Account", "Contact", "Lead", "Opportunity"})
_AGGREGATES = frozenset({"AVG", "COUNT", "COUNT_DISTINCT", "MAX", "MIN", "SUM"})


def check(schema: Schema, row: Row) -> None:
    """Refuse a PushTopic that could never notify; raises SalesforceError."""
    if row["ApiVersion"] <= AFTER_VERSION:
        message = f"The API version must be greater than {AFTER_VERSION}.0: {row['ApiVersion']}"
        raise SalesforceError("INVALID_FIELD", message, ("ApiVersion",))
    query = parse(str(row["Query"]))
    owner = schema.find(query.source)
    if owner is None or not (owner.name in SUPPORTED or owner.name.endswith("__c")):
        raise _refused(f"entity type {query.source} is not supported in PushTopic queries")
    chosen, filtered = selected(query, owner), conditions(query, owner)
    if "Id" not in chosen:
        raise _refused("the Id field must be in the SELECT clause")
    for name in filtered:
        field = owner.find(name)
        if field is not None and field.type == "textarea":
            raise _refused(f"field '{name}' can not be filtered in a query call")
    evaluated = {"Referenced": chosen | filtered, "Select": chosen, "Where": filtered}
    among = evaluated.get(str(row.get("NotifyForFields") or "Referenced"))
    if among is not None and not among - {"Id"}:
        raise _refused(f"NotifyForFields {row.get('NotifyForFields')} needs a field other than Id")


def parse(text: str) -> Query:
    """The query of a PushTopic; raises SalesforceError for every clause that it may not have."""
    words = tokens(text)
    for token, after in pairwise(words):
        if token.kind is not TokenKind.NAME:
            continue
        if token.text.upper() in _AGGREGATES and after.text == "(":
            raise _refused("Aggregate queries are not supported")
        if token.is_word("GROUP") and after.is_word("BY"):
            raise _refused("Aggregate queries are not supported")
    query = soql_parser.parse(text)
    if query.orders:
        raise _refused("'ORDER BY' clause is not allowed")
    if query.limit is not None:
        raise _refused("'LIMIT' is not allowed")
    if query.offset or any(token.is_word("OFFSET") for token in words):
        raise _refused("'OFFSET' is not allowed")
    return query


def selected(query: Query, owner: SObject) -> set[str]:
    """The fields of the SELECT clause."""
    found = set()
    for item in query.items:
        if not isinstance(item, Path):
            raise _refused("relationships are not supported")
        found.add(_field(item, owner))
    return found


def conditions(query: Query, owner: SObject) -> set[str]:
    """The fields of the WHERE clause."""
    return set() if query.where is None else {_field(path, owner) for path in _paths(query.where)}


def _paths(condition: Condition) -> Iterator[Path]:
    match condition:
        case Both(parts) | Either(parts):
            for part in parts:
                yield from _paths(part)
        case Negation():
            raise _refused("'NOT' is not supported")
        case Membership(path, among=Query()):
            raise _refused("semi/anti join sub-selects are not supported")
        case Comparison(path) | Membership(path):
            yield path


def _field(path: Path, owner: SObject) -> str:
    if len(path.names) > 1:
        raise _refused("relationships are not supported")
    field = owner.find(path.names[0])
    if field is None:
        raise _refused(f"No such column '{path}' on entity '{owner.name}'")
    return field.name


def _refused(message: str) -> SalesforceError:
    return SalesforceError("INVALID_FIELD", message, ("Query",))
