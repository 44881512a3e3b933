"""A slow database slows the reading: no poll while a batch is not durable, few in memory, nothing lost."""

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import asyncpg
import pytest

from connectors.salesforce.models import ChangeEvent
from connectors.sandbox.salesforce.cometd_sessions import REPLY_EVENTS
from daemon.to_m3ter import presets
from state import inbox
from state.database import Pool
from tests.acceptance import house as houses
from tests.acceptance.house import House, until
from tests.integration.listening import OPPORTUNITIES, listening, placed, positions, reported
from tests.sandboxes import LocalSandbox

MANY = 3_000


@pytest.fixture
async def house(sandbox: LocalSandbox, db: Pool, database_url: str, tmp_path: Path) -> AsyncIterator[House]:
    async with houses.built(sandbox, db, database_url, tmp_path, presets.text("opportunity")) as built:
        yield built


def publish(sandbox: LocalSandbox, count: int) -> set[str]:
    """So many new opportunities, each an event; gives their ids."""
    org = sandbox.running.org
    fields = {"StageName": "Prospecting", "CloseDate": "2027-01-31"}
    return {org.create("Opportunity", {"Name": f"Deal {n}", **fields}) for n in range(count)}


async def polls(sandbox: LocalSandbox) -> int:
    return len(await sandbox.salesforce_control.journal("path=/cometd/*"))


async def rows(house: House) -> int:
    return int(await house.db.fetchval("SELECT count(*) FROM inbox"))


async def have_come(house: House, count: int) -> bool:
    return await rows(house) >= count


@asynccontextmanager
async def locked_checkpoints(url: str) -> AsyncIterator[None]:
    """Nobody's place can be moved."""
    connection = await asyncpg.connect(url)
    try:
        async with connection.transaction():
            await connection.execute("LOCK TABLE checkpoints IN ACCESS EXCLUSIVE MODE")
            yield
    finally:
        await connection.close()


async def waits_for_lock(house: House) -> bool:
    locks = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    return bool(await house.db.fetchval(f"{locks} AND datname = current_database()"))


def held_events() -> list[ChangeEvent]:
    gc.collect()
    return [each for each in gc.get_objects() if type(each) is ChangeEvent]


@dataclass(slots=True)
class Census:
    """How many more events than at first this process holds at once, looked at again and again."""

    most: int = 0
    # What tests before this one left behind; kept, so that its number stays what it was.
    strangers: list[ChangeEvent] = field(default_factory=held_events)

    def count(self) -> int:
        found = len(held_events()) - len(self.strangers)
        self.most = max(self.most, found)
        return found


async def test_nothing_is_polled_while_a_batch_is_not_durable(
    house: House, sandbox: LocalSandbox, database_url: str
) -> None:
    """And a session that ends over it, after 40 seconds without a poll, costs a replay and no event."""
    census = Census()
    async with listening(house):
        await placed(house)
        before = await positions(house)
        async with locked_checkpoints(database_url):
            published = publish(sandbox, MANY)
            await until(partial(waits_for_lock, house))
            await sandbox.salesforce_control.clear_journal()
            published |= publish(sandbox, MANY)
            await sandbox.salesforce_control.advance_clock(60)
            assert sandbox.running.stream.cometd.sessions.count() == 0, "the session has ended"
            assert await polls(sandbox) == 0, "nothing is asked for"
            assert 0 < census.count() <= REPLY_EVENTS
        await until(partial(have_come, house, len(published)), seconds=60)
        assert {row.record_id for row in await inbox.find(house.db, limit=3 * MANY)} == published
        assert (await positions(house))[OPPORTUNITIES] != before[OPPORTUNITIES]
        assert await reported(house, "stream:", is_well=False) is None, "a lost session is no outage"


async def test_a_slow_database_loses_nothing_and_memory_stays_bounded(
    house: House, sandbox: LocalSandbox
) -> None:
    """In memory are at most the batch that is durable by now and the one that comes after it."""
    census = Census()
    async with listening(house):
        await placed(house)
        await house.db.execute(
            """CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                PERFORM pg_sleep(0.3); RETURN NULL; END $$;
            CREATE TRIGGER slow AFTER INSERT ON change_events FOR EACH STATEMENT EXECUTE FUNCTION slow()"""
        )
        published = publish(sandbox, 2 * MANY)
        while await rows(house) < len(published):
            census.count()
            await asyncio.sleep(0.01)
        assert {row.record_id for row in await inbox.find(house.db, limit=3 * MANY)} == published
    assert 0 < census.most <= 2 * REPLY_EVENTS
