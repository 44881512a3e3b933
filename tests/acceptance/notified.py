"""A notify socket, as systemd holds one, and what was said over it."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path


class Notified:
    """The lines said so far, and a way to wait for one."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._news = asyncio.Event()

    def hear(self, message: bytes) -> None:
        self.lines += message.decode().splitlines()
        self._news.set()

    async def until(self, line: str, seconds: float = 40) -> None:
        """Wait for a line; TimeoutError when it does not come."""
        async with asyncio.timeout(seconds):
            while line not in self.lines:
                self._news.clear()
                await self._news.wait()


@asynccontextmanager
async def listening(path: Path) -> AsyncIterator[Notified]:
    """A socket at `path` for NOTIFY_SOCKET."""
    notified = Notified()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
        end.bind(str(path))
        end.setblocking(False)
        loop = asyncio.get_running_loop()
        loop.add_reader(end, lambda: notified.hear(end.recv(65_536)))
        try:
            yield notified
        finally:
            loop.remove_reader(end)
