"""Values that are made, not copied: names, lists, JSON texts, relations and bill lines."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import simplejson

from daemon.to_salesforce.mapping import conversions
from daemon.to_salesforce.mapping.errors import ValueUnfit
from daemon.to_salesforce.targets import TargetField

Entity = Mapping[str, Any]

_ENCODE = simplejson.JSONEncoder(
    use_decimal=True, allow_nan=False, sort_keys=True, separators=(",", ":"), ensure_ascii=False
).encode


@dataclass(frozen=True, slots=True)
class Links:
    """What is known of other records.

    `standard_accounts` has the Salesforce Account of an m3ter account, by external mapping. A relation to an
    entity type in `uncopied_types` (none of its entities is copied here) or to an id in `uncopied_ids` (left
    out by a filter) stays empty, since no such parent will ever be there; its m3ter id is kept all the same.
    """

    standard_accounts: Mapping[str, str] = field(default_factory=dict)
    uncopied_types: Collection[str] = frozenset()
    uncopied_ids: Collection[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Withheld:
    """In place of a list that m3ter has and does not give."""

    why: str


@dataclass(slots=True)
class Reading:
    """One entity being mapped, with what two of its fields need alike."""

    entity: Entity
    links: Links
    lines: tuple[str | None, int] | None = None


def json_text(value: Any) -> str:
    """JSON without spaces, keys in order, numbers as m3ter spells them, letters as they are."""
    return conversions.clean(_ENCODE(value))


def display(target: TargetField, _reading: Reading, value: Any) -> str | None:
    """A name, shortened for a field that the full name has no room in."""
    if value is None:
        return None
    if not isinstance(value, str):
        return conversions.text(target, value)
    return conversions.shortened(conversions.clean(value), target.length) or None


def joined(target: TargetField, _reading: Reading, value: Any) -> str | None:
    """A list of words, separated by semicolons, in m3ter's order."""
    if not value:
        return None
    if not isinstance(value, list) or not all(isinstance(each, str) and ";" not in each for each in value):
        message = f"{str(value)[:60]!r} is not a list of words."
        raise ValueUnfit(message)
    return conversions.text(target, ";".join(value))


def as_json(target: TargetField, _reading: Reading, value: Any) -> str | None:
    """A list or object as JSON text."""
    return conversions.text(target, json_text(value)) if value else None


def last_day(target: TargetField, _reading: Reading, value: Any) -> str | None:
    """The last day included before an exclusive end."""
    return conversions.last_day(target, value)


def count(_target: TargetField, _reading: Reading, value: Any) -> int:
    """How many there are in a list."""
    return len(_listed(value))


def lines(target: TargetField, reading: Reading, value: Any) -> str | None:
    """As many whole bill lines, from the first, as have room in the field."""
    reading.lines = _fitting_lines(target.length, _listed(value))
    return reading.lines[0]


def lines_left_out(_target: TargetField, reading: Reading, _value: Any) -> int:
    """How many bill lines had no room; the field stands behind that of the lines."""
    return reading.lines[1] if reading.lines is not None else 0


def bill_name(target: TargetField, reading: Reading, _value: Any) -> str | None:
    """The invoice number, or whose bill of what day it is."""
    entity = reading.entity
    parts = [entity.get("accountCode") or entity.get("accountId"), entity.get("billDate")]
    said = entity.get("sequentialInvoiceNumber") or " ".join(str(each) for each in parts if each)
    return conversions.shortened(conversions.clean(str(said or entity.get("id", ""))), target.length)


def commitment_name(target: TargetField, reading: Reading, _value: Any) -> str | None:
    """How much, and from when until when (the day included)."""
    entity = reading.entity
    ends_on = conversions.last_day(target, entity.get("endDate"))
    starts_on, amount = entity.get("startDate"), entity.get("amount")
    period = f"{starts_on or ''} to {ends_on or ''}".strip()
    said = " ".join(str(each) for each in (entity.get("currency"), _grouped(amount), period) if each)
    return conversions.shortened(conversions.clean(said), target.length)


def relation(target: TargetField, reading: Reading, value: Any) -> dict[str, Any]:
    """The parent's copy, named by its external id; the lookup itself, emptied, where there is none."""
    links = reading.links
    if not value or target.relation in links.uncopied_types or value in links.uncopied_ids:
        return {target.name: None}
    return {target.relationship: {target.relation_key: value}}


def salesforce_account(_target: TargetField, reading: Reading, value: Any) -> str | None:
    """The standard Account tied to this m3ter account."""
    return reading.links.standard_accounts.get(str(value))


def unmarked(_target: TargetField, _reading: Reading, _value: Any) -> None:
    """An entity that is there is not gone."""


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    if isinstance(value, Withheld):
        raise ValueUnfit(value.why)
    if not isinstance(value, list):
        message = f"{str(value)[:60]!r} is not a list."
        raise ValueUnfit(message)
    return value


def _grouped(amount: Any) -> str:
    return f"{amount:,f}" if isinstance(amount, Decimal | int) and not isinstance(amount, bool) else ""


def _fitting_lines(length: int, given: list[Any]) -> tuple[str | None, int]:
    """m3ter promises no order of lines: they stand by sequence number, then id, so that it stays the same."""
    if not given:
        return None, 0
    ordered = sorted((_told(each) for each in given), key=_place)
    whole = json_text(ordered)
    if conversions.measure(whole) <= length:
        return whole, 0
    room, kept = length - 2, list[str]()
    for each in ordered:
        said = json_text(each)
        room -= conversions.measure(said) + bool(kept)
        if room < 0:
            break
        kept.append(said)
    return f"[{','.join(kept)}]", len(ordered) - len(kept)


def _told(line: Any) -> dict[str, Any]:
    if not isinstance(line, dict):
        message = f"{str(line)[:60]!r} is not a bill line."
        raise ValueUnfit(message)
    return {name: value for name, value in line.items() if value is not None}


def _place(line: Mapping[str, Any]) -> tuple[bool, int, str]:
    number = line.get("sequenceNumber")
    return not isinstance(number, int), number if isinstance(number, int) else 0, str(line.get("id", ""))


BY_NAME: Mapping[str, Callable[[TargetField, Reading, Any], Any]] = {
    "display": display,
    "joined": joined,
    "json": as_json,
    "last_day": last_day,
    "count": count,
    "lines": lines,
    "lines_left_out": lines_left_out,
    "bill_name": bill_name,
    "commitment_name": commitment_name,
    "relation": relation,
    "salesforce_account": salesforce_account,
    "mark": unmarked,
}
