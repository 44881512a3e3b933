"""Request bodies held against the fields of their kind: pure, refused in the manner of m3ter's validation."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from connectors.sandbox.m3ter import times
from connectors.sandbox.m3ter.kinds import Field
from connectors.sandbox.m3ter.refusals import bad_request

Entity = dict[str, Any]

_EMAIL = re.compile(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)*")
_NAME = re.compile(r"[^\W\d][\w$]*|\$[\w$]*")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def checked(fields: Mapping[str, Field], body: Any, *, refuse_unknown: bool, where: str = "") -> Entity:
    """The body as m3ter would keep it: known fields, nulls left out, date-times in UTC, defaults filled in.

    Raises RefusedError (400). Whether m3ter refuses unknown fields is not documented, hence `refuse_unknown`.
    """
    if not isinstance(body, dict):
        raise bad_request(f"{where.rstrip('.') or 'body'}: must be an object")
    unknown = [key for key in body if key not in fields]
    if unknown and refuse_unknown:
        raise bad_request(f"{where}{unknown[0]}: unrecognized field")
    kept: Entity = {}
    for name, field in fields.items():
        value = body.get(name)
        if value is not None:
            kept[name] = _value(field, value, f"{where}{name}")
        elif field.is_required:
            raise bad_request(f"{where}{name}: must not be null")
        elif field.default is not None:
            kept[name] = field.default
    return kept


def _value(field: Field, value: Any, where: str) -> Any:
    match field.type:
        case "number" | "integer":
            return _number(field, value, where)
        case "boolean":
            if not isinstance(value, bool):
                raise bad_request(f"{where}: must be true or false")
            return value
        case "list":
            return _list(field, value, where)
        case "object":
            return checked(field.parts or {}, value, refuse_unknown=False, where=f"{where}.")
        case "map" | "custom":
            return _map(field, value, where)
        case _:
            return _text(field, value, where)


def _number(field: Field, value: Any, where: str) -> int | Decimal:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise bad_request(f"{where}: must be a number")
    if isinstance(value, Decimal) and not value.is_finite():
        raise bad_request(f"{where}: must be a number")
    if field.type == "integer" and not _is_whole(value):
        raise bad_request(f"{where}: must be an integer")
    if field.above is not None and value <= field.above:
        raise bad_request(f"{where}: must be greater than {field.above}")
    if field.least is not None and value < field.least:
        raise bad_request(f"{where}: must be greater than or equal to {field.least}")
    if field.most is not None and value > field.most:
        raise bad_request(f"{where}: must be less than or equal to {field.most}")
    return int(value) if field.type == "integer" else value


def _is_whole(value: int | Decimal) -> bool:
    """Whether it is whole and near 64 bits; the exponent comes first: 1e999999999 is not written out."""
    if isinstance(value, int):
        return True
    return value.adjusted() <= 18 and value == value.to_integral_value()


def _list(field: Field, value: Any, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise bad_request(f"{where}: must be a list")
    _size(field, len(value), where)
    items = field.items or Field()
    return [_value(items, item, f"{where}[{index}]") for index, item in enumerate(value)]


def _map(field: Field, value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise bad_request(f"{where}: must be an object")
    _size(field, len(value), where)
    allowed = str if field.type == "map" else str | int | Decimal
    for key, item in value.items():
        if isinstance(item, bool) or not isinstance(item, allowed):
            raise bad_request(
                f"{where}.{key}: must be a string" + (" or a number" if field.type == "custom" else "")
            )
    return dict(value)


def _text(field: Field, value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise bad_request(f"{where}: must be a string")
    if field.one_of and value not in field.one_of:
        raise bad_request(f"{where}: must be one of {', '.join(field.one_of)}")
    _size(field, len(value), where)
    if field.pattern is not None and not field.pattern.fullmatch(value):
        raise bad_request(f'{where}: must match "{field.pattern.pattern}"')
    return _formatted(field, value, where)


def _formatted(field: Field, value: str, where: str) -> str:
    try:
        match field.type:
            case "date":
                return times.calendar_date(value).isoformat()
            case "date-time":
                return times.normalised(value)
    except (ValueError, OverflowError):
        raise bad_request(f"{where}: must be a valid ISO 8601 {field.type}") from None
    if field.type == "email" and not _EMAIL.fullmatch(value):
        raise bad_request(f"{where}: must be a well-formed email address")
    if field.type == "code" and not _is_code(value):
        raise bad_request(f"{where}: must not contain control characters, nor start or end with white space")
    if field.type == "name" and not _NAME.fullmatch(value):
        raise bad_request(f"{where}: must start with a letter, _ or $ and go on with letters, digits, _ or $")
    return value


def _is_code(value: str) -> bool:
    inner_spaces_apart = value.replace(" ", "")
    has_edge = value != value.strip()
    return not (has_edge or _CONTROL.search(value) or any(sign.isspace() for sign in inner_spaces_apart))


def _size(field: Field, size: int, where: str) -> None:
    if (field.least is not None and size < field.least) or (field.most is not None and size > field.most):
        least, most = field.least or 0, field.most if field.most is not None else 2147483647
        raise bad_request(f"{where}: size must be between {least} and {most}")
