"""After a bill run m3ter tells of thousands at once: they are read and kept a hundred at a time."""

import tracemalloc

import pytest

from connectors.errors import TransientError
from connectors.sandbox.m3ter import billing
from daemon.to_salesforce.feed import Feed
from state import entity_runs, entity_syncs
from state.entity_models import EntitySync, EntityType, RunCause
from state.models import RunStatus
from tests.acceptance.house import House
from tests.integration import copying, dry_running, lagging


@pytest.fixture
async def bills(house: House) -> EntitySync:
    """None yet, and scanned."""
    sync = await copying.added(house, EntityType.BILL)
    await copying.once(house, sync)
    await house.sandbox.m3ter_control.clear_journal()
    return await entity_syncs.get(house.db, sync.integration.name)


async def billed(house: House, number: int, text: str = "Usage") -> None:
    """A bill run: each bill is told, with all its lines."""
    (account_id,) = await copying.load(house, "Account", copying.rows(1))
    lines = [billing.line(text, "10.50"), billing.line(text, "0.01")]
    for _ in range(number):
        billing.bill(lagging.organization(house), account_id, lines)


async def kept(house: House) -> int:
    found: int = await house.db.fetchval("SELECT count(*) FROM entity_copies")
    return found


async def test_thousands_of_bills_take_little_room(house: House, bills: EntitySync) -> None:
    await billed(house, 5_000, "Usage " * 400)
    async with dry_running.at_work(house, bills) as place:
        tracemalloc.start()
        try:
            assert await Feed(place).read(bills)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert await kept(house) == 5_000
    assert await lagging.asked(house, path="/bills") == 50
    # All of them together took 250 million; the journal of the emulated m3ter is in it, with 50.
    assert peak < 80 * 10**6, f"{peak:,} bytes"


async def test_what_was_kept_before_a_failure_is_written_and_nothing_is_passed_over(
    house: House, bills: EntitySync
) -> None:
    await billed(house, 250)
    match = {"path": "*/bills", "query": "*ids=*"}
    await house.sandbox.m3ter_control.fault("status", match=match, status=500, skip=2)
    async with dry_running.at_work(house, bills) as place:
        feed = Feed(place)
        with pytest.raises(TransientError):
            await feed.read(bills)
        assert await kept(house) == 200
        assert (await entity_syncs.get(house.db, bills.integration.name)).feed_at is None
        async with copying.copying(house):
            run = await copying.ended(house, bills, 2)
        assert (run.cause, run.status, run.written) == (RunCause.FEED, RunStatus.COMPLETE, 200)
        await house.sandbox.m3ter_control.clear_faults()
        assert await feed.read(bills)
    assert await kept(house) == 250
    assert (await entity_syncs.get(house.db, bills.integration.name)).feed_at is not None
    async with copying.copying(house):
        run = await copying.ended(house, bills, 3)
    assert (run.cause, run.written) == (RunCause.FEED, 50)
    assert len(await entity_runs.list_runs(house.db, bills.integration.integration_id)) == 3
