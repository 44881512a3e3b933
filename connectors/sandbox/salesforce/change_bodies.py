"""The body of a change event: which fields it carries, in which shape (Change Event Body Fields)."""

import difflib
import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from connectors.sandbox.salesforce import notation
from connectors.sandbox.salesforce.fields import Field
from connectors.sandbox.salesforce.schema import SObject

Row = Mapping[str, Any]
LARGE_TEXT = 1_000
EXCLUDED = frozenset({"Id", "IsDeleted", "SystemModstamp", "LastViewedDate", "LastReferencedDate"})
PERSON_PARTS = frozenset({"Salutation", "FirstName", "MiddleName", "LastName", "Suffix"})


def whole(owner: SObject, row: Row) -> dict[str, Any]:
    """The body of CREATE and UNDELETE: every field with a value."""
    return _body(
        owner, {field.name: row[field.name] for field in _captured(owner) if row.get(field.name) is not None}
    )


def some(owner: SObject, row: Row, names: Iterable[str]) -> dict[str, Any]:
    """These fields of a record where they have a value, as a body has them."""
    return _body(owner, {name: row[name] for name in names if row.get(name) is not None})


def changed(owner: SObject, before: Row, after: Row) -> tuple[dict[str, Any], list[str]]:
    """The body of UPDATE and its changedFields: what changed, null where emptied, and LastModifiedDate."""
    differing = {
        field.name: _new_value(before.get(field.name), after.get(field.name))
        for field in _captured(owner)
        if before.get(field.name) != after.get(field.name) and field.name != "LastModifiedDate"
    }
    if not differing:
        return {}, []
    differing["LastModifiedDate"] = after.get("LastModifiedDate")
    return _body(owner, differing), [".".join(_place(owner, name)) for name in differing]


def _captured(owner: SObject) -> list[Field]:
    return [
        field
        for field in owner.fields.values()
        if field.name not in EXCLUDED and not field.is_derived and field.type != "address"
    ]


def _body(owner: SObject, values: dict[str, Any]) -> dict[str, Any]:
    body: dict[str, Any] = {}
    for name, value in values.items():
        field = owner.find(name)
        written = event_time(value) if field is not None and field.type == "datetime" else value
        place = _place(owner, name)
        if len(place) == 1:
            body[name] = written
        else:
            body.setdefault(place[0], {})[place[1]] = written
    return body


def _place(owner: SObject, name: str) -> tuple[str, ...]:
    """Where a field stands in the body: nested in its compound field, there without the compound's stem."""
    if name in PERSON_PARTS and owner.find("LastName") is not None:
        return "Name", name
    field = owner.find(name)
    if field is None or field.compound is None:
        return (name,)
    return field.compound, name.removeprefix(field.compound.removesuffix("Address"))


def event_time(value: Any) -> Any:
    """A dateTime as events carry it: milliseconds and Z."""
    at = notation.parse_instant(value) if isinstance(value, str) else None
    return value if at is None else f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z"


def _new_value(before: Any, after: Any) -> Any:
    if not (isinstance(before, str) and isinstance(after, str) and len(after) > LARGE_TEXT):
        return after
    old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
    lines = list(difflib.unified_diff(old, new, n=0))[2:]
    head = f"--- \n+++ {hashlib.sha256(after.encode()).hexdigest()}\n"
    return {"diff": head + "".join(line if line.endswith("\n") else f"{line}\n" for line in lines)}
