"""Exclusion: a record and an account are in flight once, however many claim at the same time."""

import asyncio
import random
from collections import Counter
from datetime import timedelta
from uuid import UUID

import pytest

from state import database, inbox
from state.database import Pool
from state.errors import LeaseLost
from state.models import Cause, Claim
from tests.integration.state_rows import EXPIRED, LEASE, claim, claimed, new_integration, put, record_id


@pytest.fixture
async def agreements(db: Pool) -> UUID:
    return (await new_integration(db)).integration_id


class Watch:
    """Knows what is in flight and notices when anything is twice."""

    def __init__(self) -> None:
        self._in_flight: Counter[str] = Counter()
        self.doubled: set[str] = set()

    def begin(self, *things: str) -> None:
        self._in_flight.update(things)
        self.doubled |= {thing for thing in things if self._in_flight[thing] > 1}

    def end(self, *things: str) -> None:
        self._in_flight.subtract(things)


async def daemon(url: str, integration_ids: list[UUID], watch: Watch) -> int:
    """Another daemon: syncs whatever it can claim until the inbox is empty; gives how many it did."""
    done = 0
    chance = random.Random(url)
    async with database.connect(url, max_size=1) as db:
        while await db.fetchval("SELECT EXISTS (SELECT FROM inbox)"):
            found = await claim(db, *integration_ids)
            if found is None:
                continue
            account = f"account {int(found.record_id[3:15]) % 3}"
            if not await inbox.hold_accounts(db, found, [account]):
                async with database.transaction(db) as tx:
                    soon = inbox.Later(timedelta(milliseconds=chance.randrange(20)), counts=False)
                    await inbox.postpone(tx, found, soon, "the account is busy")
                continue
            watch.begin(found.record_id, account)
            await db.execute("SELECT count(*) FROM generate_series(1, 10000)")  # work to be in flight for
            watch.end(found.record_id, account)
            async with database.transaction(db) as tx:
                await inbox.complete(tx, found)
            done += 1
    return done


async def test_no_record_and_no_account_is_ever_in_flight_twice(
    db: Pool, database_url: str, agreements: UUID
) -> None:
    others = (await new_integration(db, "Others")).integration_id
    for integration_id in (agreements, others):
        records = [("Opportunity", record_id(n)) for n in range(30)]
        await inbox.put_many(db, integration_id, records, cause=Cause.CHANGE)
    watch = Watch()
    daemons = (daemon(database_url, [agreements, others], watch) for _ in range(8))
    async with asyncio.timeout(60):
        assert sum(await asyncio.gather(*daemons)) == 60
    assert watch.doubled == set()
    assert await db.fetchval("SELECT count(*) FROM leases") == 0


async def test_changes_heard_during_syncs_are_all_synced_in_the_end(
    db: Pool, database_url: str, agreements: UUID
) -> None:
    synced: dict[str, int] = {}
    heard: dict[str, int] = {}

    async def listen() -> None:
        for n in range(150):
            record = record_id(n % 5)
            heard[record] = n
            await db.execute("INSERT INTO facts VALUES ($1, $2)", record, n)
            await inbox.put(db, agreements, "Opportunity", record, cause=Cause.CHANGE)

    async def work() -> None:
        async with database.connect(database_url, max_size=1) as own:
            while not listening.done() or await own.fetchval("SELECT EXISTS (SELECT FROM inbox)"):
                found = await claim(own, agreements)
                if found is not None:
                    seen = await own.fetchval("SELECT max(n) FROM facts WHERE record = $1", found.record_id)
                    await own.execute("SELECT count(*) FROM inbox")
                    synced[found.record_id] = seen
                    async with database.transaction(own) as tx:
                        await inbox.complete(tx, found)

    await db.execute("CREATE TABLE facts (record text, n integer)")
    listening = asyncio.create_task(listen())
    async with asyncio.timeout(60):
        await asyncio.gather(listening, *(work() for _ in range(3)))
    assert synced == heard


async def test_one_record_of_two_integrations_is_claimed_once_at_a_time(db: Pool, agreements: UUID) -> None:
    others = (await new_integration(db, "Others")).integration_id
    await put(db, agreements)
    await put(db, others)
    first = await claimed(db, agreements, others)
    assert await claim(db, agreements, others) is None
    async with database.transaction(db) as tx:
        await inbox.complete(tx, first)
    assert (await claimed(db, agreements, others)).integration_id != first.integration_id


async def test_two_claims_of_one_record_at_the_same_moment_end_with_one(db: Pool, agreements: UUID) -> None:
    others = (await new_integration(db, "Others")).integration_id
    await put(db, agreements)
    await put(db, others)
    async with database.transaction(db) as tx:
        await claimed(tx, agreements)
        rival = asyncio.create_task(claim(db, others))
        async with asyncio.timeout(30):
            while not await db.fetchval("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)"):
                assert not rival.done()
    assert await rival is None


async def two(db: Pool, integration_id: UUID, lease: timedelta = LEASE) -> tuple[Claim, Claim]:
    await put(db, integration_id, 1)
    await put(db, integration_id, 2)
    return await claimed(db, integration_id, lease=lease), await claimed(db, integration_id)


async def test_accounts_are_held_all_or_none(db: Pool, agreements: UUID) -> None:
    first, second = await two(db, agreements)
    assert await inbox.hold_accounts(db, first, ["a"])
    assert not await inbox.hold_accounts(db, second, ["b", "a", "c"])
    assert await db.fetchval("SELECT count(*) FROM leases WHERE lease_key IN ('b', 'c')") == 0
    assert await inbox.hold_accounts(db, first, ["a", "b"])
    async with database.transaction(db) as tx:
        await inbox.complete(tx, first)
    assert await inbox.hold_accounts(db, second, ["a", "b", "c"])


async def test_an_expired_hold_is_taken_over_and_its_slow_holder_may_not_write(
    db: Pool, agreements: UUID
) -> None:
    slow, quick = await two(db, agreements)
    assert await inbox.hold_accounts(db, slow, ["a"])
    await inbox.renew(db, slow, EXPIRED)
    assert await inbox.hold_accounts(db, quick, ["a"])
    with pytest.raises(LeaseLost):
        await inbox.renew(db, slow)
    with pytest.raises(LeaseLost):
        await inbox.hold_accounts(db, slow, ["a"])


async def test_renewing_prolongs_the_accounts_too(db: Pool, agreements: UUID) -> None:
    first, second = await two(db, agreements)
    assert await inbox.hold_accounts(db, first, ["a"])
    held_until = "SELECT lease_until FROM leases WHERE lease_key = 'a'"
    before = await db.fetchval(held_until)
    await inbox.renew(db, first, 2 * LEASE)
    assert await db.fetchval(held_until) - before >= LEASE
    assert not await inbox.hold_accounts(db, second, ["a"])


async def test_opposite_holds_do_not_deadlock(db: Pool, agreements: UUID) -> None:
    first, second = await two(db, agreements)
    for _ in range(20):
        held = await asyncio.gather(
            inbox.hold_accounts(db, first, ["x", "y", "z"]), inbox.hold_accounts(db, second, ["z", "y", "x"])
        )
        assert held.count(True) == 1
        await db.execute("DELETE FROM leases WHERE lease_key IN ('x', 'y', 'z')")
