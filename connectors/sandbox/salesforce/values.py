"""From a value in a request to the value that a field stores, or Salesforce's refusal."""

import re
from decimal import Decimal, InvalidOperation
from typing import Any

from connectors import wire
from connectors.sandbox.salesforce import ids, notation
from connectors.sandbox.salesforce.errors import SalesforceError, malformed_id
from connectors.sandbox.salesforce.fields import NUMBER_TYPES, TEXT_TYPES, Field

Row = dict[str, Any]
_TOKENS: dict[type, str] = {
    bool: "VALUE_BOOLEAN",
    str: "VALUE_STRING",
    int: "VALUE_NUMBER_INT",
    dict: "START_OBJECT",
    list: "START_ARRAY",
}
_EMAIL = re.compile(r"[^@\s,;<>]+@[^@\s,;<>]+\.[^@\s,;<>.]{2,}")


def coerce(field: Field, value: Any) -> Any:
    """The stored form of `value`: text, bool, Decimal, int, `2026-01-31` or a dateTime in UTC; None is empty.

    Raises SalesforceError with the field to blame.
    """
    if value is None or (value == "" and field.type in TEXT_TYPES | {"reference"}):
        _empty(field)
        return None
    if field.type in TEXT_TYPES:
        return _text(field, value)
    if field.type in NUMBER_TYPES:
        return _number(field, value)
    match field.type:
        case "boolean":
            return _boolean(field, value)
        case "date":
            return _day(field, value)
        case "datetime":
            return _instant(field, value)
        case _:
            return _reference(field, value)


def _empty(field: Field) -> None:
    if field.type == "boolean":
        message = f"{field.label}: value not of required type: null"
        raise SalesforceError("INVALID_TYPE_ON_FIELD_IN_RECORD", message, (field.name,))
    if field.is_required:
        raise missing([field.name])


def missing(names: list[str]) -> SalesforceError:
    """Required fields without a value."""
    return SalesforceError(
        "REQUIRED_FIELD_MISSING", f"Required fields are missing: [{', '.join(names)}]", names
    )


def _wrong_type(field: Field, value: Any) -> SalesforceError:
    kind = {"currency": "double", "percent": "double", "reference": "reference"}.get(field.type, field.type)
    if field.type in TEXT_TYPES:
        kind = "string"
    seen = "VALUE_NUMBER_FLOAT"
    for python_type, name in _TOKENS.items():
        if isinstance(value, python_type):
            seen = name
            break
    shown = "" if isinstance(value, dict | list) else f" value {wire.dumps(value).decode().strip(chr(34))}"
    message = f"Cannot deserialize instance of {kind} from {seen}{shown}"
    message += " or request may be missing a required field"
    return SalesforceError("JSON_PARSER_ERROR", f"{message} at [line:1, column:2]")


def _text(field: Field, value: Any) -> str | None:
    if not isinstance(value, str):
        raise _wrong_type(field, value)
    text = value.strip()
    if len(text) > field.length:
        message = f"{field.label}: data value too large: {text} (max length={field.length})"
        raise SalesforceError("STRING_TOO_LONG", message, (field.name,))
    if field.type == "email" and text and _EMAIL.fullmatch(text) is None:
        message = f"{field.label}: invalid email address: {text}"
        raise SalesforceError("INVALID_EMAIL_ADDRESS", message, (field.name,))
    if field.is_restricted and text:
        _check_picklist(field, text)
    if not text:
        _empty(field)
    return text or None


def _check_picklist(field: Field, text: str) -> None:
    for part in text.split(";") if field.type == "multipicklist" else [text]:
        if part not in field.values:
            message = f"{field.label}: bad value for restricted picklist field: {part}"
            raise SalesforceError("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", message, (field.name,))


def _number(field: Field, value: Any) -> Decimal | int:
    if isinstance(value, bool) or not isinstance(value, int | Decimal | str):
        raise _wrong_type(field, value)
    try:
        exact = Decimal(value)
    except InvalidOperation:
        raise _wrong_type(field, value) from None
    if not exact.is_finite() or (field.type == "int" and exact != exact.to_integral_value()):
        raise _wrong_type(field, value)
    if exact.adjusted() >= field.precision - field.scale:
        message = f"{field.label}: value outside of valid range on numeric field: {value}"
        raise SalesforceError("NUMBER_OUTSIDE_VALID_RANGE", message, (field.name,))
    return int(exact) if field.type == "int" else notation.number(exact, field.scale)


def _boolean(field: Field, value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in {"true", "false"}:
        return value.lower() == "true"
    raise _wrong_type(field, value)


def _day(field: Field, value: Any) -> str:
    if isinstance(value, str):
        day = notation.parse_day(value)
        if day is not None:
            return value
        at = notation.parse_instant(value)
        if at is not None:
            return at.date().isoformat()
    raise _wrong_type(field, value)


def _instant(field: Field, value: Any) -> str:
    if isinstance(value, str):
        at = notation.parse_instant(value)
        if at is not None:
            return notation.instant(at)
        if notation.parse_day(value) is not None:
            return f"{value}T00:00:00.000+0000"
    raise _wrong_type(field, value)


def _reference(field: Field, value: Any) -> str:
    record_id = ids.normalize(value)
    if record_id is None:
        raise malformed_id(field.label, value, (field.name,))
    return record_id
