"""Sleeping that ends early: on the stop event, or when something to do is announced."""

import asyncio
from datetime import timedelta


class Bell:
    """Wakes all who wait for it, again and again. Each takes the next ring before looking for work, so that
    one during the look counts for each of them, whoever has heard it besides."""

    def __init__(self) -> None:
        self._next = asyncio.Event()

    def next_ring(self) -> asyncio.Event:
        return self._next

    def ring(self) -> None:
        rung, self._next = self._next, asyncio.Event()
        rung.set()


def never() -> asyncio.Event:
    """A stop event for those who are stopped by cancellation only."""
    return asyncio.Event()


async def pause(stop: asyncio.Event, longest: timedelta) -> None:
    """Until `stop` is set or the time is over."""
    await either(longest, stop)


async def either(longest: timedelta, *events: asyncio.Event) -> None:
    """Until one of the events is set or the time is over."""
    waiting = [asyncio.create_task(event.wait(), name="pause") for event in events]
    try:
        await asyncio.wait(waiting, timeout=longest.total_seconds(), return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
