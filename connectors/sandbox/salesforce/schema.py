"""What an org's objects and fields are: read from data, extended by declaration."""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib import resources
from itertools import count
from typing import Any, Self

from connectors.sandbox.salesforce.fields import CUSTOM_OBJECT_FIELDS, EVENT_FIELDS, SYSTEM_FIELDS, Field


@dataclass(frozen=True, slots=True)
class Child:
    """One child relationship: the list's `name` on the parent, and the field that leads back to it."""

    name: str | None
    object_name: str
    field_name: str
    is_cascading: bool


@dataclass(eq=False)
class SObject:
    """One object: its words, its key prefix and its fields by lower-case name, in declared order."""

    name: str
    label: str
    label_plural: str
    key_prefix: str
    is_custom: bool
    fields: dict[str, Field] = field(default_factory=dict)
    children: dict[str, Child] = field(default_factory=dict)
    cascades: list[Child] = field(default_factory=list)
    parents: dict[str, Field] = field(default_factory=dict)

    @property
    def is_event(self) -> bool:
        """Whether it is a platform event, which is published and not stored."""
        return self.name.endswith("__e")

    def find(self, name: str) -> Field | None:
        """A field by its name in any case."""
        return self.fields.get(name.lower())

    def add(self, new: Field) -> None:
        """Declare one more field (or declare it anew)."""
        self.fields[new.name.lower()] = new
        if new.relationship_name is not None:
            self.parents[new.relationship_name.lower()] = new
        self.__dict__.pop("indexed", None)
        self.__dict__.pop("required", None)

    @cached_property
    def indexed(self) -> tuple[Field, ...]:
        """Fields looked up by value: external ids, unique ones, those marked idLookup, references."""
        return tuple(each for each in self.fields.values() if each.is_indexed and each.name != "Id")

    @cached_property
    def required(self) -> tuple[Field, ...]:
        """Fields that a new record must carry."""
        return tuple(each for each in self.fields.values() if each.is_required)


class Schema:
    """All objects of an org, found by name in any case or by key prefix."""

    def __init__(self) -> None:
        self._objects: dict[str, SObject] = {}
        self._by_prefix: dict[str, SObject] = {}
        self._custom_numbers = count(1)

    @classmethod
    def standard(cls) -> Self:
        """The standard objects, from the TOML files beside this module."""
        schema = cls()
        folder = resources.files("connectors.sandbox.salesforce") / "objects"
        for entry in sorted(folder.iterdir(), key=lambda each: each.name):
            if entry.name.endswith(".toml"):
                schema.declare(tomllib.loads(entry.read_text("utf-8")))
        return schema

    def declare(self, document: Mapping[str, Any]) -> None:
        """Add objects and fields: `{"Thing__c": {"label": ..., "fields": {"Name": {"type": "string"}}}}`.

        An object that exists gains the fields; a custom one has Name and OwnerId without being told, and one
        whose name ends in __e is a platform event.
        Keys of a field are those of `fields.Field.declared`. A custom relationship's list on the parent is
        declared as queries name it (`Lines__r`). Raises ValueError for a field without a known type.
        """
        for name, body in document.items():
            target = self.find(name) or self._new(name, body)
            for field_name, spec in body.get("fields", {}).items():
                self._add(target, Field.declared(field_name, spec))

    def find(self, name: str) -> SObject | None:
        """An object by its name in any case."""
        return self._objects.get(name.lower())

    def of_id(self, record_id: str) -> SObject | None:
        """The object whose key prefix the id carries."""
        return self._by_prefix.get(record_id[:3])

    def __iter__(self) -> Iterator[SObject]:
        return iter(self._objects.values())

    def _new(self, name: str, body: Mapping[str, Any]) -> SObject:
        label = body.get("label", name)
        first = "e" if name.endswith("__e") else "a"
        prefix = body.get("key_prefix") or f"{first}{next(self._custom_numbers):02d}"
        is_custom = name.endswith(("__c", "__e"))
        made = SObject(name, label, body.get("label_plural", f"{label}s"), prefix, is_custom)
        self._objects[name.lower()] = made
        self._by_prefix[prefix] = made
        for owner in self._objects.values():
            for pointing in owner.fields.values():
                if name in pointing.reference_to:
                    self._connect(name, owner, pointing)
        stored = SYSTEM_FIELDS | (CUSTOM_OBJECT_FIELDS if made.is_custom else {})
        given = EVENT_FIELDS if made.is_event else stored
        for field_name, spec in given.items():
            self._add(made, Field.declared(field_name, spec))
        return made

    def _add(self, target: SObject, new: Field) -> None:
        target.add(new)
        for parent_name in new.reference_to:
            self._connect(parent_name, target, new)

    def _connect(self, parent_name: str, owner: SObject, by: Field) -> None:
        parent = self.find(parent_name)
        if parent is None:
            return
        child = Child(by.child_relationship, owner.name, by.name, by.is_cascading)
        if child.name is not None:
            parent.children[child.name.lower()] = child
        if child.is_cascading and child not in parent.cascades:
            parent.cascades.append(child)
