"""What stands before every request: firewall, rate limit, token, organization; how refusals are answered."""

import re
import time
from urllib.parse import unquote_plus

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from connectors.sandbox.m3ter import answers
from connectors.sandbox.m3ter.organization import Organization
from connectors.sandbox.m3ter.refusals import RefusedError, forbidden, unauthorized

LARGEST_BODY = 512_000
_SUSPICIOUS = re.compile(
    r"<\s*script\b|javascript:\s*alert|'\s*or\s+'?1'?\s*=\s*'?1|\bunion\s+(all\s+)?select\b"
    r"|;\s*(drop|delete|truncate)\s+(table|from)\b|\$\{jndi:",
    re.IGNORECASE,
)


class RateLimit:
    """So many requests in each second of real time, from all clients of the organization together."""

    def __init__(self) -> None:
        self._second = 0
        self._seen = 0

    def lets_pass(self, per_second: int | None) -> bool:
        """Count one request; False until the end of the second once there were too many."""
        second = int(time.time())
        if second != self._second:
            self._second, self._seen = second, 0
        self._seen += 1
        return per_second is None or self._seen <= per_second


def middlewares(organization: Organization) -> list[Middleware]:
    """The gate of one organization, outermost first."""
    limit = RateLimit()

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        if organization.behaviour.has_firewall and not request.path.startswith("/sandbox/"):
            await _inspect(request)
        if request.path.startswith("/organizations/"):
            _admit(organization, limit, request)
        return await handler(request)

    return [_answer_refusals, guard]


@web.middleware
async def _answer_refusals(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except RefusedError as refusal:
        return answers.error(refusal.status, refusal.message)
    except web.HTTPRequestEntityTooLarge:
        return answers.error(403, forbidden().message)
    except web.HTTPException as other:
        return answers.error(other.status, other.reason)


def _admit(organization: Organization, limit: RateLimit, request: web.Request) -> None:
    if not limit.lets_pass(organization.behaviour.requests_per_second):
        raise too_many_requests()
    if not organization.tokens.accepts(request.headers.get("Authorization", "")):
        raise unauthorized()
    if request.path.split("/")[2] != organization.identity.org_id:
        raise forbidden()


def too_many_requests() -> RefusedError:
    """What is said when the organization's requests of this second are used up."""
    return RefusedError(429, "Too Many Requests")


async def _inspect(request: web.Request) -> None:
    """The documented firewall: bodies over 512,000 bytes, and text that looks like an attack."""
    body = await request.read()
    if len(body) > LARGEST_BODY:
        raise forbidden()
    query = unquote_plus(request.query_string)
    if _SUSPICIOUS.search(query) or _SUSPICIOUS.search(body.decode("utf-8", "replace")):
        raise forbidden()
