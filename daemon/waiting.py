"""Sleeping that ends early: on the stop event, or when something to do is announced."""

import asyncio
from datetime import timedelta


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
