"""When the stream is away: one word at the beginning, one at the end, and waits that grow in between."""

import inspect
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

from connectors.errors import SyncError, TransientError
from connectors.salesforce.stream_refusing import SessionLost

OnOutage = Callable[[SyncError], Awaitable[None] | None]
OnRecovery = Callable[[], Awaitable[None] | None]


@dataclass(frozen=True, slots=True)
class Pace:
    """Waits between attempts: `first`, doubled up to `longest`; what the server asks for, up to `asked`."""

    first: timedelta = timedelta(seconds=1)
    longest: timedelta = timedelta(minutes=1)
    asked: timedelta = timedelta(minutes=5)


class Outages:
    """Counts failures in a row and reports an outage once.

    A session that the server forgot is everyday life (it restarted, we were slow): the first such loss in a
    row is no outage and costs no wait.
    """

    def __init__(self, pace: Pace, on_outage: OnOutage | None, on_recovery: OnRecovery | None) -> None:
        self._pace = pace
        self._on_outage = on_outage
        self._on_recovery = on_recovery
        self._failures = 0
        self._is_out = False

    async def began(self, error: SyncError) -> timedelta:
        """One more failure; how long to wait before the next attempt."""
        self._failures += 1
        if isinstance(error, SessionLost) and self._failures == 1:
            return timedelta(0)
        if not self._is_out:
            self._is_out = True
            if self._on_outage is not None:
                await _done(self._on_outage(error))
        asked = error.retry_after if isinstance(error, TransientError) else None
        return self._wait(asked or timedelta(0))

    async def ended(self) -> None:
        """The server answers again."""
        self._failures = 0
        if self._is_out:
            self._is_out = False
            if self._on_recovery is not None:
                await _done(self._on_recovery())

    def _wait(self, asked: timedelta) -> timedelta:
        grown = self._pace.first * 2.0 ** min(self._failures - 1, 20)
        wait = max(min(grown, self._pace.longest), min(asked, self._pace.asked))
        return wait * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, guards nothing


async def _done(reported: Awaitable[None] | None) -> None:
    if inspect.isawaitable(reported):
        await reported
