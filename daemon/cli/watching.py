"""Watches what the service works on until it is over, until Ctrl-C, or until nobody works on it."""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from daemon import waiting
from daemon.cli import presence
from daemon.cli.headway import Headway, View
from state import health
from state.database import Pool

_LOOK = timedelta(milliseconds=500)
_QUIET = timedelta(seconds=10)  # without headway for so long it is asked whether anybody works on it


class Ended(StrEnum):
    """Why the watching ended."""

    OVER = "over"
    INTERRUPTED = "interrupted"
    ABANDONED = "abandoned"


@dataclass(frozen=True, slots=True)
class Watcher:
    """`fresh`: a service that works has said something of itself within that time."""

    db: Pool
    view: View
    fresh: timedelta

    async def watch(self, look: Callable[[], Awaitable[Headway]]) -> Ended:
        clock = asyncio.get_running_loop().time
        seen, moved_at = None, clock()
        with _interrupts() as stop, self.view:
            while True:
                now = await look()
                self.view.show(now)
                if now.is_over:
                    return Ended.OVER
                if stop.is_set():
                    return Ended.INTERRUPTED
                if now != seen:
                    seen, moved_at = now, clock()
                is_still = clock() - moved_at >= _QUIET.total_seconds()
                if is_still and presence.is_absent(await health.all(self.db), self.fresh):
                    return Ended.ABANDONED
                await waiting.pause(stop, _LOOK)


@contextmanager
def _interrupts() -> Iterator[asyncio.Event]:
    """Set by Ctrl-C, which here ends the watching only."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGINT, stop.set)
    try:
        yield stop
    finally:
        loop.remove_signal_handler(signal.SIGINT)
