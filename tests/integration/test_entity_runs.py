"""Runs of entity data syncs: one under way at a time, fenced, resumed, counted, forgotten."""

import asyncio
from datetime import timedelta
from uuid import UUID

import pytest

from state import database, entity_copies, entity_runs, entity_syncs, retention, signals
from state.database import Pool
from state.entity_models import Counts, RunClaim
from state.errors import LeaseLost
from state.models import RunStatus
from tests.integration.entity_rows import LEASE, claimed, gone, in_salesforce, new_sync, see

EXPIRED = timedelta(0)


@pytest.fixture
async def accounts(db: Pool) -> UUID:
    return await new_sync(db)


async def added(db: Pool, claim: RunClaim, counts: Counts, cursor: str | None = None) -> None:
    async with database.transaction(db) as tx:
        await entity_runs.add(tx, claim, counts, cursor=cursor)


async def scanned(db: Pool, claim: RunClaim) -> None:
    async with database.transaction(db) as tx:
        await entity_runs.scanned(tx, claim)


async def test_one_run_waits_however_often_it_is_asked_for_and_a_person_outranks_the_schedule(
    db: Pool, accounts: UUID
) -> None:
    asked = [await entity_runs.ask(db, accounts, cause) for cause in ("schedule", "manual", "schedule")]
    assert len(set(asked)) == 1
    found = await entity_runs.get(db, asked[0])
    assert (found.cause, found.status, found.entity_type) == ("manual", RunStatus.WAITING, "Account")


async def test_who_runs_them_is_woken(db: Pool, accounts: UUID) -> None:
    async with signals.listen(db, [signals.ENTITY_RUNS]) as signal:
        await entity_runs.ask(db, accounts, "manual")
        assert await signal.wait(timedelta(seconds=10))


async def test_a_second_run_is_not_taken_while_one_is_under_way(db: Pool, accounts: UUID) -> None:
    first = await claimed(db, accounts)
    second = await entity_runs.ask(db, accounts, "manual")
    assert second != first.run_id
    assert await entity_runs.claim(db, accounts, worker="two", lease=LEASE) is None
    await entity_runs.end(db, first, RunStatus.COMPLETE)
    taken = await entity_runs.claim(db, accounts, worker="two", lease=LEASE)
    assert taken is not None
    assert taken.run_id == second


async def test_of_many_that_claim_at_once_one_has_the_run(db: Pool, accounts: UUID) -> None:
    for _ in range(5):
        await entity_runs.ask(db, accounts, "manual")
        claims = await asyncio.gather(
            *(entity_runs.claim(db, accounts, worker=str(n), lease=LEASE) for n in range(8))
        )
        had = [each for each in claims if each is not None]
        assert len(had) == 1
        await entity_runs.end(db, had[0], RunStatus.COMPLETE)


async def test_one_that_claims_while_another_has_not_committed_its_claim_gets_nothing(
    db: Pool, accounts: UUID
) -> None:
    await entity_runs.ask(db, accounts, "manual")
    async with database.transaction(db) as tx:
        assert await entity_runs.claim(tx, accounts, worker="one", lease=LEASE) is not None
        assert await entity_runs.claim(db, accounts, worker="two", lease=LEASE) is None
    assert await entity_runs.claim(db, accounts, worker="two", lease=LEASE) is None


async def test_whoever_takes_an_expired_lease_goes_on_from_the_cursor_and_the_first_writes_nothing_more(
    db: Pool, accounts: UUID
) -> None:
    first = await claimed(db, accounts)
    await added(db, first, Counts(pages=1, entities_read=100), "page 2")
    await db.execute("UPDATE entity_runs SET lease_until = now()")
    second = await entity_runs.claim(db, accounts, worker="two", lease=LEASE)
    assert second is not None
    assert (second.run_id, second.cursor, second.is_scanned) == (first.run_id, "page 2", False)
    await in_salesforce(db, accounts, "a")
    for late in (
        added(db, first, Counts(pages=1)),
        scanned(db, first),
        entity_runs.renew(db, first),
        entity_runs.end(db, first, RunStatus.COMPLETE),
        gone(db, first),
    ):
        with pytest.raises(LeaseLost):
            await late
    found = await entity_runs.get(db, first.run_id)
    assert (found.pages, found.status, found.claimed_by) == (1, RunStatus.STARTED, "two")
    assert await entity_copies.waiting(db, accounts, limit=10) == []


