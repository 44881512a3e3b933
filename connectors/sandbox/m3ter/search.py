"""The search endpoints: conditions joined by $, an offset instead of a token, sorting by any field."""

import re
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any

from aiohttp import web

from connectors.sandbox.m3ter import answers, paging, times
from connectors.sandbox.m3ter.entities import PREFIX
from connectors.sandbox.m3ter.kinds import Kind, every_kind
from connectors.sandbox.m3ter.organization import Organization, shown
from connectors.sandbox.m3ter.refusals import bad_request

Entity = dict[str, Any]
Condition = Callable[[Entity], bool]

_DEFAULT_PAGE, _LARGEST_PAGE = 10, 100
_CONDITION = re.compile(r"(\w+)(>=|<=|>|<|:|~)(.*)", re.DOTALL)
_PLURALS = {"ids": "id", "codes": "code", "productId": "productIds"}


def routes(organization: Organization) -> list[web.RouteDef]:
    """GET accounts/search, bills/search, commitments/search."""
    return [_route(organization, kind) for kind in every_kind().values() if kind.searchable]


def _route(organization: Organization, kind: Kind) -> web.RouteDef:
    async def search(request: web.Request) -> web.Response:
        fits = _query(kind, request.query.get("searchQuery", ""), request.query.get("operator") or "AND")
        found = [entity for entity in organization.store.tables[kind.name] if fits(entity)]
        ordered = _sorted(found, request.query.get("sortBy"), request.query.get("sortOrder") or "DESC")
        size = paging.page_size(request.query, _DEFAULT_PAGE, _LARGEST_PAGE)
        start = _offset(request.query.get("fromDocument") or "0")
        return answers.reply({"data": [shown(entity) for entity in ordered[start : start + size]]})

    return web.get(f"{PREFIX}/{kind.path}/search", search)


def _offset(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise bad_request("fromDocument: must be a whole number")
    return int(text)


def _query(kind: Kind, text: str, operator: str) -> Condition:
    conditions = [_condition(kind, part) for part in text.split("$") if part]
    if operator not in ("AND", "OR"):
        raise bad_request("operator: must be one of AND, OR")
    if not conditions:
        return lambda _entity: True
    joined = all if operator == "AND" else any
    return lambda entity: joined(condition(entity) for condition in conditions)


def _condition(kind: Kind, text: str) -> Condition:
    match = _CONDITION.fullmatch(text)
    if match is None:
        raise bad_request(f"searchQuery: {text!r} is not a condition")
    name, comparator, value = match.groups()
    if name not in kind.searchable:
        raise bad_request(f"searchQuery: {name} cannot be searched")
    return _comparison(_PLURALS.get(name, name), comparator, value)


def _comparison(name: str, comparator: str, value: str) -> Condition:
    if comparator == ":":
        wanted = {part.strip().lower() for part in value.split(",")}
        return lambda entity: any(_text(held).lower() in wanted for held in _held(entity, name))
    if comparator == "~":
        phrase = value.lower()
        return lambda entity: any(phrase in _text(held).lower() for held in _held(entity, name))
    compare: dict[str, Callable[[Any, Any], bool]] = {
        ">": lambda one, other: one > other,
        ">=": lambda one, other: one >= other,
        "<": lambda one, other: one < other,
        "<=": lambda one, other: one <= other,
    }
    bound = sort_key(value)
    return lambda entity: any(
        (key := sort_key(held))[0] == bound[0] and compare[comparator](key, bound)
        for held in _held(entity, name)
    )


def _held(entity: Entity, name: str) -> list[Any]:
    value = entity.get(name)
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def sort_key(value: Any) -> tuple[int, Any]:
    """Numbers before times before texts, so that anything can be sorted."""
    text = _text(value)
    try:
        return (0, Decimal(text)) if Decimal(text).is_finite() else (2, text)
    except InvalidOperation:
        pass  # not a number: perhaps a time
    try:
        return (1, times.moment_of(text))
    except ValueError:
        return (2, text.lower())


def _sorted(entities: list[Entity], name: str | None, order: str) -> list[Entity]:
    if order not in ("ASC", "DESC"):
        raise bad_request("sortOrder: must be one of ASC, DESC")
    if not name:
        return entities if order == "DESC" else entities[::-1]
    return sorted(entities, key=lambda one: sort_key(one.get(name, "")), reverse=order == "DESC")
