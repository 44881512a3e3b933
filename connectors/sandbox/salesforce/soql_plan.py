"""Which rows a query has to look at: by id, by an indexed value, by last modification, or all of them."""

from collections.abc import Iterable
from typing import Any

from connectors.sandbox.salesforce.fields import Field
from connectors.sandbox.salesforce.schema import SObject
from connectors.sandbox.salesforce.soql_filters import Filters
from connectors.sandbox.salesforce.soql_syntax import (
    Both,
    Comparison,
    Condition,
    LiteralKind,
    Membership,
    Path,
)
from connectors.sandbox.salesforce.storage import Table

_STAMPS = frozenset({"systemmodstamp", "lastmodifieddate"})


def candidates(table: Table, filters: Filters, where: Condition | None) -> Iterable[str]:
    """Ids among which every row that `where` accepts is found; the caller still tests each."""
    parts = where.parts if isinstance(where, Both) else () if where is None else (where,)
    best: list[str] | None = None
    for part in parts:
        found = _by_value(table, filters, part)
        if found is not None and (best is None or len(found) < len(best)):
            best = found
    if best is not None:
        return best
    for part in parts:
        since = _since(table.definition, filters, part)
        if since is not None:
            return list(table.modified_since(since))[::-1]
    return list(table.rows)


def _by_value(table: Table, filters: Filters, part: Condition) -> list[str] | None:
    field = None
    wanted: Iterable[Any] = ()
    match part:
        case Comparison(path, "=", literal) if literal.kind is LiteralKind.STRING:
            field = _direct(table.definition, path)
            wanted = (filters.value(field, literal),) if field is not None else ()
        case Membership(path, is_negated=False, is_multiple=False):
            field = _direct(table.definition, path)
            wanted = filters.members(field, part) if field is not None else ()
        case _:
            return None
    if field is None or any(value is None for value in wanted):
        return None
    if field.name == "Id":
        return [value for value in dict.fromkeys(wanted) if value in table.rows]
    found: dict[str, None] = {}
    for value in wanted:
        found.update(dict.fromkeys(table.find(field.name, value) or ()))
    return list(found)


def _direct(owner: SObject, path: Path) -> Field | None:
    field = owner.find(path.names[0]) if len(path.names) == 1 else None
    return field if field is not None and (field.name == "Id" or field.is_indexed) else None


def _since(owner: SObject, filters: Filters, part: Condition) -> str | None:
    if not isinstance(part, Comparison) or part.operator not in {">", ">=", "="}:
        return None
    if part.literal.kind is not LiteralKind.DATETIME or str(part.path).lower() not in _STAMPS:
        return None
    field = owner.find(str(part.path))
    return None if field is None else str(filters.value(field, part.literal))
