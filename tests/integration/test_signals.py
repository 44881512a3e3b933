"""Wake-ups: what is announced, what a lost connection does, and that waiting ends."""

import asyncio
from datetime import timedelta

import asyncpg
import pytest

from state import database, inbox, integrations, signals
from state.database import Pool
from state.models import Cause, Target
from tests.integration.state_rows import ORG, change, new_integration, record_id

LONG = timedelta(seconds=30)
SHORT = timedelta(milliseconds=50)


async def test_a_record_put_into_the_inbox_wakes_who_waits(db: Pool) -> None:
    integration_id = (await new_integration(db)).integration_id
    async with signals.listen(db, [signals.INBOX]) as signal:
        assert not await signal.wait(SHORT)
        waiting = asyncio.create_task(signal.wait(LONG))
        await inbox.put(db, integration_id, "Opportunity", record_id(1), cause=Cause.MANUAL)
        assert await waiting
        assert not await signal.wait(SHORT)


async def test_what_was_notified_before_the_waiting_is_not_missed(db: Pool) -> None:
    integration_id = (await new_integration(db)).integration_id
    async with signals.listen(db, [signals.INBOX]) as signal:
        async with database.transaction(db) as tx:
            await inbox.receive(tx, ORG, [change(1)], [Target(integration_id, "Opportunity")])
        assert await signal.wait(LONG)


async def test_a_change_of_the_configuration_wakes_only_who_listens_for_it(db: Pool) -> None:
    await new_integration(db)
    async with (
        signals.listen(db, [signals.INTEGRATIONS]) as configuration,
        signals.listen(db, [signals.INBOX]) as records,
        signals.listen(db, [signals.INBOX, signals.INTEGRATIONS]) as both,
    ):
        await integrations.disable(db, "Agreements")
        assert await configuration.wait(LONG)
        assert await both.wait(LONG)
        assert not await records.wait(SHORT)


async def test_nothing_is_told_before_it_is_committed(db: Pool) -> None:
    integration_id = (await new_integration(db)).integration_id
    async with signals.listen(db, [signals.INBOX]) as signal:
        async with database.transaction(db) as tx:
            await inbox.receive(tx, ORG, [change(1)], [Target(integration_id, "Opportunity")])
            assert not await signal.wait(SHORT)
        assert await signal.wait(LONG)


async def test_a_lost_connection_wakes_and_is_had_anew(db: Pool, database_url: str) -> None:
    integration_id = (await new_integration(db)).integration_id
    killer = await asyncpg.connect(database_url)
    try:
        async with signals.listen(db, [signals.INBOX]) as signal:
            await killer.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND query LIKE 'LISTEN%'"
            )
            assert await signal.wait(LONG)
            assert await signal.wait(LONG)  # connected again: something may have been missed meanwhile
            await inbox.put(db, integration_id, "Opportunity", record_id(1), cause=Cause.MANUAL)
            assert await signal.wait(LONG)
    finally:
        await killer.close()


async def test_waiting_can_be_cancelled_and_leaves_no_listener_behind(db: Pool) -> None:
    async with signals.listen(db, [signals.INBOX]) as signal:
        waiting = asyncio.create_task(signal.wait(LONG))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
    assert await db.fetch("SELECT pg_listening_channels()") == []


async def test_a_database_that_is_away_makes_waiting_a_poll(database_url: str) -> None:
    async with database.connect(database_url) as db:
        pass
    async with signals.listen(db, [signals.INBOX]) as signal:
        assert not await signal.wait(SHORT)
