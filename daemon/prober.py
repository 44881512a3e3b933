"""Asks a system now and then whether it is there, so that an outage is seen before a record meets it."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

import structlog

from connectors.errors import AuthenticationError, RejectedError, TransientError
from daemon import waiting
from daemon.standing import Standing
from state.errors import DatabaseUnavailable

log = structlog.get_logger(__name__)

# How long a system may take over the question whether it is there at all.
ANSWER = timedelta(seconds=10)
Question = Callable[[], Awaitable[object]]


async def complaint(question: Question) -> TransientError | AuthenticationError | None:
    """What keeps the system from answering a harmless question; None when it answers, be it with a no."""
    try:
        async with asyncio.timeout(ANSWER.total_seconds()):
            await question()
    except (TransientError, AuthenticationError) as error:
        return error
    except TimeoutError:
        return TransientError(
            f"It did not answer a simple question within {ANSWER.total_seconds():.0f} s.",
            instruction="Look whether the system, or the network to it, is in trouble.",
        )
    except RejectedError:
        return None
    return None


@dataclass(frozen=True, slots=True)
class Prober:
    """Keeps the standing of one system true while nothing needs to be synced."""

    question: Question
    standing: Standing
    every: timedelta

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop`."""
        while not stop.is_set():
            try:
                error = await complaint(self.question)
            except DatabaseUnavailable as unavailable:  # where a rotating token is kept
                log.debug("not asked", system=self.standing.subject, reason=unavailable.reason)
            else:
                await (self.standing.well() if error is None else self.standing.unwell(error))
            await waiting.pause(stop, self.every)
