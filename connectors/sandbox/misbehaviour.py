"""The middlewares of a sandbox server: write each request into the journal, and let its faults happen."""

import socket
import struct
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import unquote_plus

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from connectors import wire
from connectors.sandbox import faults, journal
from connectors.sandbox.clock import Clock

JSON = "application/json;charset=UTF-8"
Proceed = Callable[[], Awaitable[web.StreamResponse]]
SLOW_PIECES = 20


@dataclass(frozen=True, slots=True)
class Refusal:
    """How a system says no: its status, its JSON body."""

    status: int
    body: Any

    def as_response(self) -> web.Response:
        """The refusal as an answer."""
        body = wire.dumps(self.body)
        return web.Response(status=self.status, body=body, headers={"Content-Type": JSON})


class Manners(Protocol):
    """What a fault must know about the system it happens to."""

    def expire_session(self, bearer_token: str) -> Refusal:
        """Withdraw the token for good, and say it as this system does."""

    def rate_limited(self) -> Refusal:
        """What this system says when there were too many requests."""


class Misbehaviour:
    """Both middlewares of one server with what they need; `stopping` lets go of every held request."""

    def __init__(self, clock: Clock, manners: Manners) -> None:
        self.clock = clock
        self.manners = manners
        self.journal = journal.Journal()
        self.faults = faults.Faults()

    def stop(self) -> None:
        """Release whatever is held, so that the server can end."""
        self.faults.clear()

    def middleware(self) -> Middleware:
        """One middleware for the application; the control API passes it by."""

        @web.middleware
        async def observe(request: web.Request, handler: Handler) -> web.StreamResponse:
            if request.path.startswith("/sandbox/"):
                # straight to its handler: a firewall or a rate limit of the system is not for the control API
                return await request.match_info.handler(request)
            return await self._journalled(request, handler)

        return observe

    async def _journalled(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        entry = self.journal.open_entry(self.clock.now(), request.method, request.path, request.query_string)
        began = time.perf_counter()
        response: web.StreamResponse | None = None
        try:
            response = await self._faulty(entry, request, handler)
        except web.HTTPException as error:
            response = error
            raise
        except Exception:
            entry.status = 500  # a defect of the sandbox itself: aiohttp answers it so
            raise
        finally:
            entry.milliseconds = round((time.perf_counter() - began) * 1000, 3)
            if response is not None and not isinstance(response, Withheld):
                entry.status = response.status
            said = response.body if isinstance(response, web.Response) else None
            asked = request._read_bytes or b""  # noqa: SLF001 - aiohttp keeps the body it has read only there
            self.journal.keep_bodies(entry, asked, said if isinstance(said, bytes) else b"")
        return response

    async def _faulty(
        self, entry: journal.Entry, request: web.Request, handler: Handler
    ) -> web.StreamResponse:
        async def served() -> web.StreamResponse:
            return await handler(request)

        proceed: Proceed = served
        body = (await request.read()).decode(errors="replace") if self.faults.look_into_bodies else ""
        asked = faults.Asked(request.method, request.path, unquote_plus(request.query_string), body)
        met = self.faults.meeting(asked)
        if met:
            entry.fault = ",".join(fault.request.kind for fault in met)
        for fault in reversed(met):
            proceed = _around(fault, request, self.manners, proceed)
        return await proceed()


class Withheld(web.Response):
    """Stands for an answer that never reaches the client."""


def _around(fault: faults.Fault, request: web.Request, manners: Manners, proceed: Proceed) -> Proceed:
    async def faulty() -> web.StreamResponse:
        return await _happen(fault, request, manners, proceed)

    return faulty


async def _happen(
    fault: faults.Fault, request: web.Request, manners: Manners, proceed: Proceed
) -> web.StreamResponse:
    kinds = faults.Kind
    if fault.request.kind is not kinds.REFUSE:
        await request.read()
    match fault.request.kind:
        case kinds.LATENCY:
            await fault.hold(fault.request.seconds or 0)
            return await proceed()
        case kinds.HANG_BEFORE:
            await fault.hold(fault.request.seconds)
            # when the client gave up meanwhile, what never arrived takes no effect
            return Withheld() if _is_gone(request) else await proceed()
        case kinds.STATUS_AFTER | kinds.RESET_AFTER | kinds.HANG_AFTER | kinds.TRUNCATE | kinds.SLOW:
            return await _afterwards(fault, request, await proceed())
        case _:
            return await _instead(fault, request, manners)


async def _instead(fault: faults.Fault, request: web.Request, manners: Manners) -> web.Response:
    """What is answered, or not, in place of the effect."""
    match fault.request.kind:
        case faults.Kind.STATUS:
            return _posted_answer(fault.request)
        case faults.Kind.EXPIRED_SESSION:
            scheme_and_token = request.headers.get("Authorization", "")
            return manners.expire_session(scheme_and_token.partition(" ")[2]).as_response()
        case faults.Kind.RATE_LIMITED:
            return manners.rate_limited().as_response()
        case faults.Kind.BLACK_HOLE:
            await fault.hold(None)
    return _reset(request)


async def _afterwards(
    fault: faults.Fault, request: web.Request, response: web.StreamResponse
) -> web.StreamResponse:
    """What becomes of the answer when the effect has taken place."""
    match fault.request.kind:
        case faults.Kind.STATUS_AFTER:
            return _posted_answer(fault.request)
        case faults.Kind.HANG_AFTER:
            await fault.hold(fault.request.seconds)
            return response
        case faults.Kind.TRUNCATE | faults.Kind.SLOW:
            return await _spoil_body(fault, request, response)
    return _reset(request)


def _posted_answer(asked: faults.FaultRequest) -> web.Response:
    headers = {"Content-Type": JSON, **asked.headers}
    if isinstance(asked.body, str):
        headers = {"Content-Type": "text/html;charset=UTF-8", **asked.headers}
        return web.Response(status=asked.status, body=asked.body.encode(), headers=headers)
    body = b"" if asked.body is None else wire.dumps(asked.body)
    return web.Response(status=asked.status, body=body, headers=headers)


async def _spoil_body(
    fault: faults.Fault, request: web.Request, response: web.StreamResponse
) -> web.StreamResponse:
    body = response.body if isinstance(response, web.Response) else None
    if not isinstance(body, bytes) or not body:
        return _reset(request)
    content_type = response.headers.get("Content-Type", JSON)
    headers = {"Content-Type": content_type, "Content-Length": str(len(body))}
    spoilt = web.StreamResponse(status=response.status, headers=headers)
    await spoilt.prepare(request)
    if fault.request.kind is faults.Kind.TRUNCATE:
        await spoilt.write(body[: len(body) // 2])
        if request.transport is not None:
            request.transport.close()
        return Withheld()
    step = max(1, -(-len(body) // SLOW_PIECES))
    pause = (fault.request.seconds or 1.0) / SLOW_PIECES
    for start in range(0, len(body), step):
        await spoilt.write(body[start : start + step])
        await fault.hold(pause)
    await spoilt.write_eof()
    return spoilt


def _is_gone(request: web.Request) -> bool:
    return request.transport is None or request.transport.is_closing()


def _reset(request: web.Request) -> web.Response:
    """Break the connection off with a TCP reset, as a crashed server or a middle box does."""
    if request.transport is not None:
        connection = request.transport.get_extra_info("socket")
        if connection is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        request.transport.abort()
    return Withheld()
