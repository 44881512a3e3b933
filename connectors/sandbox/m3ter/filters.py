"""The filters of each list: which entities to start from, and what to hold against each of them."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from multidict import MultiMapping

from connectors.sandbox.m3ter import times
from connectors.sandbox.m3ter.refusals import bad_request
from connectors.sandbox.m3ter.tables import Table

Entity = dict[str, Any]
Fits = Callable[[Entity], bool]
Query = MultiMapping[str]


@dataclass(frozen=True, slots=True)
class Selection:
    """`picked` are places of an index (None: the whole table); `fits` is applied after a page is cut."""

    picked: list[int] | None
    fits: Fits


def select(table: Table, query: Query, now: datetime) -> Selection:
    """Read the filters of a list request; raises RefusedError."""
    picked: list[int] | None = None
    tests: list[Fits] = []
    for name, values in _plain_filters(table, query):
        if picked is None:
            picked = table.candidates(name, values)
        else:
            tests.append(_any_of(name, values))
    special = _SPECIAL.get(table.kind.name)
    if special is not None:
        tests.extend(special(query, now))
    return Selection(picked, lambda entity: all(test(entity) for test in tests))


def many(query: Query, name: str) -> list[str]:
    """The values of a list parameter, given as ids=a&ids=b or as ids=a,b."""
    return [value for text in query.getall(name, []) for value in text.split(",") if value]


def _plain_filters(table: Table, query: Query) -> list[tuple[str, list[str]]]:
    found = [(field, many(query, name)) for name, field in table.kind.lists.items() if many(query, name)]
    equal = [(field, [query[name]]) for name, field in table.kind.equals.items() if query.get(name)]
    return found + equal


def _any_of(name: str, values: list[str]) -> Fits:
    wanted = set(values)

    def fits(entity: Entity) -> bool:
        held = entity.get(name)
        return not wanted.isdisjoint(held) if isinstance(held, list) else held in wanted

    return fits


def moment(query: Query, name: str) -> datetime | None:
    """A date or date-time parameter; raises RefusedError."""
    text = query.get(name)
    if not text:
        return None
    try:
        return times.moment_of(text)
    except (ValueError, OverflowError):
        raise bad_request(f"{name}: must be a valid ISO 8601 date") from None


def flag(query: Query, name: str) -> bool | None:
    """A boolean parameter; raises RefusedError."""
    text = query.get(name)
    if not text:
        return None
    if text.lower() not in ("true", "false"):
        raise bad_request(f"{name}: must be true or false")
    return text.lower() == "true"


def _active_at(when: datetime) -> Fits:
    def fits(entity: Entity) -> bool:
        starts = times.moment_of(entity["startDate"])
        return starts <= when and (not entity.get("endDate") or when < times.moment_of(entity["endDate"]))

    return fits


def _within(query: Query, prefix: str, field: str) -> list[Fits]:
    """`<prefix>Start` is inclusive, `<prefix>End` is exclusive."""
    start, end = moment(query, f"{prefix}Start"), moment(query, f"{prefix}End")
    tests: list[Fits] = []
    if start is not None:
        tests.append(lambda entity: bool(entity.get(field)) and times.moment_of(entity[field]) >= start)
    if end is not None:
        tests.append(lambda entity: bool(entity.get(field)) and times.moment_of(entity[field]) < end)
    return tests


def _dated(query: Query, _now: datetime) -> list[Fits]:
    date = moment(query, "date")
    return ([_active_at(date)] if date else []) + _within(query, "endDate", "endDate")


def _account_plans(query: Query, now: datetime) -> list[Fits]:
    if query.get("product") and not query.get("account"):
        raise bad_request("product: can only be used together with account")
    date = moment(query, "date")
    if date is not None:
        return [_active_at(date)]
    narrowed = any(query.get(name) for name in ("account", "plan", "contract"))
    return [] if flag(query, "includeall") and narrowed else [_active_at(now)]


def _balances(query: Query, _now: datetime) -> list[Fits]:
    tests = _within(query, "endDate", "_endDate")
    for name in ("contract", "contractId"):
        contract_id = query.get(name)
        if contract_id:
            tests.append(_any_of("contractId", [contract_id]))
        elif contract_id is not None and query.get("accountId"):
            tests.append(lambda entity: "contractId" not in entity)
    return tests


def _bills(query: Query, _now: datetime) -> list[Fits]:
    tests = _within(query, "billDate", "billDate") + _within(
        query, "externalInvoiceDate", "externalInvoiceDate"
    )
    locked = flag(query, "locked")
    if locked is not None:
        tests.append(lambda entity: entity.get("locked", False) is locked)
    return tests


def _pick_list(query: Query, _now: datetime) -> list[Fits]:
    archived = flag(query, "archived")
    return [] if archived is None else [lambda entity: entity.get("archived", False) is archived]


_SPECIAL: dict[str, Callable[[Query, datetime], list[Fits]]] = {
    "Commitment": _dated,
    "Pricing": _dated,
    "AccountPlan": _account_plans,
    "Balance": _balances,
    "Bill": _bills,
    "TransactionType": _pick_list,
    "Currency": _pick_list,
}
