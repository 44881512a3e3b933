"""A real HTTP server on a free port that answers as it is told, and remembers what it was asked."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from connectors import wire

_RELEASED = web.AppKey("released", asyncio.Event)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Seen:
    """One request as it arrived."""

    method: str
    path: str
    query: list[tuple[str, str]]
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return wire.loads(self.body)


@dataclass(slots=True)
class FakeServer:
    """Answers in turn per (method, path); the last answer of a path stays."""

    url: str = ""
    seen: list[Seen] = field(default_factory=list)
    answers: dict[tuple[str, str], list[Handler]] = field(default_factory=dict)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    def on(self, method: str, path: str, *handlers: Handler) -> None:
        self.answers[(method, path)] = list(handlers)

    def calls(self, path: str) -> list[Seen]:
        return [seen for seen in self.seen if seen.path == path]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        query = list(request.query.items())
        self.seen.append(Seen(request.method, request.path, query, request.headers, body))
        self.arrived.set()
        handlers = self.answers.get((request.method, request.path))
        if not handlers:
            return web.Response(status=404, text="nothing here")
        handler = handlers.pop(0) if len(handlers) > 1 else handlers[0]
        return await handler(request)


def json(body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Handler:
    """Answers with a JSON document."""

    async def answer(_request: web.Request) -> web.StreamResponse:
        content = {"Content-Type": "application/json", **(headers or {})}
        return web.Response(status=status, body=wire.dumps(body), headers=content)

    return answer


def text(body: str, status: int = 200, content_type: str = "text/html") -> Handler:
    """Answers with a page."""

    async def answer(_request: web.Request) -> web.StreamResponse:
        return web.Response(status=status, text=body, content_type=content_type)

    return answer


def hang() -> Handler:
    """Never answers."""

    async def answer(request: web.Request) -> web.StreamResponse:
        await request.app[_RELEASED].wait()
        return web.Response(status=500)

    return answer


def reset() -> Handler:
    """Cuts the connection instead of answering."""

    async def answer(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    return answer


def truncated(body: bytes) -> Handler:
    """Promises more than it sends, then cuts the connection."""

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": str(len(body) + 10)})
        await response.prepare(request)
        await response.write(body)
        assert request.transport is not None
        request.transport.close()
        return response

    return answer


@asynccontextmanager
async def serving(host: str = "127.0.0.1") -> AsyncIterator[FakeServer]:
    """A fake until the context is left; hanging answers are dropped then."""
    fake = FakeServer()
    app = web.Application()
    app[_RELEASED] = asyncio.Event()
    app.router.add_route("*", "/{rest:.*}", fake.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.0)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, 0)
        await site.start()
        fake.url = f"http://{host}:{runner.addresses[0][1]}"
        yield fake
    finally:
        app[_RELEASED].set()
        await runner.cleanup()
