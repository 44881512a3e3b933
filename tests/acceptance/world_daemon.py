"""A daemon in a process of its own, SIGKILLed at once or at the nth commit or outside write to come."""

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

from daemon import app, logs
from daemon.cli.stopping import stop_on_signals
from daemon.settings import Settings
from tests.acceptance import forked, killing

UNARMED = 0


class Fuse:
    """Burns one point at a time while armed, and kills this process at its end; see killing.KillPoints."""

    def __init__(self, left: Any) -> None:
        self._left = left

    def begin(self, name: str) -> str:
        self._burn()
        return name

    def end(self, _point: str) -> None:
        self._burn()

    def _burn(self) -> None:
        if self._left.value == UNARMED:
            return
        self._left.value -= 1
        if self._left.value == UNARMED:
            os.kill(os.getpid(), signal.SIGKILL)


def main(settings: Settings, log: str, left: Any) -> None:
    """The service, as `m3sync run` has it, with its log in a file."""
    killing.install(Fuse(left))  # type: ignore[arg-type]  # it counts, as KillPoints does, and keeps no list
    with Path(log).open("a", buffering=1) as stream:
        logs.configure("info", "json", stream=stream)
        asyncio.run(_serve(settings))


async def _serve(settings: Settings) -> None:
    stop = asyncio.Event()
    stop_on_signals(stop)
    await app.run(settings, stop)


class Daemon:
    """At most one process at a time."""

    def __init__(self, settings: Settings, log: Path) -> None:
        self.log = log
        self._settings = settings
        self._left = forked.PROCESSES.Value("i", UNARMED, lock=False)
        self._process: Any = None
        self.deaths = 0

    @property
    def is_alive(self) -> bool:
        if self._process is None:
            return False
        if self._process.is_alive():
            return True
        # One that ends by itself, and not at its fuse, has failed.
        code, self._process = self._process.exitcode, None
        self.deaths += 1
        assert code in (0, -signal.SIGKILL, -signal.SIGTERM), f"the daemon ended with {code}: {self.tail()}"
        return False

    def start(self) -> None:
        if not self.is_alive:
            self.disarm()
            process = forked.PROCESSES.Process(target=main, args=(self._settings, str(self.log), self._left))
            process.start()
            self._process = process

    def arm(self, points: int) -> None:
        """It dies when so many points were passed: each commit and outside write is two, before and after."""
        self._left.value = points

    def disarm(self) -> None:
        self._left.value = UNARMED

    async def kill(self) -> None:
        if self.is_alive:
            self._process.kill()
            await self._gone()

    async def stop(self) -> None:
        """In order, as the service manager asks for it."""
        if self.is_alive:
            self.disarm()
            self._process.terminate()
            await self._gone()

    async def _gone(self) -> None:
        async with asyncio.timeout(90):
            while self.is_alive:  # noqa: ASYNC110 - another process, which no event of ours tells of
                await asyncio.sleep(0.005)

    def tail(self) -> str:
        """The end of its log."""
        return self.log.read_text()[-6_000:] if self.log.exists() else ""
