"""The token endpoint: client credentials by HTTP Basic, the grant as a form or as JSON."""

from urllib.parse import parse_qs

from aiohttp import web

from connectors.sandbox.m3ter import answers
from connectors.sandbox.m3ter.organization import Organization
from connectors.sandbox.m3ter.refusals import bad_request, unauthorized
from connectors.sandbox.m3ter.tokens import LIFETIME


def routes(organization: Organization) -> list[web.RouteDef]:
    """POST /oauth/token."""

    async def token(request: web.Request) -> web.Response:
        if not organization.tokens.accepts_key(request.headers.get("Authorization", "")):
            raise unauthorized()
        if await _grant_type(request) != "client_credentials":
            raise bad_request("grant_type: must be client_credentials")
        answer = {
            "access_token": organization.tokens.issue(),
            "token_type": "Bearer",
            "expires_in": int(LIFETIME.total_seconds()),
        }
        return answers.reply(answer)

    return [web.post("/oauth/token", token)]


async def _grant_type(request: web.Request) -> str:
    if request.content_type == answers.MEDIA_TYPE:
        body = await answers.body_of(request)
        return str(body.get("grant_type")) if isinstance(body, dict) else ""
    form = parse_qs((await request.read()).decode("utf-8", "replace"))
    return form.get("grant_type", [""])[0]
