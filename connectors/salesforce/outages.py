"""When the stream is away: one word at the beginning, one at the end, and waits that grow in between."""

import inspect
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

from connectors.errors import SyncError, TransientError
from connectors.salesforce.stream_refusing import SessionLost

OnOutage = Callable[[SyncError], Awaitable[None] | None]
OnRecovery = Callable[[], Awaitable[None] | None]


@dataclass(frozen=True, slots=True)
class Pace:
    """Waits between attempts: `first`, doubled up to `longest`; what the server asks for, up to `asked`.

    After `settled` without a failure the next one is a first one again.
    """

    first: timedelta = timedelta(seconds=1)
    longest: timedelta = timedelta(minutes=1)
    asked: timedelta = timedelta(minutes=5)
    settled: timedelta = timedelta(seconds=30)


class Outages:
    """Counts failures in a row and reports an outage once.

    A session that the server forgot is everyday life (it restarted, we were slow): the first such loss is no
    outage and costs no wait. Sessions that are lost one after the other are: each proves itself with its
    first poll, so that without a memory of the losses they would be made without end and without a pause.
    """

    def __init__(
        self,
        pace: Pace,
        on_outage: OnOutage | None,
        on_recovery: OnRecovery | None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._pace = pace
        self._on_outage = on_outage
        self._on_recovery = on_recovery
        self._clock = clock
        self._failures = 0
        self._failed_at = 0.0
        self._is_over = True
        self._is_out = False

    async def began(self, error: SyncError) -> timedelta:
        """One more failure; how long to wait before the next attempt."""
        if self._is_over and self._clock() - self._failed_at > self._pace.settled.total_seconds():
            self._failures = 0
        self._failures += 1
        self._failed_at, self._is_over = self._clock(), False
        asked = error.retry_after if isinstance(error, TransientError) else None
        asked = min(asked or timedelta(0), self._pace.asked)
        if isinstance(error, SessionLost) and self._failures == 1:
            return asked
        if not self._is_out:
            self._is_out = True
            if self._on_outage is not None:
                await _done(self._on_outage(error))
        return self._wait(asked)

    async def ended(self) -> None:
        """The server answers again."""
        self._is_over = True
        if self._is_out:
            self._is_out = False
            if self._on_recovery is not None:
                await _done(self._on_recovery())

    def _wait(self, asked: timedelta) -> timedelta:
        """At least what was asked for; the rest is spread, so that many clients do not come back at once."""
        grown = min(self._pace.first * 2.0 ** min(self._failures - 1, 20), self._pace.longest)
        spread = random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, guards nothing
        return max(grown * spread, asked * (0.5 + spread))


async def _done(reported: Awaitable[None] | None) -> None:
    if inspect.isawaitable(reported):
        await reported
