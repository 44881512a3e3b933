"""What an administrator declares at run time: custom objects and fields, from TOML or its JSON shape."""

import tomllib
from decimal import Decimal
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, StringConstraints, TypeAdapter, model_validator

from connectors import wire
from connectors.sandbox.salesforce import values
from connectors.sandbox.salesforce.errors import SalesforceError
from connectors.sandbox.salesforce.fields import TYPES, Field
from connectors.sandbox.salesforce.schema import Schema

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_]*$", max_length=80)]
Prefix = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]{3}$")]


class DeclaredField(BaseModel):
    """One field; the keys are those of `fields.Field.declared`."""

    model_config = ConfigDict(extra="forbid")
    type: str = "string"
    label: str = ""
    length: int = 0
    precision: int = 0
    scale: int = 0
    required: bool = False
    default: Any = None
    read_only: bool = False
    create_only: bool = False
    derived: bool = False
    unique: bool = False
    external_id: bool = False
    id_lookup: bool = False
    name_field: bool = False
    values: list[str] = []
    restricted: bool = False
    to: list[Name] = []
    relationship: Name | None = None
    children: Name | None = None
    cascade: bool = False
    compound: str | None = None

    @model_validator(mode="after")
    def _has_a_known_type(self) -> Self:
        if self.type not in TYPES:
            raise ValueError(f"{self.type} is none of the types {', '.join(sorted(TYPES))}")
        if (self.type == "reference") != bool(self.to):
            raise ValueError('a field of type reference, and no other, names its objects in "to"')
        return self


class DeclaredObject(BaseModel):
    """One object: a custom one to be, or any that exists."""

    model_config = ConfigDict(extra="forbid")
    label: str = ""
    label_plural: str = ""
    key_prefix: Prefix | None = None
    fields: dict[Name, DeclaredField] = {}


_DOCUMENT = TypeAdapter(dict[Name, DeclaredObject])


def declare(schema: Schema, body: bytes) -> list[str]:
    """Add what the text declares, all of it or nothing; gives the names of its objects.

    Raises ValueError (pydantic's ValidationError, wire.NotJson and TOMLDecodeError among them).
    """
    text = body.decode()
    read: Any = (
        wire.loads(text) if text.lstrip().startswith("{") else tomllib.loads(text, parse_float=Decimal)
    )
    document = _DOCUMENT.validate_python(read)
    for name, declared in document.items():
        _check(schema, name, declared, set(document))
    schema.declare({name: declared.model_dump(exclude_unset=True) for name, declared in document.items()})
    return list(document)


def _check(schema: Schema, name: str, declared: DeclaredObject, along: set[str]) -> None:
    known = schema.find(name)
    if known is None and not name.endswith(("__c", "__e")):
        message = "no object of this org; a custom one's name ends in __c, a platform event's in __e."
        raise ValueError(f"{name} is {message}")
    taken = None if declared.key_prefix is None else schema.of_id(declared.key_prefix)
    if taken is not None and taken is not known:
        raise ValueError(f"{name}: the key prefix {declared.key_prefix} is that of {taken.name}.")
    for field_name, field in declared.fields.items():
        held = None if known is None else known.find(field_name)
        is_own_name = field_name == "Name" and name.endswith("__c")
        if not (field_name.endswith("__c") or is_own_name):
            raise ValueError(f"{name}.{field_name}: only fields whose name ends in __c can be declared.")
        if held is not None and held.type != field.type:
            raise ValueError(f"{name}.{field_name} is of type {held.type} and holds values of it.")
        for target in field.to:
            if schema.find(target) is None and target not in along:
                raise ValueError(f"{name}.{field_name}: there is no object {target} to refer to.")
        if field.default is not None:
            field.default = _stored(f"{name}.{field_name}", field)


def _stored(name: str, field: DeclaredField) -> Any:
    """The default as a record will hold it."""
    try:
        made = Field.declared(name, field.model_dump(exclude_unset=True))
        return values.coerce(made, field.default)
    except SalesforceError as error:
        raise ValueError(f"{name}: the default cannot be: {error.message}") from error
