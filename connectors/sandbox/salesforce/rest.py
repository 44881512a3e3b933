"""The org over HTTP: the REST resources, OAuth and the sandbox's controls as one application."""

import re
from urllib.parse import unquote

from aiohttp import web

from connectors import wire
from connectors.sandbox.salesforce import (
    control,
    ingest_control,
    oauth,
    rest_bodies,
    rest_describe,
    rest_routes,
)
from connectors.sandbox.salesforce.errors import SalesforceError, not_found
from connectors.sandbox.salesforce.ingest import Ingest
from connectors.sandbox.salesforce.metadata_deploys import Deploys
from connectors.sandbox.salesforce.records import Org
from connectors.sandbox.salesforce.rest_call import Call, Reply
from connectors.sandbox.salesforce.soql_pages import Pages

MAX_URI = 16_384
# aiohttp refuses long request lines itself unless its limits are raised: give these to the runner.
RUNNER_OPTIONS = {"max_line_size": 65_536, "max_field_size": 65_536}
_VERSIONED = re.compile(r"/services/data/v(\d\d)\.0(?:/(.*))?")


class Rest:
    """Turns HTTP requests into calls and replies into responses."""

    def __init__(self, org: Org, ingest: Ingest, deploys: Deploys) -> None:
        self._org = org
        self._ingest = ingest
        self._deploys = deploys
        self._pages = Pages()

    async def versions(self, _request: web.Request) -> web.Response:
        """GET /services/data."""
        return _response(Reply(200, rest_describe.versions()))

    async def resource(self, request: web.Request) -> web.Response:
        """Everything below /services/data/vNN.0."""
        headers: dict[str, str] = {}
        try:
            reply = await self._answer(request)
        except SalesforceError as error:
            reply = Reply(error.status, error.body())
        if reply.status != 401:
            headers["Sforce-Limit-Info"] = self._org.usage.header
        return _response(reply, headers)

    async def _answer(self, request: web.Request) -> Reply:
        _check_size(request)
        session = self._org.authenticate(request)
        if session is None:
            raise SalesforceError("INVALID_SESSION_ID", "Session expired or invalid")
        found = _VERSIONED.fullmatch(request.rel_url.raw_path.rstrip("/"))
        if found is None or not rest_describe.OLDEST <= int(found.group(1)) <= rest_describe.NEWEST:
            raise not_found()
        if not self._org.usage.count():
            raise SalesforceError("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")
        rest = found.group(2) or ""
        call = Call(
            org=self._org,
            pages=self._pages,
            ingest=self._ingest,
            deploys=self._deploys,
            method=_method(request),
            path=tuple(unquote(segment) for segment in rest.split("/")) if rest else (),
            version=f"{found.group(1)}.0",
            user_id=session.user_id,
            dispatch=rest_routes.dispatch,
            query=dict(request.query),
            headers=request.headers,
            body=await rest_bodies.read(request, rest),
        )
        return rest_routes.dispatch(call)


def _method(request: web.Request) -> str:
    """Salesforce lets a client that cannot PATCH say so in the URL of a POST."""
    asked = request.query.get("_HttpMethod", "") if request.method == "POST" else ""
    return asked.upper() or request.method


def _check_size(request: web.Request) -> None:
    headers = sum(len(name) + len(value) + 4 for name, value in request.raw_headers)
    if len(request.raw_path) > MAX_URI:
        raise SalesforceError("URI_TOO_LONG", f"The URI is longer than {MAX_URI} bytes")
    if len(request.raw_path) + headers > MAX_URI:
        message = f"The URI and the headers are together longer than {MAX_URI} bytes"
        raise SalesforceError("REQUEST_HEADER_TOO_LARGE", message)


def _response(reply: Reply, headers: dict[str, str] | None = None) -> web.Response:
    every = {**reply.headers, **(headers or {})}
    if reply.body is None:
        return web.Response(status=reply.status, headers=every)
    if isinstance(reply.body, bytes):
        return web.Response(status=reply.status, body=reply.body, headers=every)
    return web.Response(
        status=reply.status,
        body=wire.dumps(reply.body),
        headers=every,
        content_type="application/json",
        charset="UTF-8",
    )


def application(org: Org) -> web.Application:
    """The Salesforce side of the sandbox, without streaming, journal and faults, which the caller adds."""
    ingest = Ingest(org)
    deploys = Deploys(org)
    rest = Rest(org, ingest, deploys)
    app = web.Application(client_max_size=rest_bodies.LARGEST_UPLOAD)
    app.router.add_get("/services/data", rest.versions)
    app.router.add_get("/services/data/", rest.versions)
    app.router.add_route("*", "/services/data/{resource:.+}", rest.resource)
    app.add_routes(oauth.routes(org))
    app.add_routes(control.routes(org))
    app.add_routes(ingest_control.routes(ingest))

    async def stop(_app: web.Application) -> None:
        await ingest.stop()
        await deploys.stop()

    app.on_cleanup.append(stop)
    return app
