"""One HTTP server of the sandbox: an emulated system behind its journal, its faults and its control API."""

import errno
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.utils import format_datetime
from typing import Any

from aiohttp import web

from connectors.sandbox.clock import Clock
from connectors.sandbox.control import Act, Control
from connectors.sandbox.misbehaviour import Manners, Misbehaviour

LARGEST_BODY = 64 * 1024 * 1024
STOP_GRACE_SECONDS = 1.0


def _nothing() -> None:
    """What a system does that has nothing of its own to do."""


@dataclass(frozen=True, slots=True)
class System:
    """An emulated system: its application, its manners, and what only it can be told to do."""

    name: str
    app: web.Application
    manners: Manners
    own_kinds: Mapping[str, Act] = field(default_factory=dict)
    runner_options: Mapping[str, Any] = field(default_factory=dict)
    clear_own: Callable[[], None] = _nothing
    stop: Callable[[], None] = _nothing


@asynccontextmanager
async def listening(
    system: System, clock: Clock, host: str, port: int, *, or_free: bool = False
) -> AsyncIterator[int]:
    """Serve a system and give the port (0 asks for a free one).

    A port that is taken raises OSError, or with `or_free` is replaced by a free one.
    """
    misbehaviour = Misbehaviour(clock, system.manners)
    system.app.middlewares.insert(0, misbehaviour.middleware())
    system.app.on_response_prepare.append(_dated(clock))
    control = Control(system.name, clock, misbehaviour, system.own_kinds, system.clear_own)
    control.add_routes(system.app)
    runner = web.AppRunner(
        system.app, access_log=None, shutdown_timeout=STOP_GRACE_SECONDS, **system.runner_options
    )
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            if not or_free or error.errno != errno.EADDRINUSE:
                raise
            await web.TCPSite(runner, host, 0).start()
        yield runner.addresses[0][1]
    finally:
        misbehaviour.stop()
        system.stop()
        await runner.cleanup()


def _dated(clock: Clock) -> Callable[[web.Request, web.StreamResponse], Awaitable[None]]:
    """Answers carry the sandbox's time, as far ahead as it was moved: by them clients know its clock."""

    async def date(_request: web.Request, response: web.StreamResponse) -> None:
        response.headers["Date"] = format_datetime(clock.now(), usegmt=True)

    return date
