"""The emulated m3ter as a real server on a movable clock, and a plain client that can validate exchanges."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Self
from urllib.parse import urlencode, urlsplit

import aiohttp
import pytest
from aiohttp import test_utils

from connectors import http
from connectors.sandbox.m3ter.application import application
from connectors.sandbox.m3ter.organization import Organization
from tests import openapi

Entity = dict[str, Any]


@asynccontextmanager
async def serving(organization: Organization) -> AsyncIterator[str]:
    """Serve an organization on a free port of the loopback; yields the base URL."""
    async with test_utils.TestServer(application(organization)) as server:
        yield str(server.make_url("/")).rstrip("/")


class Caller:
    """Calls one organization with a token of its own; `visited` are the operations answered so far."""

    def __init__(
        self, base_url: str, organization: Organization, description: openapi.Description | None
    ) -> None:
        self.base_url = base_url
        self.organization = organization
        self.visited: set[tuple[str, str]] = set()
        self.status = 0
        self._description = description
        self._session = aiohttp.ClientSession()
        self._token = organization.tokens.issue()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    def renew_token(self) -> None:
        """Take a new token, as after five hours."""
        self._token = self.organization.tokens.issue()

    async def get(self, path: str, **query: Any) -> Any:
        """GET below the organization; the status is in `status`."""
        return await self.call("GET", path, query=query)

    async def post(self, path: str, body: Any) -> Any:
        """POST below the organization."""
        return await self.call("POST", path, body)

    async def put(self, path: str, body: Any = None) -> Any:
        """PUT below the organization."""
        return await self.call("PUT", path, body)

    async def delete(self, path: str) -> Any:
        """DELETE below the organization."""
        return await self.call("DELETE", path)

    async def call(
        self, method: str, path: str, body: Any = None, query: Mapping[str, Any] | None = None
    ) -> Any:
        """One exchange as JSON, numbers exact."""
        full = f"/organizations/{self.organization.identity.org_id}/{path}"
        text = urlencode(
            {name: value for name, value in (query or {}).items() if value is not None}, doseq=True
        )
        return await self.raw(
            method, f"{full}?{text}" if text else full, None if body is None else http.dumps(body)
        )

    async def raw(
        self, method: str, target: str, body: bytes | None, headers: Mapping[str, str] | None = None
    ) -> Any:
        """One exchange of bytes; headers given replace the bearer token."""
        sent = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        url = self.base_url + target
        async with self._session.request(method, url, data=body, headers=headers or sent) as response:
            answered = http.loads(await response.read())
            self.status = response.status
        if self._description is not None:
            path = urlsplit(target).path
            operation = self._description.validate_response(method, path, self.status, answered)
            self.visited.add((method, operation.template))
        return answered


class Later:
    """A clock that can be moved."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@pytest.fixture
def clock() -> Later:
    """The time of `caller`'s organization."""
    return Later()


@pytest.fixture
async def caller(clock: Later) -> AsyncIterator[Caller]:
    """A caller of an empty organization without a rate limit; it validates nothing."""
    organization = Organization(clock.now)
    organization.behaviour.requests_per_second = None
    async with serving(organization) as url, Caller(url, organization, None) as calling:
        yield calling


async def every(caller: Caller, path: str, **query: Any) -> list[Entity]:
    """All entities of a list, page by page, through empty pages."""
    found: list[Entity] = []
    page = await caller.get(path, **query)
    found += page["data"]
    while "nextToken" in page:
        page = await caller.get(path, **query, nextToken=page["nextToken"])
        found += page["data"]
    return found
