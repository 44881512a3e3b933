"""Finding objects and fields in Salesforce's describe results, for proving a mapping against an org."""

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from daemon.to_m3ter.mapping import channels, document, expressions, soql

Describes = Mapping[str, Mapping[str, Any]]

# Salesforce's field types -> what they are in JSON; the types not named here are texts.
KINDS = {
    "double": "number",
    "currency": "number",
    "percent": "number",
    "int": "integer",
    "long": "integer",
    "boolean": "boolean",
    "date": "date",
    "datetime": "date-time",
    "address": "compound",
    "location": "compound",
    "complexvalue": "compound",
    "anyType": "any",
}


@dataclass(frozen=True, slots=True)
class Known:
    """A field that exists."""

    object_name: str
    name: str
    kind: str
    length: int
    is_nillable: bool


@dataclass(frozen=True, slots=True)
class Unknown:
    """A name on the way that does not exist, and which is meant perhaps."""

    message: str
    instruction: str


@dataclass(frozen=True, slots=True)
class Undescribed:
    """The path leads to objects that have not been described; `otherwise` is what those described answer."""

    object_names: tuple[str, ...]
    otherwise: Unknown | None = None


Found = Known | Unknown | Undescribed


def find(describes: Describes, object_name: str, path: expressions.Path, given: int = 0) -> Found:
    """Follow a relationship path; where a relationship has several targets, any of them will do.

    The first `given` relationships are known to lead somewhere; the others may be empty, as may the field.
    """
    describe = describes.get(object_name)
    if describe is None:
        return Undescribed((object_name,))
    if len(path) <= 1:
        return _field(describe, path[0] if path else "Id")
    reference = next((f for f in describe["fields"] if f.get("relationshipName") == path[0]), None)
    if reference is None:
        relationships = [f["relationshipName"] for f in describe["fields"] if f.get("relationshipName")]
        return _unknown(object_name, "relationship", path[0], relationships)
    answers = [find(describes, name, path[1:], given - 1) for name in reference["referenceTo"]]
    known = next((answer for answer in answers if isinstance(answer, Known)), None)
    if known:
        may_be_empty = known.is_nillable or (given < 1 and bool(reference.get("nillable")))
        return replace(known, is_nillable=may_be_empty)
    unknown = next((answer for answer in answers if isinstance(answer, Unknown)), None)
    missing = [name for answer in answers if isinstance(answer, Undescribed) for name in answer.object_names]
    return unknown if unknown and not missing else Undescribed(tuple(missing), unknown)


def wanted(mapping: document.Mapping, describes: Describes) -> set[str]:
    """The objects still to be described before `check`; ask again with them until there are none.

    An object that Salesforce does not know is left out of `describes` by the caller, who stops asking for it.
    """
    objects = {mapping.parent, *(line.object for line in mapping.lines.values())}
    objects.update(filter(None, map(channels.event_object, mapping.channels or ())))
    missing = objects - set(describes)
    for _, path in soql.reads(mapping):
        line = mapping.lines.get(path[0])
        answer = find(describes, line.object, path[1:]) if line else find(describes, mapping.parent, path)
        if isinstance(answer, Undescribed):
            missing.update(answer.object_names)
    return missing


def child(describes: Describes, parent: str, relationship: str) -> Mapping[str, Any] | Unknown | None:
    """The describe of a child relationship; None when the parent itself is not described."""
    describe = describes.get(parent)
    if describe is None:
        return None
    relationships = {
        r["relationshipName"]: r for r in describe["childRelationships"] if r.get("relationshipName")
    }
    found: Mapping[str, Any] | None = relationships.get(relationship)
    return found or _unknown(parent, "child relationship", relationship, relationships)


def near(name: str, names: Iterable[str]) -> str:
    """ "Did you mean" for a misspelt name, or nothing."""
    by_lower = {known.lower(): known for known in names}
    wanted = name.lower()
    close = [wanted] if wanted in by_lower else difflib.get_close_matches(wanted, by_lower, n=2, cutoff=0.6)
    close = close or [known for known in by_lower if wanted in known][:2]
    return f"Did you mean {' or '.join(by_lower[match] for match in close)}? " if close else ""


def _field(describe: Mapping[str, Any], name: str) -> Known | Unknown:
    object_name = str(describe["name"])
    for field in describe["fields"]:
        if field["name"] == name:
            kind = KINDS.get(field["type"], "text")
            if kind == "number" and field.get("scale") == 0:
                kind = "integer"
            length = int(field.get("length") or 0)
            return Known(object_name, name, kind, length, is_nillable=bool(field.get("nillable")))
    return _unknown(object_name, "field", name, [field["name"] for field in describe["fields"]])


def _unknown(object_name: str, what: str, name: str, names: Iterable[str]) -> Unknown:
    return Unknown(
        f"{object_name} has no {what} {name} that m3sync's Salesforce user can see.",
        f"{near(name, names)}Correct the name, create it in Salesforce, or give the user access to it.",
    )
