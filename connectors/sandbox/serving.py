"""Both emulated systems served from this process: where they are, how to log in, what they hold."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from connectors import wire
from connectors.sandbox import company
from connectors.sandbox.clock import Clock
from connectors.sandbox.m3ter import application as m3ter_api
from connectors.sandbox.m3ter import crowd as m3ter_crowd
from connectors.sandbox.m3ter.organization import Organization
from connectors.sandbox.manners import M3terManners, SalesforceManners
from connectors.sandbox.salesforce import rest as salesforce_api
from connectors.sandbox.salesforce.records import Org
from connectors.sandbox.salesforce.sessions import ConnectedApp, new_key_pair
from connectors.sandbox.salesforce.streaming import OrgStream
from connectors.sandbox.servers import System, listening

API_VERSION = "67.0"
JWT_AUDIENCE = "https://login.salesforce.com"


@dataclass(frozen=True, slots=True)
class Options:
    """What to serve. Port 0: a free one; `empty`: no demo company; `scale`: one of so many accounts.

    `or_free`: a free port for one that is taken.
    `m3ter_scale`: as many accounts in m3ter already, each with contract, commitment, balance and three bills.
    """

    salesforce_port: int = 0
    m3ter_port: int = 0
    empty: bool = False
    scale: int | None = None
    host: str = "127.0.0.1"
    m3ter_scale: int | None = None
    or_free: bool = False


@dataclass(frozen=True, slots=True)
class Running:
    """The two systems: base URLs with credentials, and the systems themselves for the same process.

    Salesforce is advertised as `localhost`: its CometD needs cookies, and cookie jars take none from an IP
    address (aiohttp's not unless it is made unsafe). m3ter is advertised by its address.
    """

    salesforce: dict[str, Any]
    m3ter: dict[str, Any]
    clock: Clock = field(repr=False)
    org: Org = field(repr=False)
    stream: OrgStream = field(repr=False)
    organization: Organization = field(repr=False)

    def as_json(self) -> str:
        """One line of JSON: base URLs and credentials."""
        return wire.dumps({"salesforce": self.salesforce, "m3ter": self.m3ter}).decode()


@asynccontextmanager
async def serve(options: Options | None = None) -> AsyncIterator[Running]:
    """Serve both systems until the context is left; raises OSError when a port is taken."""
    wanted = options or Options()
    clock = Clock(-company.AGE)
    org, organization = Org(clock), Organization(clock.now)
    company.declare_fields(org.schema)
    if not wanted.empty:
        company.found(org, organization, scale=wanted.scale)
    if wanted.m3ter_scale is not None:
        m3ter_crowd.load(organization, wanted.m3ter_scale)
    clock.advance(company.AGE)
    stream = OrgStream(org)
    listens = partial(listening, clock=clock, host=wanted.host, or_free=wanted.or_free)
    async with (
        listens(_salesforce(org, stream), port=wanted.salesforce_port) as salesforce_port,
        listens(_m3ter(organization), port=wanted.m3ter_port) as m3ter_port,
    ):
        yield Running(
            salesforce={"url": f"http://{_name(wanted.host)}:{salesforce_port}", **_salesforce_login(org)},
            m3ter={"url": f"http://{wanted.host}:{m3ter_port}", **_m3ter_login(organization)},
            clock=clock,
            org=org,
            stream=stream,
            organization=organization,
        )


def _name(host: str) -> str:
    return "localhost" if host == "127.0.0.1" else host


def _salesforce(org: Org, stream: OrgStream) -> System:
    app = salesforce_api.application(org)
    stream.add_routes(app)
    return System(
        name="salesforce",
        app=app,
        manners=SalesforceManners(org),
        own_kinds=stream.own_kinds(),
        runner_options=salesforce_api.RUNNER_OPTIONS,
        clear_own=stream.clear_faults,
        stop=stream.stop,
    )


def _m3ter(organization: Organization) -> System:
    return System("m3ter", m3ter_api.application(organization), M3terManners(organization))


def _salesforce_login(org: Org) -> dict[str, Any]:
    private_key, public_key = new_key_pair()
    run_as = org.actor.user_id
    app: ConnectedApp = org.sessions.new_app(run_as, public_key=public_key)
    user = org.row(run_as) or {}
    return {
        "client_id": app.client_id,
        "client_secret": app.client_secret,
        "username": user["Username"],
        "private_key": private_key,
        "audience": JWT_AUDIENCE,
        "refresh_token": org.sessions.grant(app, run_as),
        "flow": "client_credentials",  # of the three that these values serve, the one that spends nothing
        "org_id": org.org_id,
        "api_version": API_VERSION,
    }


def _m3ter_login(organization: Organization) -> dict[str, Any]:
    identity = organization.identity
    return {"org_id": identity.org_id, "api_key": identity.api_key, "api_secret": identity.api_secret}
