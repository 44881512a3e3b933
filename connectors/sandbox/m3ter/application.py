"""The HTTP API of one emulated m3ter organization, put together."""

from aiohttp import web

from connectors.sandbox.m3ter import (
    balances,
    bills,
    controls,
    enddates,
    entities,
    eventlists,
    gate,
    lineitems,
    mappings,
    oauth,
    search,
    singles,
)
from connectors.sandbox.m3ter.organization import Organization

# Above the firewall's limit, so that it is the firewall that refuses a body that is too large.
_LARGEST_READ = 64 * 1024 * 1024


def application(organization: Organization) -> web.Application:
    """An aiohttp application that serves the organization; it keeps nothing of its own."""
    app = web.Application(middlewares=gate.middlewares(organization), client_max_size=_LARGEST_READ)
    # The general routes come last: /accounts/search is no account.
    for part in (
        controls,
        oauth,
        search,
        singles,
        mappings,
        eventlists,
        lineitems,
        bills,
        balances,
        enddates,
        entities,
    ):
        app.add_routes(part.routes(organization))
    return app
