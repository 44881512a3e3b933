"""A wire to a server that breaks on command: what a network, a firewall or a dying machine does to HTTP."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum, auto

from yarl import URL


class Break(StrEnum):
    """What becomes of a request on whose bytes the wire breaks, and of everything later on its connection."""

    SWALLOW = auto()  # it never arrives, and nobody says so
    MUTE = auto()  # it arrives, and its answer never comes
    TORSO = auto()  # half of the answer comes, and then nothing for ever
    DRIBBLE = auto()  # a byte of the answer now and then, without end
    CUT = auto()  # both sides see the connection reset


@dataclass(slots=True)
class Wire:
    """A TCP relay to `target`. `marker` in a request is where it breaks, `left` times."""

    target: URL
    url: str = ""
    marker: bytes = b""
    how: Break = Break.CUT
    left: int = 0
    is_down: bool = False  # no new connection is served, as on a machine that vanished
    _writers: list[asyncio.StreamWriter] = field(default_factory=list)

    def breaks(self, how: Break, marker: str, times: int = 1) -> None:
        self.how, self.marker, self.left = how, marker.encode(), times

    def goes_silent(self) -> None:
        """Half-open: every connection stays as it is and carries nothing any more, new ones neither."""
        self.is_down = True

    def comes_back(self) -> None:
        self.is_down = False

    async def relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        with suppress(OSError):
            far_reader, far_writer = await asyncio.open_connection(self.target.host, self.target.port)
            self._writers.append(far_writer)
            back = asyncio.create_task(self._back(far_reader, writer), name="wire-back")
            try:
                await self._forth(reader, far_writer, back)
            finally:
                back.cancel()
                await asyncio.gather(back, return_exceptions=True)
                for each in (far_writer, writer):
                    each.transport.abort()

    async def _forth(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, back: "asyncio.Task[None]"
    ) -> None:
        while piece := await reader.read(64 * 1024):
            if self.is_down:
                continue  # the client's own patience ends this
            if self.left and self.marker in piece:
                self.left -= 1
                if self.how is Break.CUT:
                    return
                if self.how is Break.SWALLOW:
                    continue
                back.set_name(self.how)
            writer.write(piece)
            await writer.drain()

    async def _back(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while piece := await reader.read(64 * 1024):
            how = asyncio.current_task().get_name()  # type: ignore[union-attr] # this is a task
            if self.is_down or how == Break.MUTE:
                continue
            if how in (Break.TORSO, Break.DRIBBLE):
                await self._spoil(piece, how, writer)
            writer.write(piece)
            await writer.drain()
        writer.close()

    async def _spoil(self, piece: bytes, how: str, writer: asyncio.StreamWriter) -> None:
        """Never returns: who waits for the rest must give up."""
        head, _, body = piece.partition(b"\r\n\r\n")
        writer.write(head + b"\r\n\r\n" + body[: len(body) // 2])
        for byte in body[len(body) // 2 : -1]:
            await asyncio.sleep(0.02)
            if how == Break.DRIBBLE:
                writer.write(bytes([byte]))
        await asyncio.Event().wait()

    def close(self) -> None:
        for writer in self._writers:
            writer.transport.abort()


@asynccontextmanager
async def to(url: str) -> AsyncIterator[Wire]:
    """A wire to the server at `url`; its own address is `wire.url`."""
    wire = Wire(URL(url))
    server = await asyncio.start_server(wire.relay, "127.0.0.1", 0)
    wire.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield wire
    finally:
        wire.close()
        server.close()
        await server.wait_closed()
