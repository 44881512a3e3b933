"""What every answer of the web side carries, and whom it answers at all."""

import ipaddress
from collections.abc import Callable, Iterable

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware

# Nothing is loaded from anywhere else, nothing runs, nothing is framed, nothing is sent.
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    hdrs.CACHE_CONTROL: "no-store",
}
LOOPBACK = ("localhost", "127.0.0.1", "::1")


def host_name(host: str) -> str:
    """The name in a Host header, without port and brackets, in lower case."""
    host = host.strip().lower()
    if host.startswith("["):
        return host[1:].partition("]")[0]
    name, colon, port = host.rpartition(":")
    return (name if colon and port.isdigit() else host).rstrip(".")


Refused = Callable[[web.Request, web.HTTPException], web.StreamResponse]


def middleware(names: Iterable[str], refused: Refused) -> Middleware:
    """Refuses requests under a foreign name (DNS rebinding) and lays the headers on every answer.

    `refused` words what no route answers: an unknown path, another method than GET.
    """
    allowed = {host_name(name) for name in (*LOOPBACK, *names)}

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        name = host_name(request.headers.get(hdrs.HOST, ""))
        if name not in allowed and not _is_loopback(name):
            answer: web.StreamResponse = web.Response(
                status=421,
                text="m3sync does not answer to this host name. Use localhost, or set http.hosts.\n",
            )
        else:
            try:
                answer = await handler(request)
            except web.HTTPException as refusal:
                answer = refused(request, refusal)
        answer.headers.update(HEADERS)
        return answer

    return guard


def _is_loopback(name: str) -> bool:
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
