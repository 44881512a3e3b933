"""Both clients of the official m3ter SDK, sync and async, behind one set of awaitable calls."""

import asyncio
import base64
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import m3ter

from connectors.sandbox.m3ter.organization import Organization
from tests.m3ter_calls import serving

Entity = dict[str, Any]
BOTH = ("sync", "async")


class Sdk:
    """Either client of the SDK behind one set of awaitable calls."""

    def __init__(self, client: m3ter.M3ter | m3ter.AsyncM3ter) -> None:
        self.client = client

    async def call(self, resource: str, method: str, *args: Any, **named: Any) -> Any:
        """One call, `resource` dotted."""
        target: Any = self.client
        for name in (*resource.split("."), method):
            target = getattr(target, name)
        if isinstance(self.client, m3ter.AsyncM3ter):
            return await target(*args, **named)
        return await asyncio.to_thread(target, *args, **named)

    async def pages(self, resource: str, method: str = "list", *args: Any, **named: Any) -> list[Any]:
        """Every item of a list, paged through by the SDK itself."""
        target: Any = self.client
        for name in (*resource.split("."), method):
            target = getattr(target, name)
        if isinstance(self.client, m3ter.AsyncM3ter):
            return [item async for item in target(*args, **named)]
        return await asyncio.to_thread(lambda: list(target(*args, **named)))


def arguments(body: Entity) -> Entity:
    """A request body as the SDK's named arguments."""
    return {
        re.sub(r"(?<!^)([A-Z])", lambda found: "_" + found[1].lower(), key): _floats(value)
        for key, value in body.items()
    }


def _floats(value: Any) -> Any:
    """The SDK knows money as float only."""
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, dict):
        return {key: _floats(item) for key, item in value.items()}
    return [_floats(item) for item in value] if isinstance(value, list) else value


@asynccontextmanager
async def connected(organization: Organization, how: str) -> AsyncIterator[Sdk]:
    """Serve an organization and open an SDK client to it; the async client must be handed its token."""
    identity = organization.identity
    keys: dict[str, Any] = {
        "api_key": identity.api_key,
        "api_secret": identity.api_secret,
        "org_id": identity.org_id,
    }
    async with serving(organization) as url:
        if how == "sync":
            with m3ter.M3ter(**keys, base_url=url, max_retries=0) as client:
                yield Sdk(client)
            return
        async with m3ter.AsyncM3ter(**keys, base_url=url, max_retries=0) as waiting:
            basic = base64.b64encode(f"{identity.api_key}:{identity.api_secret}".encode()).decode()
            grant = await waiting.authentication.get_bearer_token(
                grant_type="client_credentials", extra_headers={"Authorization": f"Basic {basic}"}
            )
            waiting.token = grant.access_token
            yield Sdk(waiting)
