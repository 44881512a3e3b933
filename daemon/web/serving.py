"""The HTTP side of the daemon: one small server for health, metrics, the JSON API and the panel."""

import errno
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from socket import socket

from aiohttp import hdrs, web

from daemon.configuration import ConfigurationError
from daemon.settings import HttpSettings
from daemon.web import api, guarding, health, metrics, panel
from daemon.web.sources import SOURCES, Sources

_SHUTDOWN_SECONDS = 2


@asynccontextmanager
async def serve(http: HttpSettings, sources: Sources, door: socket | None = None) -> AsyncIterator[str]:
    """Answer until left; gives the base URL. Raises ConfigurationError when the address cannot be had.

    `door` is a socket that listens there already.
    Starts before the database is there: `/livez` and `/readyz` answer from the first moment.
    """
    runner = web.AppRunner(
        application(http, sources), access_log=None, handle_signals=False, shutdown_timeout=_SHUTDOWN_SECONDS
    )
    await runner.setup()
    try:
        site = web.SockSite(runner, door) if door else web.TCPSite(runner, http.host, http.port)
        try:
            await site.start()
        except OSError as error:
            raise _unavailable(http, error) from error
        yield f"http://{_bracketed(http.host)}:{_port(runner)}"
    finally:
        await runner.cleanup()


def application(http: HttpSettings, sources: Sources) -> web.Application:
    """All routes behind one guard."""
    guard = guarding.middleware((http.host, *http.hosts), panel.refused)
    app = web.Application(middlewares=[guard], client_max_size=4_096)
    app.on_response_prepare.append(_unnamed)
    app[SOURCES] = sources
    for part in (health, metrics, api, panel):
        app.add_routes(part.routes)
    return app


async def _unnamed(_request: web.Request, answer: web.StreamResponse) -> None:
    """Nobody needs to know which server in which version answers."""
    answer.headers.popall(hdrs.SERVER, None)


def _port(runner: web.AppRunner) -> int:
    address = runner.addresses[0]
    return int(address[1])


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _unavailable(http: HttpSettings, error: OSError) -> ConfigurationError:
    place = f"{_bracketed(http.host)}:{http.port}"
    if error.errno == errno.EADDRINUSE:
        return ConfigurationError(
            f"{place} is taken by another program.", "Set http.port to a free one, or end that program."
        )
    return ConfigurationError(
        f"m3sync cannot listen on {place}: {error.strerror or error}.", "Correct http.host."
    )
