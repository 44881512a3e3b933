"""m3ter's types, lengths and required fields, kept before anything is sent."""

import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from connectors.m3ter import shapes
from connectors.m3ter.models import EntityKind
from daemon.to_m3ter.mapping import conversions

# m3ter's documentation, not its schemas: exactly one of each group must be given.
ONE_OF: dict[str, tuple[tuple[str, str], ...]] = {
    "Pricing": (("planId", "planTemplateId"), ("aggregationId", "compoundAggregationId")),
    "AccountPlan": (("planId", "planGroupId"),),
}
EMAIL = re.compile(r"[^@\s]+@[^@\s]+")


@dataclass(frozen=True, slots=True)
class Problem:
    """What m3ter would refuse: `target` is the field; `is_missing` when it is required and empty."""

    target: str
    message: str
    instruction: str = ""
    is_missing: bool = False


def fit(kind: str, body: dict[str, Any]) -> tuple[dict[str, Any], list[Problem]]:
    """The body in m3ter's own types (3.0 as the integer 3, one id as a list), and what does not fit."""
    shape = shapes.shapes()[EntityKind(kind)]
    problems: list[Problem] = []
    fitted = _fit_fields(shape.fields, body, "", problems)
    for group in ONE_OF.get(kind, ()):
        problems.extend(_one_of(group, body))
    return fitted, problems


def problems_of(field: shapes.FieldShape, value: Any, target: str) -> list[Problem]:
    """What m3ter would refuse in one value."""
    problems: list[Problem] = []
    if value is not None:
        _fit(field, value, target, problems)
    elif field.required:
        problems.append(Problem(target, "is required", is_missing=True))
    return problems


def _one_of(group: tuple[str, str], body: dict[str, Any]) -> Iterator[Problem]:
    given = [name for name in group if body.get(name) is not None]
    if not given:
        mapped = next((name for name in group if name in body), group[0])
        yield Problem(
            mapped, f"is required (it or {' or '.join(n for n in group if n != mapped)})", is_missing=True
        )
    elif len(given) > 1:
        message = f"cannot be given together with {given[1]}"
        yield Problem(given[0], message, "Map only one of the two.")


def _fit_fields(fields: Any, body: dict[str, Any], prefix: str, problems: list[Problem]) -> dict[str, Any]:
    fitted: dict[str, Any] = {}
    for name, value in body.items():
        target = prefix + name
        if name not in fields:
            problems.append(Problem(target, "is no field of m3ter's", "Remove it from the field mapping."))
        else:
            fitted[name] = None if value is None else _fit(fields[name], value, target, problems)
    for name, field in fields.items():
        if field.required and body.get(name) is None:
            problems.append(Problem(prefix + name, "is required", is_missing=True))
    return fitted


def _fit(field: shapes.FieldShape, value: Any, target: str, problems: list[Problem]) -> Any:
    if field.type == "array":
        several = value if isinstance(value, list) else [value]
        problems.extend(_count(field, several, target))
        item = field.items or shapes.FieldShape("string")
        return [_fit(item, one, f"{target}[{number}]", problems) for number, one in enumerate(several)]
    if field.type == "object" and isinstance(value, dict):
        return _fit_fields(field.fields, value, f"{target}.", problems)
    if field.type == "map" and isinstance(value, dict):
        problems.extend(_map_problems(field, value, target))
        return value
    if field.type == "integer" and isinstance(value, Decimal) and value == value.to_integral_value():
        value = int(value)
    problems.extend(Problem(target, *found) for found in _scalar_problems(field, value, target))
    return value


def _count(field: shapes.FieldShape, several: list[Any], target: str) -> Iterator[Problem]:
    if field.max_items is not None and len(several) > field.max_items:
        yield Problem(target, f"takes at most {field.max_items} items, and there are {len(several)}")


