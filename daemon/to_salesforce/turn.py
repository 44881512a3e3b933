"""One run in hand: its claim, its stop, the calls it made, and how it waits while a system is away."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TypeVar

import structlog

from connectors.calls import Call
from connectors.errors import AuthenticationError, RateLimited, SyncError, TransientError
from daemon import retries, waiting
from daemon.retries import Policy
from daemon.standing import Standing
from daemon.to_salesforce import counting
from state.entity_models import Counts, RunClaim

log = structlog.get_logger(__name__)
T = TypeVar("T")


class Stopped(Exception):  # noqa: N818 - not an error to anyone
    """It was told to stop; what is durable goes on with whoever takes the run."""


@dataclass(slots=True)
class Turn:
    """`committed` is set whenever a page became durable, `is_read` once the scan has read everything."""

    claim: RunClaim
    stop: asyncio.Event
    recorded: list[Call]
    committed: asyncio.Event = field(default_factory=asyncio.Event)
    is_read: asyncio.Event = field(default_factory=asyncio.Event)

    def counts(self, **more: int) -> Counts:
        """These, with the calls made since they were last asked for."""
        calls: Counter[str] = counting.taken(self.recorded)
        return Counts(calls=dict(calls), **more)

    def check(self) -> None:
        """Raises Stopped."""
        if self.stop.is_set():
            raise Stopped

    async def pause(self, longest: timedelta) -> None:
        """Raises Stopped."""
        await waiting.pause(self.stop, longest)
        self.check()


def is_outage(error: SyncError) -> bool:
    """Whether the system as a whole is to blame, so that no record is and everything waits."""
    if isinstance(error, (AuthenticationError, RateLimited)):
        return True
    return isinstance(error, TransientError)


async def patiently(
    turn: Turn, standing: Standing, policy: Policy, question: Callable[[], Awaitable[T]]
) -> T:
    """What the system answers, asked for as long as it is away; told once when that begins and once when it
    ends. Raises Stopped, and what asking again cannot help."""
    outages = 0
    while True:
        turn.check()
        try:
            answer = await question()
        except SyncError as error:
            if not is_outage(error):
                raise
            outages += 1
            await standing.unwell(error)
            await turn.pause(delay(error, outages, policy))
        else:
            await standing.well()
            return answer


def delay(error: SyncError, outages: int, policy: Policy) -> timedelta:
    """How long to leave the system alone."""
    asked = error.retry_after if isinstance(error, TransientError) else None
    return asked or retries.pause(outages, policy)
