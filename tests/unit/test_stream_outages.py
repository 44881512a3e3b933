"""Outages of the stream: told once at each end, waits that grow and are spread, sessions that come and go."""

from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from connectors.errors import AuthenticationError, SyncError, TransientError
from connectors.salesforce.outages import Outages, Pace
from connectors.salesforce.stream_refusing import SessionLost

PACE = Pace()
AWAY = TransientError("away")


@dataclass(slots=True)
class Watched:
    """Outages on a clock of the test's, and what they told."""

    now: float = 1000.0
    told: list[SyncError | str] = field(default_factory=list)
    outages: Outages = field(init=False)

    def __post_init__(self) -> None:
        self.outages = Outages(PACE, self.told.append, lambda: self.told.append("over"), lambda: self.now)

    async def fails(self, error: SyncError = AWAY, *, after: float = 0.0) -> float:
        self.now += after
        return (await self.outages.began(error)).total_seconds()


def asking(seconds: float) -> TransientError:
    error = TransientError("busy")
    error.retry_after = timedelta(seconds=seconds)
    return error


async def test_an_outage_is_told_once_at_each_end() -> None:
    watched = Watched()
    for _ in range(5):
        await watched.fails()
    await watched.outages.ended()
    await watched.outages.ended()
    assert watched.told == [AWAY, "over"]


async def test_waits_double_up_to_the_longest_and_are_spread() -> None:
    waits = [[await watched.fails() for _ in range(9)] for watched in [Watched() for _ in range(200)]]
    for place, full in enumerate([1, 2, 4, 8, 16, 32, 60, 60, 60]):
        seen = [each[place] for each in waits]
        assert full / 2 <= min(seen) < full * 0.6, "some come early"
        assert full * 0.9 < max(seen) <= full, "some come late"
        assert len(set(seen)) > 100, "no two at once"


async def test_no_wait_is_shorter_than_what_the_server_asks_for() -> None:
    waits = [await Watched().fails(asking(120)) for _ in range(200)]
    assert min(waits) >= 120
    assert max(waits) <= 180
    assert len(set(waits)) > 100


async def test_what_a_server_may_ask_for_has_an_end() -> None:
    assert await Watched().fails(asking(86_400)) <= PACE.asked.total_seconds() * 1.5


async def test_a_lost_session_is_no_outage_and_costs_no_wait_but_what_is_asked_for() -> None:
    watched = Watched()
    assert await watched.fails(SessionLost("forgotten")) == 0
    await watched.outages.ended()
    lost = SessionLost("forgotten")
    lost.retry_after = timedelta(seconds=3)
    assert await watched.fails(lost, after=60) == 3
    assert watched.told == []


async def test_sessions_that_are_lost_one_after_the_other_are_an_outage_and_slow_down() -> None:
    """Each of them proves itself by a first poll: a balancer that sends every second request elsewhere."""
    watched, waits = Watched(), []
    for _ in range(8):
        waits.append(await watched.fails(SessionLost("forgotten"), after=0.1))
        await watched.outages.ended()
    assert waits[0] == 0
    assert waits[-1] >= PACE.longest.total_seconds() / 2
    assert str(watched.told[0]) == "forgotten"


async def test_a_long_time_without_failure_makes_the_next_one_a_first_one() -> None:
    watched = Watched()
    for _ in range(8):
        await watched.fails()
    await watched.outages.ended()
    assert await watched.fails(after=31) <= 1


async def test_a_long_outage_is_not_taken_for_a_time_without_failure() -> None:
    watched = Watched()
    waits = [await watched.fails(after=60) for _ in range(8)]
    assert waits[-1] >= 30


@pytest.mark.parametrize("error", [AWAY, AuthenticationError("no"), SessionLost("again")])
async def test_what_is_told_is_the_first_error(error: SyncError) -> None:
    watched = Watched()
    await watched.fails(SessionLost("everyday"))
    await watched.fails(error)
    await watched.fails()
    assert watched.told == [error]
