"""Texts, numbers, truth values, dates and moments out of what Salesforce or a document gives."""

import re
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
DATE_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:?\d\d)", re.ASCII)


def is_empty(value: Any) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def shown(value: Any) -> str:
    """A value as it may appear in a message: quoted, and cut where long."""
    text = str(value)
    return repr(text if len(text) <= 60 else text[:57] + "...")


def as_text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, dict):
        message = f"a compound value cannot be text: {shown(value)}"
        raise ValueError(message)
    return str(value)


def as_decimal(value: Any) -> Decimal:
    if not isinstance(value, bool):
        try:
            number = Decimal(value.strip() if isinstance(value, str) else value)
        except (InvalidOperation, TypeError, ValueError):
            number = Decimal("NaN")
        if number.is_finite():
            return number
    message = f"{shown(value)} is not a number"
    raise ValueError(message)


def as_integer(value: Any) -> int:
    number = as_decimal(value)
    if number != number.to_integral_value():
        message = f"{shown(value)} is not a whole number"
        raise ValueError(message)
    return int(number)


def as_boolean(value: Any) -> bool:
    known = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
    answer = known.get(as_text(value).strip().lower())
    if answer is None:
        message = f"{shown(value)} is neither true nor false"
        raise ValueError(message)
    return answer


def as_moment(value: Any) -> datetime:
    """A Salesforce date or date-time, as an instant; a date is its midnight in UTC."""
    text = as_text(value).strip()
    try:
        if DATE.fullmatch(text):
            return datetime.fromisoformat(text).replace(tzinfo=UTC)
        if DATE_TIME.fullmatch(text):
            return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        pass  # the shape is right but there is no such day or hour: said below, like any other wrong text
    message = f"{shown(value)} is not a date"
    raise ValueError(message)


def written(moment: datetime) -> str:
    """A date-time in the form m3ter uses: UTC, milliseconds, Z."""
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z".rjust(24, "0")
