"""The routes that every kind of entity has: list, create, get, update, delete."""

from aiohttp import web

from connectors.sandbox.m3ter import answers, filters, paging
from connectors.sandbox.m3ter.kinds import Kind, every_kind
from connectors.sandbox.m3ter.organization import Organization, shown

PREFIX = "/organizations/{org_id}"


def routes(organization: Organization) -> list[web.RouteDef]:
    """The routes of all kinds, as far as each has them."""
    found: list[web.RouteDef] = []
    for kind in every_kind().values():
        found.extend(_of_kind(organization, kind))
    return found


def _of_kind(organization: Organization, kind: Kind) -> list[web.RouteDef]:
    async def listed(request: web.Request) -> web.Response:
        return list_page(organization, kind, request)

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


def list_page(organization: Organization, kind: Kind, request: web.Request) -> web.Response:
    """One page of a kind, filtered as the query asks."""
    table = organization.store.tables[kind.name]
    size = paging.page_size(request.query, organization.behaviour.default_page_size, kind.page_size)
    scope = paging.scope_of(request.path, request.query)
    position = paging.unseal(request.query.get("nextToken"), scope)
    organization.lists_served += 1
    every = organization.behaviour.empty_page_every
    if every and organization.lists_served % every == 0:
        return answers.reply(paging.answer([], table.end if position is None else position, scope))
    selection = filters.select(table, request.query, organization.now())
    page = table.page(size, position, selection.picked, selection.fits)
    return answers.reply(
        paging.answer([shown(entity) for entity in page.entities], page.next_position, scope)
    )
