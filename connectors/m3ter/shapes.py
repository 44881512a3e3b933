"""What m3ter's requests may carry, kind by kind: fields, types, lengths, from request_fields.toml."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Any, Literal

from connectors.m3ter.models import EntityKind

FieldType = Literal[
    "string", "email", "date", "date-time", "integer", "number", "boolean", "array", "object", "map"
]


@dataclass(frozen=True, slots=True)
class FieldShape:
    """One field of a request. `items` describes the members of an array, `fields` those of an object.

    Lengths count characters; `minimum` itself is not allowed where `exclusive_minimum` is set. A `map` has
    free keys (customFields, segment) of which `max_items` may be given.
    """

    type: FieldType
    required: bool = False
    min_length: int | None = None
    max_length: int | None = None
    min_items: int | None = None
    max_items: int | None = None
    minimum: int | None = None
    maximum: int | None = None
    exclusive_minimum: bool = False
    choices: tuple[str, ...] = ()
    items: "FieldShape | None" = None
    fields: Mapping[str, "FieldShape"] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Shape:
    """The request of one kind; a PUT carries the same fields as a POST, and `version`."""

    kind: EntityKind
    fields: Mapping[str, FieldShape]

    @property
    def required(self) -> tuple[str, ...]:
        return tuple(name for name, shape in self.fields.items() if shape.required)

    def find(self, path: str) -> FieldShape | None:
        """The field at a dotted path ("address.region", "customFields.anything", "pricingBands.unitPrice").

        None when m3ter has no such field.
        """
        found: FieldShape | None = None
        fields = self.fields
        for name in path.split("."):
            if found is not None and found.type == "map":
                return FieldShape("string")
            found = fields.get(name)
            if found is None:
                return None
            fields = (found.items or found).fields
        return found


@cache
def shapes() -> Mapping[EntityKind, Shape]:
    """Every kind that can be written; Bill cannot."""
    text = resources.files("connectors.m3ter").joinpath("request_fields.toml").read_text("utf-8")
    tables = tomllib.loads(text)
    objects = tables.pop("objects")
    read = {EntityKind(name): _fields(table, objects) for name, table in tables.items()}
    return MappingProxyType({kind: Shape(kind, fields) for kind, fields in read.items()})


def _fields(table: Mapping[str, Any], objects: Mapping[str, Any]) -> Mapping[str, FieldShape]:
    return MappingProxyType({name: _field(entry, objects) for name, entry in table.items()})


def _field(entry: Mapping[str, Any], objects: Mapping[str, Any]) -> FieldShape:
    known = {key: value for key, value in entry.items() if key not in ("of", "items", "choices")}
    return FieldShape(
        **known,
        choices=tuple(entry.get("choices", ())),
        items=_field(entry["items"], objects) if "items" in entry else None,
        fields=_fields(objects[entry["of"]], objects) if "of" in entry else MappingProxyType({}),
    )


# The fields that a PUT of each kind may carry: an entity as read, cut to these, is a valid PUT body.
REQUEST_FIELDS: Mapping[EntityKind, frozenset[str]] = MappingProxyType(
    {kind: frozenset(shape.fields) for kind, shape in shapes().items()}
)
