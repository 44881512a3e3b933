"""The line items of bills on their own: of one bill, one by one, and across the organization."""

from collections.abc import Iterator
from typing import Any

from aiohttp import web

from connectors.sandbox.m3ter import answers, listing
from connectors.sandbox.m3ter.entities import PREFIX
from connectors.sandbox.m3ter.organization import Organization
from connectors.sandbox.m3ter.refusals import not_found

Entity = dict[str, Any]

_LARGEST_PAGE = 100
_AUDIT = ("version", "dtCreated", "dtLastModified", "createdBy", "lastModifiedBy")


def routes(organization: Organization) -> list[web.RouteDef]:
    """The three ways to read line items."""

    async def of_bill(request: web.Request) -> web.Response:
        lines = _lines(organization.store.get("Bill", request.match_info["id"]))
        return listing.of_sequence(organization, request, lines, _LARGEST_PAGE)

    async def one(request: web.Request) -> web.Response:
        wanted = request.match_info["line_id"]
        for line in _lines(organization.store.get("Bill", request.match_info["id"])):
            if line["id"] == wanted:
                return answers.reply(line)
        raise not_found("LineItem", wanted)

    async def everywhere(request: web.Request) -> web.Response:
        return listing.of_sequence(organization, request, _found(organization, request), _LARGEST_PAGE)

    path = f"{PREFIX}/bills/{{id}}/lineitems"
    return [
        web.get(path, of_bill),
        web.get(f"{path}/{{line_id}}", one),
        web.get(f"{PREFIX}/lineitems", everywhere),
    ]


def _found(organization: Organization, request: web.Request) -> Iterator[Entity]:
    bill_id = request.query.get("billId")
    bills = [organization.store.get("Bill", bill_id)] if bill_id else organization.store.tables["Bill"]
    wanted = {
        name: request.query[name] for name in ("commitmentId", "lineItemType") if request.query.get(name)
    }
    for bill in bills:
        for line in _lines(bill):
            if all(line.get(name) == wanted[name] for name in wanted):
                yield line


def _lines(bill: Entity) -> Iterator[Entity]:
    """A bill's lines as they look on their own: with the bill's id and audit fields, bands renamed."""
    shared = {name: bill[name] for name in _AUDIT if name in bill} | {"billId": bill["id"]}
    for line in bill.get("lineItems", ()):
        own = {key: value for key, value in line.items() if key != "usagePerPricingBand"}
        bands = {"bandUsage": line["usagePerPricingBand"]} if "usagePerPricingBand" in line else {}
        yield {**shared, **own, **bands}
