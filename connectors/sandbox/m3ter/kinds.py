"""The kinds of m3ter entity as data: path, page size, fields, filters and event name, from kinds/*.toml."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from importlib import resources
from typing import Any

EVERY_OPERATION = ("list", "create", "get", "update", "delete")


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """What one field may hold.

    `type` is string, code (no control characters, no white space but inner spaces), name (a letter, `_`
    or `$` first, then digits too), date, date-time, email, number, integer, boolean, list, object, map
    (string to string) or custom (string to string or number). `least` and `most` bound a number, a text's
    length or a list's size.
    """

    type: str = "string"
    is_required: bool = False
    least: Decimal | None = None
    most: Decimal | None = None
    above: Decimal | None = None
    one_of: tuple[str, ...] = ()
    pattern: re.Pattern[str] | None = None
    items: "Field | None" = None
    parts: "Mapping[str, Field] | None" = None
    refers: str = ""
    default: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of entity. `lists` are filters that take several values, `equals` those that take one."""

    name: str
    path: str
    page_size: int
    event: str
    operations: tuple[str, ...]
    fields: Mapping[str, Field]
    unique: tuple[str, ...]
    lists: Mapping[str, str]
    equals: Mapping[str, str]
    searchable: tuple[str, ...]
    indexed: tuple[str, ...]

    @property
    def references(self) -> dict[str, str]:
        """Field name to the kind that it names, for fields whose value or items are ids."""
        found = {
            name: field.refers or (field.items.refers if field.items else "")
            for name, field in self.fields.items()
        }
        return {name: kind for name, kind in found.items() if kind}


@cache
def every_kind() -> Mapping[str, Kind]:
    """All kinds by name, in the order of the data files."""
    documents = [
        tomllib.loads(entry.read_text("utf-8"), parse_float=Decimal)
        for entry in sorted(
            resources.files(__package__).joinpath("kinds").iterdir(), key=lambda entry: entry.name
        )
        if entry.name.endswith(".toml")
    ]
    objects = {name: body for document in documents for name, body in document.pop("objects", {}).items()}
    return {name: _kind(name, body, objects) for document in documents for name, body in document.items()}


def _kind(name: str, body: dict[str, Any], objects: dict[str, Any]) -> Kind:
    fields = {key: _field(spec, objects) for key, spec in body.get("fields", {}).items()}
    if body.get("custom_fields"):
        fields["customFields"] = Field(type="custom", most=Decimal(100))
    lists, equals = body.get("lists", {}), body.get("equals", {})
    refers = [key for key, field in fields.items() if field.refers or (field.items and field.items.refers)]
    indexed = {
        *refers,
        *lists.values(),
        *equals.values(),
        *body.get("unique", ()),
        *body.get("indexes", ()),
    } - {"id"}
    return Kind(
        name=name,
        path=body["path"],
        page_size=body.get("page_size", 0),
        event=body.get("event", ""),
        operations=tuple(body.get("operations", EVERY_OPERATION)),
        fields=fields,
        unique=tuple(body.get("unique", ())),
        lists=lists,
        equals=equals,
        searchable=tuple(body.get("search", ())),
        indexed=tuple(sorted(indexed)),
    )


def _field(spec: dict[str, Any], objects: dict[str, Any]) -> Field:
    parts = spec.get("object")
    items = spec.get("items")
    return Field(
        type="object" if parts else spec.get("type", "string"),
        is_required=spec.get("required", False),
        least=_bound(spec.get("min")),
        most=_bound(spec.get("max")),
        above=_bound(spec.get("above")),
        one_of=tuple(spec.get("one_of", ())),
        pattern=re.compile(spec["pattern"]) if "pattern" in spec else None,
        items=_field(items, objects) if items is not None else None,
        parts={key: _field(part, objects) for key, part in objects[parts].items()} if parts else None,
        refers=spec.get("refers", ""),
        default=spec.get("default"),
    )


def _bound(value: Any) -> Decimal | None:
    return None if value is None else Decimal(value)
