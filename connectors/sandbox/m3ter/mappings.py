"""External mappings looked up from either side, and which mappings the organization permits."""

from typing import Any

from aiohttp import web

from connectors.sandbox.m3ter import answers, listing
from connectors.sandbox.m3ter.entities import PREFIX
from connectors.sandbox.m3ter.filters import Selection
from connectors.sandbox.m3ter.organization import Organization

Entity = dict[str, Any]


def routes(organization: Organization) -> list[web.RouteDef]:
    """The two look-ups and the configuration."""

    async def by_entity(request: web.Request) -> web.Response:
        return _looked_up(organization, request, "m3terId", {"m3terEntity": request.match_info["entity"]})

    async def by_external_id(request: web.Request) -> web.Response:
        wanted = {
            "externalSystem": request.match_info["system"],
            "externalTable": request.match_info["table"],
        }
        return _looked_up(organization, request, "externalId", wanted)

    async def configuration(_request: web.Request) -> web.Response:
        return answers.reply(organization.store.documents["ExternalMappingConfiguration"])

    async def options(request: web.Request) -> web.Response:
        return answers.reply(_options(organization, request.match_info["entity_type"]))

    return [
        web.get(f"{PREFIX}/externalmappings/external/{{entity}}/{{id}}", by_entity),
        web.get(f"{PREFIX}/externalmappings/externalid/{{system}}/{{table}}/{{id}}", by_external_id),
        web.get(f"{PREFIX}/externalmappingconfiguration", configuration),
        web.get(f"{PREFIX}/externalmappingconfiguration/values/{{destination}}/{{entity_type}}", options),
    ]


def _looked_up(
    organization: Organization, request: web.Request, indexed: str, wanted: dict[str, str]
) -> web.Response:
    table = organization.store.tables["ExternalMapping"]
    picked = table.candidates(indexed, [request.match_info["id"]])
    selection = Selection(picked, lambda one: all(one[name] == wanted[name] for name in wanted))
    return listing.of_table(organization, request, listing.Listing(table, selection))


def _options(organization: Organization, entity_type: str) -> list[Entity]:
    """Candidates on the far side: this sandbox knows those that were mapped already."""
    seen: dict[str, Entity] = {}
    for mapping in organization.store.tables["ExternalMapping"]:
        if mapping["m3terEntity"] == entity_type:
            seen.setdefault(mapping["externalId"], {"externalId": mapping["externalId"]})
    return list(seen.values())