def _map_problems(field: shapes.FieldShape, value: dict[str, Any], target: str) -> Iterator[Problem]:
    if field.max_items is not None and len(value) > field.max_items:
        yield Problem(target, f"takes at most {field.max_items} keys, and there are {len(value)}")
    takes_numbers = target == "customFields"
    for key, item in value.items():
        is_number = isinstance(item, (int, Decimal)) and not isinstance(item, bool)
        if item is not None and not isinstance(item, str) and not (is_number and takes_numbers):
            what = "a text or a number" if takes_numbers else "a text"
            message = f"takes {what}, not {conversions.shown(item)}"
            yield Problem(f"{target}.{key}", message, 'Add the transform "string".')


def _scalar_problems(field: shapes.FieldShape, value: Any, target: str) -> Iterator[tuple[str, str]]:
    match field.type:
        case "integer" | "number":
            yield from _number_problems(field, value)
        case "boolean":
            if not isinstance(value, bool):
                yield f"takes true or false, not {conversions.shown(value)}", 'Add the transform "boolean".'
        case "object" | "map":
            yield f"takes a table, not {conversions.shown(value)}", f"Map its parts, as {target}.NAME."
        case "date" if not _is_time(conversions.DATE, value):
            yield f"takes a date, not {conversions.shown(value)}", 'Add the transform "date".'
        case "date-time" if not _is_time(conversions.DATE_TIME, value):
            yield f"takes a date-time, not {conversions.shown(value)}", 'Add the transform "start_of_day".'
        case "email" if not (isinstance(value, str) and EMAIL.fullmatch(value)):
            yield f"takes an e-mail address, not {conversions.shown(value)}", ""
        case "string":
            yield from _text_problems(field, value, target)
        case _:
            pass


def _number_problems(field: shapes.FieldShape, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, bool) or not isinstance(value, (int, Decimal)):
        yield f"takes a number, not {conversions.shown(value)}", 'Add the transform "decimal" or "integer".'
        return
    if field.type == "integer" and not isinstance(value, int):
        yield f"takes a whole number, not {value}", 'Add the transform "round:0" and then "integer".'
    lowest, highest = field.minimum, field.maximum
    if lowest is not None and (value < lowest or (field.exclusive_minimum and value == lowest)):
        yield f"must be {'more than' if field.exclusive_minimum else 'at least'} {lowest}, and is {value}", ""
    if highest is not None and value > highest:
        yield f"must be at most {highest}, and is {value}", ""


def _text_problems(field: shapes.FieldShape, value: Any, target: str) -> Iterator[tuple[str, str]]:
    if not isinstance(value, str):
        yield f"takes a text, not {conversions.shown(value)}", 'Add the transform "string".'
        return
    if field.max_length is not None and len(value) > field.max_length:
        message = (
            f"takes at most {field.max_length} characters, and has {len(value)}: {conversions.shown(value)}"
        )
        yield message, f'Shorten it in Salesforce, or add the transform "truncate:{field.max_length}".'
    if field.min_length is not None and len(value) < field.min_length:
        yield (
            f"takes at least {field.min_length} characters, and has {len(value)}: {conversions.shown(value)}",
            "",
        )
    if field.choices and value not in field.choices:
        yield f"takes one of {', '.join(field.choices)}, not {conversions.shown(value)}", ""
    if target == "code" and not is_code(value):
        message = f"takes no control characters and no spaces at its ends: {conversions.shown(value)}"
        yield message, 'Add the transform "code".'


def is_code(text: str) -> bool:
    """m3ter's pattern of codes: plain spaces inside only, and no control characters."""
    return text == text.strip(" ") and not any(
        char != " " and (char.isspace() or unicodedata.category(char) == "Cc") for char in text
    )


def _is_time(pattern: re.Pattern[str], value: Any) -> bool:
    if not (isinstance(value, str) and pattern.fullmatch(value)):
        return False
    return _succeeds(conversions.as_moment, value)


def _succeeds(read: Callable[[Any], Any], value: Any) -> bool:
    try:
        read(value)
    except ValueError:
        return False
    return True
