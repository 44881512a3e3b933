"""Fifty thousand events of a few hundred records: all heard, all synced, within the promised memory."""

from tests.acceptance import soak
from tests.bench.memory import LIMIT


async def test_a_backlog_of_fifty_thousand_events_drains_within_150_mib(database_server: str) -> None:
    found = await soak.drained(database_server, events=50_000, records=300)
    assert found.heard == 50_000 + 1
    assert (found.synced, found.places) == (found.won, set())
    assert found.won > 50
    assert found.peak < LIMIT.bound