async def test_an_expired_lease_writes_nothing_even_if_nobody_took_it_over(db: Pool, accounts: UUID) -> None:
    claim = await claimed(db, accounts, EXPIRED)
    with pytest.raises(LeaseLost):
        await added(db, claim, Counts(pages=1))
    async with database.transaction(db) as tx:
        with pytest.raises(LeaseLost):
            await entity_runs.fence(tx, claim)


async def test_nobody_takes_the_run_over_before_a_fenced_transaction_ends(db: Pool, accounts: UUID) -> None:
    claim = await claimed(db, accounts, timedelta(seconds=0.3))
    async with database.transaction(db) as tx:
        await entity_runs.fence(tx, claim)
        await tx.execute("SELECT pg_sleep_until(lease_until + interval '0.1 s') FROM entity_runs")
        assert await entity_runs.claim(db, accounts, worker="two", lease=LEASE) is None
    assert await entity_runs.claim(db, accounts, worker="two", lease=LEASE) is not None


async def test_a_run_that_is_let_go_is_taken_up_at_once_and_its_scan_is_not_read_again(
    db: Pool, accounts: UUID
) -> None:
    first = await claimed(db, accounts)
    await scanned(db, first)
    await entity_runs.release(db, first)
    second = await entity_runs.claim(db, accounts, worker="two", lease=LEASE)
    assert second is not None
    assert (second.run_id, second.is_scanned, second.cursor) == (first.run_id, True, None)


async def test_counts_and_calls_add_up_and_the_cursor_stays_where_none_is_given(
    db: Pool, accounts: UUID
) -> None:
    claim = await claimed(db, accounts)
    await added(db, claim, Counts(pages=1, entities_read=100, differing=7, calls={"m3ter list": 1}), "2")
    await added(db, claim, Counts(written=7, created=3, calls={"m3ter list": 2, "Salesforce": 1}))
    found = await entity_runs.get(db, claim.run_id)
    assert (found.pages, found.entities_read, found.differing, found.written, found.created) == (
        *(1, 100, 7, 7, 3),
    )
    assert (found.calls, found.cursor) == ({"m3ter list": 3, "Salesforce": 1}, "2")


async def test_its_end_forgets_what_was_seen_and_the_first_whole_one_is_remembered(
    db: Pool, accounts: UUID
) -> None:
    failed = await claimed(db, accounts)
    await see(db, failed, "a", "b")
    await entity_runs.end(db, failed, RunStatus.ERROR, "Away.", "Wait.")
    assert (await entity_syncs.get(db, accounts)).first_completed_at is None
    found = await entity_runs.last(db, accounts)
    assert found is not None
    assert (found.status, found.error, found.instruction) == (RunStatus.ERROR, "Away.", "Wait.")
    await entity_runs.end(db, await claimed(db, accounts), RunStatus.COMPLETE)
    first = (await entity_syncs.get(db, accounts)).first_completed_at
    assert first is not None
    await entity_runs.end(db, await claimed(db, accounts), RunStatus.COMPLETE)
    assert (await entity_syncs.get(db, accounts)).first_completed_at == first
    assert await db.fetchval("SELECT count(*) FROM entity_seen") == 0
    assert len(await entity_runs.list_runs(db)) == 3


async def test_old_runs_are_forgotten_except_the_last_and_the_last_whole_one(
    db: Pool, accounts: UUID
) -> None:
    for status in (RunStatus.ERROR, RunStatus.COMPLETE, RunStatus.ERROR, RunStatus.ERROR):
        await entity_runs.end(db, await claimed(db, accounts), status)
    await db.execute("UPDATE entity_runs SET completed_at = now() - interval '100 days'")
    assert (await retention.prune(db))["entity_runs"] == 2
    kept = [each.status for each in await entity_runs.list_runs(db)]
    assert kept == [RunStatus.ERROR, RunStatus.COMPLETE]
