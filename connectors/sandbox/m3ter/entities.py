"""The routes that every kind of entity has: list, create, get, update, delete."""

from aiohttp import web

from connectors.sandbox.m3ter import answers, filters, listing
from connectors.sandbox.m3ter.kinds import Kind, every_kind
from connectors.sandbox.m3ter.organization import Organization

PREFIX = "/organizations/{org_id}"


def routes(organization: Organization) -> list[web.RouteDef]:
    """The routes of all kinds, as far as each has them."""
    found: list[web.RouteDef] = []
    for kind in every_kind().values():
        found.extend(_of_kind(organization, kind))
    return found


def _of_kind(organization: Organization, kind: Kind) -> list[web.RouteDef]:
    async def listed(request: web.Request) -> web.Response:
        table = organization.store.tables[kind.name]
        selection = filters.select(table, request.query, organization.now())
        return listing.of_table(organization, request, listing.Listing(table, selection))

    async def create(request: web.Request) -> web.Response:
        return answers.reply(organization.create(kind.name, await answers.body_of(request)))

    async def get(request: web.Request) -> web.Response:
        return answers.reply(organization.get(kind.name, request.match_info["id"]))

    async def update(request: web.Request) -> web.Response:
        body = await answers.body_of(request)
        return answers.reply(organization.replace(kind.name, request.match_info["id"], body))

    async def delete(request: web.Request) -> web.Response:
        return answers.reply(organization.delete(kind.name, request.match_info["id"]))

    many, one = f"{PREFIX}/{kind.path}", f"{PREFIX}/{kind.path}/{{id}}"
    every = {
        "list": web.get(many, listed),
        "create": web.post(many, create),
        "get": web.get(one, get),
        "update": web.put(one, update),
        "delete": web.delete(one, delete),
    }
    return [every[operation] for operation in kind.operations]
