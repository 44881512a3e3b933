"""Calls under way to Salesforce: a slot for each, the records that are on their way, and its outages."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import NoReturn

from connectors.errors import RateLimited, SyncError, TransientError
from daemon import prober
from daemon.to_salesforce import portions, turn
from daemon.to_salesforce.gauge import Gauge
from daemon.to_salesforce.place import Place
from daemon.to_salesforce.turn import Turn
from state import entity_runs
from state.entity_models import Waiting

# For each slot a call that Salesforce has, and one whose records are at hand or whose results are being kept:
# so a slot is taken again at once, and no more than that is in memory.
_FOR_EACH_SLOT = 2
# Payloads of all of these together: with many slots heavy records are fewer at a time.
_MOST_BYTES = 32 * 1024 * 1024


class Grounded(Exception):  # noqa: N818 - no error of the records that it concerns
    """Salesforce is to be left alone, or it is to stop: the records wait on, as they are in the database."""


class Choked(Exception):  # noqa: N818 - it may be an outage all the same
    """Salesforce failed over this call and answers another: one of its records may be to blame."""

    def __init__(self, error: TransientError) -> None:
        super().__init__(error.message)
        self.error = error


class Flights:
    """Of one run. Records of a flight are no other's until it has landed."""

    def __init__(self, place: Place, turn_: Turn) -> None:
        self._place = place
        self._turn = turn_
        self._gauge = Gauge(place)
        self._slots = asyncio.Semaphore(place.manner.in_flight)
        self._calling = 0
        self._flights: dict[asyncio.Task[None], frozenset[str]] = {}
        self._sizes: dict[asyncio.Task[None], int] = {}  # in bytes, of what each has in memory to its end
        self._outages = 0
        self._left_alone_until = 0.0
        self._answered = asyncio.Event()

    def __len__(self) -> int:
        return len(self._flights)

    @property
    def room(self) -> int:
        """How many more may begin, however heavy they are."""
        left = max(0, _MOST_BYTES - sum(self._sizes.values())) // portions.MOST_BYTES
        return min(left, self._place.manner.in_flight * _FOR_EACH_SLOT - len(self._flights))

    @property
    def busy(self) -> frozenset[str]:
        """The records on their way, by m3ter id."""
        return frozenset[str]().union(*self._flights.values())

    @property
    def left_alone(self) -> timedelta:
        """How long no call is to be made."""
        left = self._left_alone_until - asyncio.get_running_loop().time()
        return timedelta(seconds=max(0.0, left))

    def begin(self, writing: Coroutine[None, None, None], rows: Sequence[Waiting], *, size: int = 0) -> None:
        """Rows that no other flight has, of so many bytes; `writing` makes its calls in a `slot()`."""
        flight = asyncio.create_task(writing, name=f"writing of {self._place.name}")
        self._flights[flight] = _ids(rows)
        self._sizes[flight] = size

    def narrow(self, rows: Sequence[Waiting]) -> None:
        """Of the flight that says so only these are still on their way; what became of the others is kept."""
        flight = asyncio.current_task()
        if flight in self._flights:
            self._flights[flight] = _ids(rows)

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """One call, when it may be made. Raises Grounded when it may not, or was for nothing; Choked.

        LeaseLost before a call that would be for settings that were changed, or beside somebody else's."""
        async with self._slots:
            if self._turn.stop.is_set() or self.left_alone or self._gauge.is_spent(self._calling):
                raise Grounded
            self._calling += 1
            try:
                await entity_runs.check(self._place.db, self._turn.claim)
                async with self.heeded():
                    yield
            finally:
                self._calling -= 1
        self._answered.set()

    @asynccontextmanager
    async def heeded(self) -> AsyncIterator[None]:
        """Tells an outage, during which everything waits: what was sent is sent again, which does no harm.

        Raises Grounded then, Choked when it may be none; errors of another kind as they are."""
        try:
            yield
        except SyncError as error:
            if not turn.is_outage(error):
                raise
            if isinstance(error, TransientError) and await self._is_there(error):
                raise Choked(error) from error
            await self.ground(error)
        if not self.left_alone:
            self._outages = 0
            await self._place.org.standing.well()

    async def ground(self, error: SyncError) -> NoReturn:
        """Salesforce is left alone for a while. Raises Grounded."""
        if not self.left_alone:  # what fails beside the first is the same outage
            self._outages += 1
        pause = turn.delay(error, self._outages, self._place.manner.policy)
        until = asyncio.get_running_loop().time() + pause.total_seconds()
        self._left_alone_until = max(self._left_alone_until, until)
        await self._place.org.standing.unwell(error)
        raise Grounded from error

    async def _is_there(self, error: TransientError) -> bool:
        """Whether Salesforce, which has not asked to be left alone, answers a harmless question."""
        is_told = isinstance(error, RateLimited) or error.unreachable or error.retry_after is not None
        if is_told or self.left_alone or self._turn.stop.is_set():
            return False
        return await prober.complaint(self._place.org.salesforce.limits) is None

    async def land(self) -> None:
        """Wait until one has landed, a slot is free, a page came that may fill another, or it is to stop.

        What is in flight when it is to stop is waited for: it is kept, not sent again. Raises what a flight
        was ended by."""
        events = [self._turn.committed, self._answered]
        events += [event for event in (self._turn.stop, self._turn.is_read) if not event.is_set()]
        signals = [asyncio.create_task(event.wait(), name="signal of the writer") for event in events]
        try:
            await asyncio.wait([*self._flights, *signals], return_when=asyncio.FIRST_COMPLETED)
            self._answered.clear()
            if self._turn.stop.is_set():
                await asyncio.wait(self._flights)
        finally:
            for signal in signals:
                signal.cancel()
            await asyncio.gather(*signals, return_exceptions=True)
        for flight in [each for each in self._flights if each.done()]:
            del self._flights[flight], self._sizes[flight]
            with suppress(Grounded):
                flight.result()

    async def cancel(self) -> None:
        """All that is under way, unseen."""
        for flight in self._flights:
            flight.cancel()
        await asyncio.gather(*self._flights, return_exceptions=True)


def _ids(rows: Sequence[Waiting]) -> frozenset[str]:
    return frozenset(row.m3ter_id for row in rows)
