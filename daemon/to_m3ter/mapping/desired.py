"""The m3ter body that a mapping owns, made from one Salesforce record."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from connectors import errors as outside
from daemon.to_m3ter.mapping import document, errors, limits, reading, sources, values


@dataclass(frozen=True, slots=True)
class Lookup:
    """A m3ter Product, PlanTemplate, Aggregation or CompoundAggregation (`kind`) wanted by its code."""

    kind: str
    code: str


@dataclass(frozen=True, slots=True)
class Needs:
    """What must be known before a body can be made."""

    lookups: tuple[Lookup, ...]
    objects: tuple[sources.ObjectKey, ...]


@dataclass(frozen=True, slots=True)
class Resolved:
    """m3ter ids for the needs. A look-up that found nothing is left out."""

    lookups: Mapping[Lookup, str] = field(default_factory=dict)
    objects: Mapping[sources.ObjectKey, str] = field(default_factory=dict)


def needs(mapping: document.Mapping, source: sources.Source) -> Needs:
    """The look-ups by code and the ids of other objects that the body of this entity takes.

    Raises MissingMappingError for an absent source, MappingValueError when a code cannot be worked out.
    """
    _refuse_absent(mapping, source)
    wanted: list[Lookup] = []
    for target, value in _fields(mapping, source).items():
        for place, part in reading.places(value, source, target):
            if part.lookup:
                wanted.extend(Lookup(part.lookup, code) for code in reading.codes(part, place))
    return Needs(tuple(dict.fromkeys(wanted)), source.depends_on)


def desired(mapping: document.Mapping, source: sources.Source, resolved: Resolved) -> dict[str, Any]:
    """The fields the mapping owns, nested as m3ter has them; None stands for a field to be empty.

    Money stays Decimal. Raises MissingMappingError for an absent source, an unknown code, an entity without
    an id or a required field without a value, and MappingValueError for a value that m3ter would refuse (its
    type or limits) or that a transform or an expression cannot change. Each names the record and the field.
    """
    _refuse_absent(mapping, source)
    body: dict[str, Any] = {}
    for target, value in _fields(mapping, source).items():
        whole, dot, name = target.partition(".")
        made = _made(value, source, target, resolved)
        if dot:
            body.setdefault(whole, {})[name] = made
        else:
            body[whole] = made
    fitted, problems = limits.fit(source.kind, body)
    if problems:
        raise _refusal(mapping, source, problems)
    return fitted


def _refusal(
    mapping: document.Mapping, source: sources.Source, problems: list[limits.Problem]
) -> errors.MappingValueError | outside.MissingMappingError:
    """All that is wrong with a body in one error, what is missing first."""
    problems = sorted(problems, key=lambda problem: not problem.is_missing)
    told = [_told(mapping, source, problem) for problem in problems]
    message = " ".join(message for message, _ in told)
    instruction = " ".join(dict.fromkeys(instruction for _, instruction in told))
    if problems[0].is_missing:
        return outside.MissingMappingError(message, instruction=instruction)
    return errors.MappingValueError(message, instruction=instruction)


def _told(mapping: document.Mapping, source: sources.Source, problem: limits.Problem) -> tuple[str, str]:
    field = f"m3ter {source.kind} {problem.target}"
    value = _value_at(_fields(mapping, source), problem.target)
    if value is None:
        message = f"{field} {problem.message}, and field mapping {mapping.name!r} does not map it."
        return message, problem.instruction or f"Add it to objects.{source.kind}.fields of the field mapping."
    if problem.is_missing:
        message = f"{field} {problem.message}, and {value.origin} of {source.title} is empty."
        instruction = (
            f"Fill in {value.origin} in Salesforce, or give the field a default in the field mapping."
        )
        return message, instruction
    message = f"{field} {problem.message} ({value.origin} of {source.title})."
    return message, problem.instruction or f"Correct {value.origin} in Salesforce, or the field mapping."


def _value_at(fields: dict[str, values.Value], target: str) -> values.Value | None:
    """The mapped value behind a m3ter field; `pricingBands[0].unitPrice` is found below pricingBands."""
    plain = re.sub(r"\[\d+\]", "", target)
    if plain in fields:
        return fields[plain]
    whole, _, part = plain.partition(".")
    value = fields.get(whole)
    return value.parts.get(part, value) if value else None


def _fields(mapping: document.Mapping, source: sources.Source) -> dict[str, values.Value]:
    return dict(next(made for kind, made in mapping.in_order if kind == source.kind).fields)


def _made(value: values.Value, source: sources.Source, target: str, resolved: Resolved) -> Any:
    if value.each is None:
        return _plain(value, reading.Place(source, target, source.record), resolved)
    made = []
    for number, item in enumerate(reading.items(value, source, target)):
        parts = {
            name: _plain(part, reading.Place(source, f"{target}[{number}].{name}", item), resolved)
            for name, part in value.parts.items()
        }
        made.append({name: part for name, part in parts.items() if part is not None})
    return made or None


def _plain(value: values.Value, place: reading.Place, resolved: Resolved) -> Any:
    if value.object:
        return _object_id(value.object, place, resolved)
    if not value.lookup:
        return reading.read(value, place)
    several = isinstance(reading.read(value, place), list)
    found = [
        _found_id(Lookup(value.lookup, code), value, place, resolved) for code in reading.codes(value, place)
    ]
    return (found or None) if several else next(iter(found), None)


def _object_id(kind: str, place: reading.Place, resolved: Resolved) -> str | None:
    """None when the other entity is no part of this sync (its `only_if` does not hold)."""
    key = next((key for key in place.source.depends_on if key.kind == kind), None)
    if key is None:
        return None
    if key not in resolved.objects:
        raise outside.MissingMappingError(
            f"m3ter {place.field} needs the {kind} of {key.salesforce_id}, which is not in m3ter.",
            instruction=f"Sync the {kind} first.",
        )
    return resolved.objects[key]


def _found_id(lookup: Lookup, value: values.Value, place: reading.Place, resolved: Resolved) -> str:
    if lookup not in resolved.lookups:
        raise outside.MissingMappingError(
            f"m3ter has no {lookup.kind} with the code {lookup.code!r}, which {place.field} needs "
            f"({value.origin} of {place.source.title}).",
            instruction=f"Create this {lookup.kind} in m3ter, or correct {value.origin} in Salesforce.",
        )
    return resolved.lookups[lookup]


def _refuse_absent(mapping: document.Mapping, source: sources.Source) -> None:
    if source.is_absent:
        raise outside.MissingMappingError(
            f"{source.title} has no {source.path}, from which its m3ter {source.kind} is made.",
            instruction=f"Fill in {source.path} on the record in Salesforce, "
            f"or change objects.{source.kind}.source in field mapping {mapping.name!r}.",
        )
