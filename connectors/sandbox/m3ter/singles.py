"""What an organization has one of (custom fields, configuration), its users, an account's children."""

from typing import Any

from aiohttp import web

from connectors.sandbox.m3ter import answers, listing
from connectors.sandbox.m3ter.entities import PREFIX
from connectors.sandbox.m3ter.filters import Selection, many
from connectors.sandbox.m3ter.kinds import every_kind
from connectors.sandbox.m3ter.organization import Organization
from connectors.sandbox.m3ter.refusals import not_found

Entity = dict[str, Any]

_LARGEST_PAGE = 200


def routes(organization: Organization) -> list[web.RouteDef]:
    """Documents, users, children."""
    return [
        *_documents(organization, "CustomField"),
        *_documents(organization, "OrganizationConfig"),
        *_users(organization),
        web.get(f"{PREFIX}/accounts/{{id}}/children", _children(organization)),
    ]


def _documents(organization: Organization, name: str) -> list[web.RouteDef]:
    async def get(_request: web.Request) -> web.Response:
        return answers.reply(organization.store.documents[name])

    async def update(request: web.Request) -> web.Response:
        return answers.reply(organization.replace_document(name, await answers.body_of(request)))

    path = f"{PREFIX}/{every_kind()[name].path}"
    return [web.get(path, get), web.put(path, update)]


def _children(organization: Organization) -> Any:
    async def children(request: web.Request) -> web.Response:
        table = organization.store.tables["Account"]
        account = organization.store.get("Account", request.match_info["id"])
        selection = Selection(table.candidates("parentAccountId", [account["id"]]), lambda _account: True)
        return listing.of_table(
            organization, request, listing.Listing(table, selection, page_size=_LARGEST_PAGE)
        )

    return children


def _users(organization: Organization) -> list[web.RouteDef]:
    async def listed(request: web.Request) -> web.Response:
        wanted = many(request.query, "ids")
        users = [user for user in organization.users() if not wanted or user["id"] in wanted]
        return listing.of_sequence(organization, request, users, _LARGEST_PAGE)

    async def get(request: web.Request) -> web.Response:
        for user in organization.users():
            if user["id"] == request.match_info["id"]:
                return answers.reply(user)
        raise not_found("User", request.match_info["id"])

    async def me(_request: web.Request) -> web.Response:
        return answers.reply(organization.me())

    path = f"{PREFIX}/users"
    return [web.get(path, listed), web.get(f"{path}/me", me), web.get(f"{path}/{{id}}", get)]
