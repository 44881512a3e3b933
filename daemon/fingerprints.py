"""Hashes of Salesforce field values, alike for a value as it is written and as its change event tells it."""

import hashlib
import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from connectors.errors import RejectedError
from connectors.salesforce.models import to_id18

_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d")
_ID15 = re.compile(r"[A-Za-z0-9]{15}")
# A change of large text (more than 1,000 characters) is told as a difference, which tells no content.
_DIFFERENCE = "diff"


def of(object_name: str, fields: Mapping[str, object]) -> dict[str, str]:
    """Of fields as a REST call writes them, by their names in lower case.

    A parent named by its external id ({"Account": {...}}) has no hash: its event, which tells the id of the
    parent, will be a near miss. Name it by that id where it is known.
    """
    return {
        name.lower(): _hash(object_name, name, value)
        for name, value in fields.items()
        if not isinstance(value, Mapping) and name.lower() not in ("id", "attributes")
    }


def of_event(object_name: str, payload: Mapping[str, Any]) -> dict[str, str | None]:
    """Of an event's body: compound fields under the names of their parts; None for unknowable content."""
    return {
        name.lower(): None if isinstance(value, Mapping) else _hash(object_name, name, value)
        for name, value in _leaves(payload)
    }


def names(changed_fields: Collection[str], payload: Mapping[str, Any]) -> set[str]:
    """The names in an event's header ("BillingAddress.Street"), as `of_event` has them."""
    found: set[str] = set()
    for changed in changed_fields:
        whole, _, part = changed.partition(".")
        parts = [part] if part else list(_parts(payload.get(whole)))
        found |= {_component(whole, each).lower() for each in parts} or {whole.lower()}
    return found


def empty(object_name: str, field_names: Collection[str]) -> dict[str, str]:
    """What each field's hash is when it has no value."""
    return {name: _hash(object_name, name, None) for name in field_names}


def unset(object_name: str, field_names: Collection[str]) -> dict[str, str]:
    """What each field's hash is when it is a checkbox that is not ticked."""
    return {name: _hash(object_name, name, False) for name in field_names}


def _leaves(payload: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in payload.items():
        if parts := _parts(value):
            for part, inner in parts.items():
                yield _component(name, part), inner
        else:
            yield name, value


def _parts(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) and _DIFFERENCE not in value else {}


def _component(compound: str, part: str) -> str:
    """The field that is a part of a compound one: BillingAddress.Street is BillingStreet, Name.LastName is
    LastName, Place__c.Latitude is Place__Latitude__s."""
    if compound == "Name":
        return part
    if compound.endswith("__c"):
        return f"{compound.removesuffix('__c')}__{part.removesuffix('__s')}__s"
    if compound.endswith("Address"):
        return compound.removesuffix("Address") + part
    return f"{compound}.{part}"


def _hash(object_name: str, name: str, value: object) -> str:
    text = f"{object_name}\0{name.lower()}\0{_canonical(value)}"
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def _canonical(value: object) -> str:
    """One spelling of a value, however it was written; texts of different kinds never meet."""
    match value:
        case bool():
            return f"truth {value}"
        case int() | Decimal() | float():
            return _number(Decimal(str(value)))
        case datetime():
            return _instant(value)
        case date():
            return f"text {value.isoformat()}"
        case str():
            return _text(value)
        case None:
            return "nothing"
        case _:
            return f"other {value!r}"


def _number(value: Decimal) -> str:
    """By its digits and exponent: written out, or by normalize(), a number may be huge, or be rounded."""
    sign, digits, exponent = value.as_tuple()
    if not isinstance(exponent, int):
        return f"number {value}"
    text = "".join(map(str, digits)).lstrip("0")
    significant = text.rstrip("0")
    if not significant:
        return "number 0"
    return f"number {'-' if sign else ''}{significant}e{exponent + len(text) - len(significant)}"


def _text(value: str) -> str:
    """Salesforce trims texts, keeps an empty one as null, and spells ids with 18 characters."""
    text = value.replace("\r\n", "\n").strip()
    if not text:
        return "nothing"
    if _INSTANT.match(text):
        try:
            return _instant(datetime.fromisoformat(text))
        except ValueError:
            return f"text {text}"
    if _ID15.fullmatch(text):
        try:
            return f"text {to_id18(text)}"
        except RejectedError:
            return f"text {text}"
    return f"text {text}"


def _instant(at: datetime) -> str:
    """In UTC; as it stands where UTC has no such year, as for 9999-12-31T23:59:59-08:00."""
    aware = at if at.tzinfo else at.replace(tzinfo=UTC)
    with suppress(OverflowError):
        aware = aware.astimezone(UTC)
    return f"instant {aware.isoformat(timespec='milliseconds')}"
