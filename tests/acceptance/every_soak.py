"""`make soak`: a quarter of a million events of three thousand records, in the same memory."""

from tests.acceptance import soak
from tests.bench import stage
from tests.bench.memory import LIMIT


async def test_a_backlog_of_250_000_events_drains_within_150_mib() -> None:
    async with stage.server() as server:
        found = await soak.drained(server, events=250_000, records=3_000)
    assert found.heard == 250_000 + 1
    assert (found.synced, found.places) == (found.won, set())
    assert found.peak < LIMIT.bound
