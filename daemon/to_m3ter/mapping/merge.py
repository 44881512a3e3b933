"""What to send to m3ter: a new body for a create, the entity as read with our fields for an update."""

from collections.abc import Collection
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from daemon.to_m3ter.mapping import conversions

Entity = dict[str, Any]
UNORDERED = frozenset(
    {"productIds", "lineItemTypes", "usageFilters", "feeDates"}
)  # sets, though JSON says list
KEYED = {
    "pricingBands": "lowerLimit",
    "overagePricingBands": "lowerLimit",
}  # items are told apart by this field


@dataclass(frozen=True, slots=True)
class Merge:
    """A PUT body, and what it changes: field ("address.locality") -> (before, after); none: do not send."""

    body: Entity
    changes: dict[str, tuple[Any, Any]]


def creation(desired: Entity) -> Entity:
    """A POST body: the desired fields without those to be empty."""
    body: Entity = {}
    for name, value in desired.items():
        kept = {k: v for k, v in value.items() if v is not None} if isinstance(value, dict) else value
        if not _is_empty(kept):
            body[name] = kept
    return body


def merge(entity: Entity, desired: Entity, request_fields: Collection[str]) -> Merge:
    """Lay the desired fields over the entity as read.

    PUT replaces the whole, so the body keeps `version` and every request field that the mapping does not own;
    of `customFields`, `address` and other tables only the owned keys change. A field to be empty is left out.
    """
    body = {name: entity[name] for name in (*request_fields, "version") if entity.get(name) is not None}
    changes: dict[str, tuple[Any, Any]] = {}
    for name, wanted in desired.items():
        before = entity.get(name)
        if isinstance(wanted, dict):
            merged = _merge_table(name, before if isinstance(before, dict) else {}, wanted, changes)
        elif is_same(name, before, wanted):
            continue
        else:
            changes[name] = (before, wanted)
            merged = _with_ids(before, wanted, KEYED[name]) if name in KEYED else wanted
        if _is_empty(merged):
            body.pop(name, None)
        else:
            body[name] = merged
    return Merge(body, changes)


def is_same(name: str, before: Any, after: Any) -> bool:
    """Equality as m3ter means it: money by value, date-times by instant, bands without m3ter's own ids."""
    if _is_empty(before) or _is_empty(after):
        return _is_empty(before) and _is_empty(after)
    if isinstance(before, bool) or isinstance(after, bool):
        return before is after
    if isinstance(before, (int, Decimal)) and isinstance(after, (int, Decimal)):
        return Decimal(before) == Decimal(after)
    if isinstance(before, str) and isinstance(after, str):
        return before == after or _is_same_instant(before, after)
    if isinstance(before, list) and isinstance(after, list):
        return _is_same_list(name, before, after)
    if isinstance(before, dict) and isinstance(
        after, dict
    ):  # what m3ter adds to an item (its id) is no difference
        return all(is_same(key, before.get(key), item) for key, item in after.items())
    return bool(before == after)


def _is_same_list(name: str, before: list[Any], after: list[Any]) -> bool:
    if len(before) != len(after):
        return False
    if name in KEYED:
        key = KEYED[name]
        before = sorted(before, key=lambda item: Decimal(item.get(key) or 0))
        after = sorted(after, key=lambda item: Decimal(item.get(key) or 0))
    elif name in UNORDERED:
        rest = list(before)
        for item in after:
            same = next((other for other in rest if is_same("", other, item)), None)
            if same is None:
                return False
            rest.remove(same)
        return True
    return all(is_same("", one, other) for one, other in zip(before, after, strict=True))


def _is_same_instant(before: str, after: str) -> bool:
    if not (conversions.DATE_TIME.fullmatch(before) and conversions.DATE_TIME.fullmatch(after)):
        return False
    try:
        return conversions.as_moment(before) == conversions.as_moment(after)
    except ValueError:
        return False


def _merge_table(name: str, before: Entity, wanted: Entity, changes: dict[str, tuple[Any, Any]]) -> Entity:
    merged = dict(before)
    for key, value in wanted.items():
        if is_same(key, before.get(key), value):
            continue
        changes[f"{name}.{key}"] = (before.get(key), value)
        if _is_empty(value):
            merged.pop(key, None)
        else:
            merged[key] = value
    return merged


def _with_ids(before: Any, wanted: Any, key: str) -> Any:
    """Keep m3ter's id (and what else it holds) of the band that begins at the same limit."""
    if not (isinstance(before, list) and isinstance(wanted, list)):
        return wanted
    known = {Decimal(item[key]): item for item in before if item.get(key) is not None}
    return [{**known.get(Decimal(item.get(key) or 0), {}), **item} for item in wanted]


def _is_empty(value: Any) -> bool:
    return value is None or value in ("", [], {})
