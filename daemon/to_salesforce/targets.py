"""Where each entity type is kept in Salesforce: objects and fields per namespace, from targets/*.toml."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any

DIRECTORY = "targets"
ENTITY_TYPES = ("Account", "Contract", "Commitment", "Balance", "Bill")  # parents before their children
CUSTOM_OBJECTS = "Custom Objects"
TESTING = "m3ter Connector (Testing)"
KEY = "m3ter_Id"
MARK = "m3ter_Deleted_At"
CUSTOM_FIELDS = "m3ter_Custom_Fields"
_API_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,79}")


class NoSuchTarget(LookupError):  # noqa: N818 - reads as what it says
    """There is no such entity type or namespace, or a name is given to a field that does not exist."""


@dataclass(frozen=True, slots=True)
class Naming:
    """What a person says about names: the prefix of the test install, and names of their own.

    `names` has for a namespace an object as "Account" and a field as "Account.Code" (the names of
    targets/*.toml), each with its whole API name; a field named "" is left out: the org has no such field.
    """

    testing_prefix: str = ""
    names: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TargetField:
    """One Salesforce field: `name` is its API name here, `own_name` the one in targets/*.toml.

    `source` is the path in the entity; `derivation` says how the value is made where it is not merely copied.
    `relation` is the entity type of a parent copy, told by the parent's key field `relation_key`; `refers_to`
    is the object that a lookup leads to. `is_cut` allows a long free text to be shortened, `is_computed`
    tells an amount that m3ter reckons and nobody enters: it may be rounded.
    """

    name: str
    own_name: str
    type: str
    label: str
    source: str
    derivation: str
    length: int
    precision: int
    scale: int
    is_external_id: bool
    is_required: bool
    is_cut: bool
    is_computed: bool
    relation: str | None
    relation_key: str
    refers_to: str
    description: str
    path: tuple[str, ...]

    @property
    def relationship(self) -> str:
        """The name under which a record names this lookup's parent: m3ter_Account__r of m3ter_Account__c."""
        return self.name.removesuffix("__c") + "__r"


@dataclass(frozen=True, slots=True)
class Target:
    """The Salesforce object that holds copies of one entity type in one namespace."""

    entity_type: str
    namespace: str
    object_name: str
    label: str
    plural: str
    key_field: str
    mark_field: str  # empty when the person left it out: then nothing can be marked
    fields: tuple[TargetField, ...]

    def field(self, own_name: str) -> TargetField | None:
        """The field of this name in targets/*.toml; None where a person left it out."""
        return next((each for each in self.fields if each.own_name == own_name), None)

    def derived(self, derivation: str) -> list[str]:
        """The API names of the fields that are made so."""
        return [each.name for each in self.fields if each.derivation == derivation]

    @property
    def has_custom_fields(self) -> bool:
        """Whether m3ter keeps custom fields on this entity type at all (not on Bill and Commitment)."""
        return CUSTOM_FIELDS in _definition(self.entity_type)["fields"]


def target(entity_type: str, namespace: str, naming: Naming | None = None) -> Target:
    """Where this entity type is kept. Raises NoSuchTarget."""
    names = _Names(namespace, naming or Naming())
    definition = _definition(entity_type)
    fields = tuple(
        made
        for own_name, facts in definition["fields"].items()
        if (made := _field(names, entity_type, own_name, facts)) is not None
    )
    return Target(
        entity_type=entity_type,
        namespace=namespace,
        object_name=names.object(entity_type),
        label=definition["label"],
        plural=definition["plural"],
        key_field=names.key(entity_type),
        mark_field=names.field(entity_type, MARK),
        fields=fields,
    )


def every(namespace: str, naming: Naming | None = None) -> tuple[Target, ...]:
    """The targets of all entity types in one namespace, parents before their children."""
    return tuple(target(entity_type, namespace, naming) for entity_type in ENTITY_TYPES)


def namespaces() -> tuple[str, ...]:
    """The namespaces there are, in m3ter's words."""
    return tuple(_read("namespaces"))


class _Names:
    """The API names of one namespace."""

    def __init__(self, namespace: str, naming: Naming) -> None:
        for each in (namespace, *naming.names):
            if each not in namespaces():
                message = f"There is no namespace {each!r}; choose one of {', '.join(namespaces())}."
                raise NoSuchTarget(message)
        found = _read("namespaces")[namespace]
        given = naming.testing_prefix if namespace == TESTING else ""
        self._prefix = given or found["prefix"]
        self._object = found["object"]
        self._fields: Mapping[str, str] = found.get("names", {})
        self._own = naming.names.get(namespace, {})
        for own_name, api_name in self._own.items():
            _check(own_name, api_name)

    def object(self, entity_type: str) -> str:
        return self._own.get(entity_type) or self._api_name(self._object.format(entity_type=entity_type))

    def field(self, entity_type: str, own_name: str) -> str:
        own = self._own.get(f"{entity_type}.{own_name}")
        if own is not None:
            return own
        if own_name == "Name":  # a standard field of every object, never prefixed
            return own_name
        return self._api_name(self._fields.get(own_name, own_name))

    def key(self, entity_type: str) -> str:
        name = self.field(entity_type, KEY)
        if not name:
            message = f"{entity_type}.{KEY} cannot be left out: records are found by it."
            raise NoSuchTarget(message)
        return name

    def _api_name(self, name: str) -> str:
        return f"{self._prefix}__{name}__c" if self._prefix else f"{name}__c"


def _field(names: _Names, entity_type: str, own_name: str, facts: Mapping[str, Any]) -> TargetField | None:
    name = names.field(entity_type, own_name)
    if not name:
        return None
    source, relation = facts["source"], facts.get("relation")
    told = f"m3ter's {source} of the {entity_type}." if source else ""
    return TargetField(
        name=name,
        own_name=own_name,
        type=facts["type"],
        label=facts["label"],
        source=source,
        derivation=facts.get("derive", ""),
        length=facts.get("length", 0),
        precision=facts.get("precision", 0),
        scale=facts.get("scale", 0),
        is_external_id=facts.get("external_id", False),
        is_required=facts.get("required", False),
        is_cut=facts.get("cut", False),
        is_computed=facts.get("computed", False),
        relation=relation,
        relation_key=names.key(relation) if relation else "",
        refers_to=_refers_to(names, facts),
        description=facts.get("description", told),
        path=tuple(source.split(".")) if source else (),
    )


def _refers_to(names: _Names, facts: Mapping[str, Any]) -> str:
    if facts.get("derive") == "salesforce_account":
        return "Account"
    return names.object(facts["relation"]) if "relation" in facts else ""


def _check(name: str, api_name: str) -> None:
    entity_type, _, own_name = name.partition(".")
    fields = _definition(entity_type)["fields"]
    if own_name and own_name not in fields:
        message = f"{entity_type} has no field {own_name}; it has {', '.join(fields)}."
        raise NoSuchTarget(message)
    if not _API_NAME.fullmatch(api_name) and not (own_name and api_name == ""):
        message = f"{api_name!r} is no API name for {name}: letters, digits and underscores."
        raise NoSuchTarget(message)


def _definition(entity_type: str) -> dict[str, Any]:
    if entity_type not in ENTITY_TYPES:
        message = f"There is no entity type {entity_type!r}; choose one of {', '.join(ENTITY_TYPES)}."
        raise NoSuchTarget(message)
    return _read(entity_type.lower())


@cache
def _read(name: str) -> dict[str, Any]:
    text = resources.files("daemon.to_salesforce").joinpath(DIRECTORY, f"{name}.toml").read_text("utf-8")
    return tomllib.loads(text)
