"""The members of a custom channel: an object, which of its changes pass, and which fields are added.

Change Data Capture guide: Filter Expression Format, Change Event Filters, Enrich Change Events with Extra
Fields. A filter's own fields are added too. Of the header's fields only = and != are emulated.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from connectors.sandbox.salesforce import change_bodies, soql_parser
from connectors.sandbox.salesforce.errors import SalesforceError
from connectors.sandbox.salesforce.records import Org
from connectors.sandbox.salesforce.schema import SObject
from connectors.sandbox.salesforce.soql_filters import Filters, Predicate
from connectors.sandbox.salesforce.soql_paths import Paths
from connectors.sandbox.salesforce.soql_syntax import (
    Both,
    Comparison,
    Condition,
    Either,
    LiteralKind,
    Membership,
    Negation,
    Path,
    Query,
)
from connectors.sandbox.salesforce.soql_tokens import unescaped
from connectors.sandbox.salesforce.values import Row

HEADER = "ChangeEventHeader"
_HEADER_FIELDS = {
    name.lower(): name
    for name in (
        "changeOrigin",
        "changeType",
        "commitNumber",
        "commitTimestamp",
        "commitUser",
        "entityName",
        "sequenceNumber",
        "transactionKey",
    )
}
_COMPARED: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda value, wanted: bool(value == wanted),
    "!=": lambda value, wanted: bool(value != wanted),
}


@dataclass(frozen=True, slots=True)
class Member:
    """An object on a custom channel. `added`: fields that its updates and deletes carry unasked."""

    owner: SObject
    holds: Predicate | None
    added: tuple[str, ...]

    @property
    def is_plain(self) -> bool:
        """Whether its events look as on any other channel."""
        return self.holds is None and not self.added

    def passes(self, row: Row, header: dict[str, Any]) -> bool:
        """Whether the change of this record is heard."""
        return self.holds is None or self.holds({**row, HEADER: header})

    def enriched(self, body: dict[str, Any], row: Row | None) -> dict[str, Any]:
        """The body with the added fields that are not empty; what changed stays as it is in the event."""
        extra = change_bodies.some(self.owner, row or {}, self.added)
        both = {
            name: {**extra[name], **body[name]}
            for name in extra.keys() & body.keys()
            if isinstance(extra[name], dict) and isinstance(body[name], dict)
        }
        return {**extra, **body, **both}


def member(org: Org, object_name: str, expression: str | None, added: Sequence[str]) -> Member:
    """A member as it is declared; raises SalesforceError for a filter or a field that cannot be."""
    owner = org.table(object_name).definition
    names = [_field(owner, name) for name in added]
    if not expression:
        return Member(owner, None, tuple(names))
    text = f"SELECT Id FROM {owner.name} WHERE {expression}"  # noqa: S608 - SOQL of an administrator, parsed here
    query = soql_parser.parse(text)
    if query.where is None or query.orders or query.limit is not None or query.offset:
        raise _refused(f"{expression} is no filter expression")
    names += [_field(owner, ".".join(path.names)) for path in _paths(query.where) if not _is_header(path)]
    return Member(owner, _Filter(org, owner, query).compile(query.where), tuple(dict.fromkeys(names)))


class _Filter(Filters):
    """Conditions over a record and the header of its change event."""

    def __init__(self, org: Org, owner: SObject, query: Query) -> None:
        paths = Paths(org, owner, query, sees_deleted=True)
        super().__init__(org, paths, query.text, lambda _query, _field: set())
        self._query_text = query.text

    def _comparison(self, test: Comparison) -> Predicate:
        if not _is_header(test.path):
            return super()._comparison(test)
        name, compare = _header_field(test.path), _COMPARED.get(test.operator)
        if compare is None:
            raise _refused(f"operator {test.operator} is not supported on {HEADER} fields here")
        wanted = test.literal.value
        if test.literal.kind is LiteralKind.STRING:
            wanted = unescaped(str(wanted), self._query_text, test.literal.at).lower()
        return lambda row: compare(_comparable(row[HEADER].get(name)), wanted)

    def _membership(self, test: Membership) -> Predicate:
        if _is_header(test.path):
            raise _refused(f"IN is not supported on {HEADER} fields here")
        return super()._membership(test)


def _comparable(value: Any) -> Any:
    if isinstance(value, str):
        return value.lower()
    return Decimal(value) if isinstance(value, int) else value


def _paths(condition: Condition) -> list[Path]:
    match condition:
        case Both(parts) | Either(parts):
            return [path for part in parts for path in _paths(part)]
        case Negation():
            raise _refused("NOT is not supported in a filter expression")
        case Membership(among=Query()):
            raise _refused("sub-selects are not supported in a filter expression")
        case Comparison(literal=literal) if literal.kind is LiteralKind.NAMED:
            raise _refused(f"date literals such as {literal.value} are not supported in a filter expression")
        case Comparison(path) | Membership(path):
            return [path]


def _is_header(path: Path) -> bool:
    return path.names[0].lower() == HEADER.lower()


def _header_field(path: Path) -> str:
    found = _HEADER_FIELDS.get(path.names[1].lower()) if len(path.names) == 2 else None
    if found is None:
        raise _refused(f"{'.'.join(path.names)} is not supported in a filter expression")
    return found


def _field(owner: SObject, name: str) -> str:
    field = owner.find(name)
    if field is None:
        raise _refused(f"No such field '{name}' on entity '{owner.name}'")
    return field.name


def _refused(message: str) -> SalesforceError:
    return SalesforceError("INVALID_FIELD", message)
