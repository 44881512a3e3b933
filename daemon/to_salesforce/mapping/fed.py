"""A custom field's value in the form of the Salesforce field that it feeds, as the org describes that."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from daemon.to_salesforce.mapping import conversions
from daemon.to_salesforce.mapping.errors import ValueUnfit

_TEXTS = frozenset(
    (
        *("string", "textarea", "email", "url", "phone", "picklist", "multipicklist", "combobox"),
        "encryptedstring",
    )
)
_NUMBERS = frozenset(("double", "currency", "percent", "int", "long"))
# No text and no number makes one of these.
UNFEEDABLE = frozenset(("address", "location", "base64", "complexvalue"))

_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]{1,3})?", re.ASCII)
_BOOLEANS: Mapping[Any, bool] = {"true": True, "false": False, 1: True, 0: False}
_MOST_DIGITS = 100  # written out: no field has room for so many


@dataclass(frozen=True, slots=True)
class FedField:
    """A field that a person made, by its type in a describe."""

    type: str
    length: int = 0
    precision: int = 0
    scale: int = 0

    @property
    def is_cut(self) -> bool:
        return False

    @property
    def is_computed(self) -> bool:
        return False


Fed = Mapping[str, FedField]  # by the name of the field in small letters


def described(field: Mapping[str, Any]) -> FedField:
    """Of one field of a describe. An int has digits, and no precision."""
    figures = [int(field.get(name) or 0) for name in ("length", "precision", "digits", "scale")]
    length, precision, digits, scale = figures
    return FedField(str(field.get("type") or ""), length, precision or digits, scale)


def convert(field: FedField | None, value: Any) -> Any:
    """The value as the field takes it; as it is for a field that nobody described. Raises ValueUnfit."""
    if isinstance(value, Mapping | list):
        raise ValueUnfit("m3ter has neither a text nor a number there.")
    if isinstance(value, str):
        value = conversions.clean(value) or None
    if field is None:
        return value
    if field.type == "boolean":
        return _checkbox(value)
    if value is None:
        return None
    if field.type in _TEXTS:
        return _text(field, value)
    if field.type in _NUMBERS:
        return _number(field, value)
    if field.type == "date":
        return conversions.day(field, _written(value))
    if field.type == "datetime":
        return conversions.instant(field, _written(value))
    return value


def _text(field: FedField, value: Any) -> str | None:
    said = _plain(value)
    if field.length and conversions.measure(said) > field.length:
        return conversions.text(field, said)  # says how long it is
    return said


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        if not value.is_finite() or abs(value.adjusted()) > _MOST_DIGITS:
            raise ValueUnfit(f"{value} is not a text.")
        return format(value, "f")
    return str(value)


def _number(field: FedField, value: Any) -> int | Decimal | None:
    if isinstance(value, str):
        said = value.strip()
        if not _NUMBER.fullmatch(said):
            raise ValueUnfit(f"{conversions.quoted(value)} is not a number.")
        value = Decimal(said)
    return conversions.number(field, value) if field.precision else value


def _checkbox(value: Any) -> bool:
    if isinstance(value, bool) or value is None:
        return conversions.checkbox(FedField("boolean"), value)
    found = _BOOLEANS.get(value.strip().lower() if isinstance(value, str) else value)
    if found is None:
        raise ValueUnfit(f"{conversions.quoted(value)} is neither true nor false.")
    return found


def _written(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueUnfit(f"{conversions.quoted(value)} is not a date.")
    return value.strip()
