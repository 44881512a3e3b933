"""What one field of an object is, as declared in data: type, size, who may write it, where it points."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

TEXT_TYPES = frozenset({"string", "textarea", "phone", "url", "email", "picklist", "multipicklist"})
NUMBER_TYPES = frozenset({"int", "double", "currency", "percent"})
TYPES = TEXT_TYPES | NUMBER_TYPES | {"id", "boolean", "date", "datetime", "reference", "address"}
_LENGTHS = {
    "id": 18,
    "reference": 18,
    "phone": 40,
    "url": 255,
    "email": 80,
    "picklist": 255,
    "multipicklist": 4099,
    "string": 255,
}
_USER = {"type": "reference", "to": ["User"], "read_only": True}

SYSTEM_FIELDS: dict[str, dict[str, Any]] = {
    "Id": {"type": "id", "read_only": True, "label": "Record ID"},
    "IsDeleted": {"type": "boolean", "read_only": True, "label": "Deleted"},
    "CreatedDate": {"type": "datetime", "read_only": True},
    "CreatedById": {**_USER, "relationship": "CreatedBy"},
    "LastModifiedDate": {"type": "datetime", "read_only": True},
    "LastModifiedById": {**_USER, "relationship": "LastModifiedBy"},
    "SystemModstamp": {"type": "datetime", "read_only": True, "label": "System Modstamp"},
}

# A platform event is no record: it has no id, no owner, and is never modified.
EVENT_FIELDS: dict[str, dict[str, Any]] = {
    "ReplayId": {"type": "string", "read_only": True},
    "EventUuid": {"type": "string", "length": 36, "read_only": True},
    "CreatedDate": {"type": "datetime", "read_only": True},
    "CreatedById": {**_USER, "relationship": "CreatedBy"},
}

CUSTOM_OBJECT_FIELDS: dict[str, dict[str, Any]] = {
    "OwnerId": {"type": "reference", "to": ["User"], "relationship": "Owner"},
    "Name": {"type": "string", "length": 80, "name_field": True},
}


@dataclass(frozen=True, slots=True)
class Field:
    """One field; `compound` names the address that it is a part of, `is_derived` that the org computes it."""

    name: str
    label: str
    type: str
    length: int = 0
    precision: int = 0
    scale: int = 0
    is_required: bool = False
    is_createable: bool = True
    is_updateable: bool = True
    is_unique: bool = False
    is_external_id: bool = False
    is_id_lookup: bool = False
    is_name: bool = False
    is_derived: bool = False
    is_cascading: bool = False
    is_restricted: bool = False
    default: Any = None
    values: tuple[str, ...] = ()
    reference_to: tuple[str, ...] = ()
    relationship_name: str | None = None
    child_relationship: str | None = None
    compound: str | None = None

    @property
    def is_custom(self) -> bool:
        """Whether somebody added it to the org."""
        return self.name.endswith("__c")

    @property
    def is_indexed(self) -> bool:
        """Whether records are found by its value without a scan."""
        return self.is_unique or self.is_external_id or self.is_id_lookup or bool(self.reference_to)

    @property
    def is_nillable(self) -> bool:
        """Whether a record may have no value in it."""
        return not (self.is_required or self.type in {"id", "boolean"} or self.name in SYSTEM_FIELDS)

    @classmethod
    def declared(cls, name: str, spec: Mapping[str, Any]) -> Self:
        """A field from its declaration; raises ValueError for an unknown type or key.

        Keys: type, label, length, precision, scale, required, default, read_only, create_only, derived,
        unique, external_id, id_lookup, name_field, values (picklist), restricted, to (objects), relationship
        (to the parent), children (the list on the parent), cascade (deleted with the parent), compound.
        """
        kind = spec.get("type", "string")
        unknown = sorted(set(spec) - _KEYS)
        if kind not in TYPES or unknown:
            raise ValueError(f"Field {name}: unknown type or key: {kind}, {', '.join(unknown) or 'no keys'}.")
        is_fixed = spec.get("read_only", False) or spec.get("derived", False) or kind == "address"
        number = _size_of_number(kind, spec)
        return cls(
            name=name,
            label=spec.get("label") or _label(name),
            type=kind,
            length=spec.get("length", _LENGTHS.get(kind, 32768 if kind == "textarea" else 0)),
            precision=number[0],
            scale=number[1],
            is_required=spec.get("required", False),
            is_createable=not is_fixed,
            is_updateable=not (is_fixed or spec.get("create_only", False)),
            is_unique=spec.get("unique", False),
            is_external_id=spec.get("external_id", False),
            is_id_lookup=spec.get("id_lookup", False) or spec.get("external_id", False) or name == "Id",
            is_name=spec.get("name_field", False),
            is_derived=spec.get("derived", False) or kind == "address",
            is_cascading=spec.get("cascade", False),
            is_restricted=spec.get("restricted", False),
            default=False if kind == "boolean" and "default" not in spec else spec.get("default"),
            values=tuple(spec.get("values", ())),
            reference_to=tuple(spec.get("to", ())),
            relationship_name=spec.get("relationship") or _relationship(name, kind),
            child_relationship=spec.get("children"),
            compound=spec.get("compound"),
        )


_KEYS = frozenset(
    {
        "type", "label", "length", "precision", "scale", "required", "default",
        "read_only", "create_only", "derived", "unique", "external_id", "id_lookup", "name_field",
        "values", "restricted", "to", "relationship", "children", "cascade", "compound",
    }
)  # fmt: skip


def _size_of_number(kind: str, spec: Mapping[str, Any]) -> tuple[int, int]:
    if kind not in NUMBER_TYPES:
        return 0, 0
    return spec.get("precision", 9 if kind == "int" else 18), spec.get("scale", 0 if kind == "int" else 2)


def _label(name: str) -> str:
    words = name.removesuffix("__c").replace("_", " ")
    spaced = "".join(
        f" {char}" if char.isupper() and k and words[k - 1].islower() else char
        for k, char in enumerate(words)
    )
    return spaced.removesuffix(" Id") + (" ID" if spaced.endswith(" Id") else "")


def _relationship(name: str, kind: str) -> str | None:
    if kind != "reference":
        return None
    return name.removesuffix("__c") + "__r" if name.endswith("__c") else name.removesuffix("Id")
