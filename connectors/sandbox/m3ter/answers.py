"""JSON in and out of the emulated m3ter: exact numbers, and one error body for everything."""

from typing import Any

from aiohttp import web

from connectors import http
from connectors.sandbox.m3ter.refusals import bad_request

MEDIA_TYPE = "application/json"


def reply(body: Any, status: int = 200) -> web.Response:
    """A JSON answer."""
    return web.Response(body=http.dumps(body), status=status, content_type=MEDIA_TYPE)


def error(status: int, message: str) -> web.Response:
    """An error answer: `{"message": …}` and nothing else."""
    return reply({"message": message}, status)


async def body_of(request: web.Request) -> Any:
    """The JSON body; raises RefusedError when it is none."""
    try:
        return http.loads(await request.read())
    except ValueError:
        raise bad_request("Malformed JSON in request body") from None
