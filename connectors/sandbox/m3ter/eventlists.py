"""The events API: newest first, filtered, and which events there can be."""

from collections.abc import Iterator
from typing import Any

from aiohttp import web

from connectors.sandbox.m3ter import answers, filters, paging
from connectors.sandbox.m3ter.entities import PREFIX
from connectors.sandbox.m3ter.events import event_types, fields_of
from connectors.sandbox.m3ter.organization import Organization
from connectors.sandbox.m3ter.refusals import bad_request, not_found

Entity = dict[str, Any]

_LARGEST_PAGE = 100
_OTHER_FILTERS = ("notificationId", "accountId", "eventType", "notificationCode", "eventName", "resourceId")


def routes(organization: Organization) -> list[web.RouteDef]:
    """List, get, types, fields."""

    async def listed(request: web.Request) -> web.Response:
        return _page(organization, request)

    async def get(request: web.Request) -> web.Response:
        for _number, event in organization.events.newest_first():
            if event["id"] == request.match_info["id"]:
                return answers.reply(event)
        raise not_found("Event", request.match_info["id"])

    async def types(_request: web.Request) -> web.Response:
        return answers.reply({"events": event_types()})

    async def fields(request: web.Request) -> web.Response:
        name = request.query.get("eventName") or ""
        return answers.reply({"events": fields_of([name] if name else event_types())})

    path = f"{PREFIX}/events"
    return [
        web.get(path, listed),
        web.get(f"{path}/types", types),
        web.get(f"{path}/fields", fields),
        web.get(f"{path}/{{id}}", get),
    ]


def _page(organization: Organization, request: web.Request) -> web.Response:
    """The page goes on from an event's number, so that events written meanwhile do not shift it."""
    size = paging.page_size(request.query, organization.behaviour.default_page_size, _LARGEST_PAGE)
    scope = paging.scope_of(request.path, request.query)
    below = paging.unseal(request.query.get("nextToken"), scope)
    found: list[tuple[int, Entity]] = []
    for number, event in _found(organization, request, below):
        if len(found) == size:
            return answers.reply(paging.answer([one for _, one in found], found[-1][0], scope))
        found.append((number, event))
    return answers.reply(paging.answer([one for _, one in found], None, scope))


def _found(
    organization: Organization, request: web.Request, below: int | None
) -> Iterator[tuple[int, Entity]]:
    query = request.query
    ids = filters.many(query, "ids")
    if ids and any(query.get(name) for name in _OTHER_FILTERS):
        raise bad_request("ids: cannot be used with other filters")
    filters.flag(query, "includeActioned")  # nothing is ever actioned here: both answers are the same
    if query.get("notificationId") or query.get("notificationCode"):
        return  # no notification rules, so no event has triggered one
    for number, event in organization.events.newest_first(below):
        if (not ids or event["id"] in ids) and _fits(event, request):
            yield number, event


def _fits(event: Entity, request: web.Request) -> bool:
    data = event["m3terEvent"]["eventData"]
    dto = data.get("newDto") or data.get("oldDto") or {}
    account_id = (
        dto["id"] if event["eventName"].startswith("configuration.account.") else dto.get("accountId")
    )
    held = {
        "eventName": event["eventName"],
        "eventType": "Notification",
        "resourceId": dto.get("id"),
        "accountId": account_id,
    }
    return all(not request.query.get(name) or request.query[name] == value for name, value in held.items())
