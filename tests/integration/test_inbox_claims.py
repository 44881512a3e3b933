"""Claims: who gets a record, for how long, what the fence stops, and when a record is due again."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from state import database, inbox
from state.database import Pool
from state.errors import LeaseLost
from state.models import Cause, Claim, InboxStatus
from tests.integration.state_rows import (
    EXPIRED,
    LEASE,
    claim,
    claimed,
    new_integration,
    put,
    record_id,
)


@pytest.fixture
async def agreements(db: Pool) -> UUID:
    return (await new_integration(db)).integration_id


async def complete(db: Pool, done: Claim) -> None:
    async with database.transaction(db) as tx:
        await inbox.complete(tx, done)


async def test_records_are_claimed_by_priority_then_due_time_then_age(db: Pool, agreements: UUID) -> None:
    for number in (1, 2, 3):
        await put(db, agreements, number)
    await put(db, agreements, 4, priority=5)
    order = [(await claimed(db, agreements)).record_id for _ in range(4)]
    assert order == [record_id(n) for n in (4, 1, 2, 3)]
    assert await claim(db, agreements) is None


async def test_a_claim_counts_its_attempts_and_knows_what_it_is_for(db: Pool, agreements: UUID) -> None:
    before = datetime.now(UTC)
    inbox_id = await put(db, agreements)
    first = await claimed(db, agreements)
    assert (first.inbox_id, first.integration_id, first.object_name) == (inbox_id, agreements, "Opportunity")
    assert (first.attempts, first.cause, first.revision) == (1, Cause.CHANGE, 1)
    assert before <= first.first_changed_at <= datetime.now(UTC)
    async with database.transaction(db) as tx:
        await inbox.postpone(tx, first, inbox.Later(timedelta(0)), "m3ter answered 500.")
    assert (await claimed(db, agreements)).attempts == 2


async def test_an_attempt_that_does_not_count_is_not_counted(db: Pool, agreements: UUID) -> None:
    await put(db, agreements)
    first = await claimed(db, agreements)
    async with database.transaction(db) as tx:
        await inbox.postpone(tx, first, inbox.Later(timedelta(0), counts=False), "m3ter is away.")
    assert (await claimed(db, agreements)).attempts == 1


async def test_only_the_named_integrations_are_served(db: Pool, agreements: UUID) -> None:
    other = (await new_integration(db, "Others", enabled=False)).integration_id
    await put(db, other)
    assert await claim(db, agreements) is None
    assert (await claimed(db, agreements, other)).integration_id == other


async def test_one_named_row_is_claimed_out_of_turn(db: Pool, agreements: UUID) -> None:
    await put(db, agreements, 1, priority=9)
    wanted = await put(db, agreements, 2)
    found = await inbox.claim(db, worker="w", lease=LEASE, integration_ids=[agreements], inbox_id=wanted)
    assert found is not None
    assert found.record_id == record_id(2)


async def test_a_completed_record_is_gone(db: Pool, agreements: UUID) -> None:
    await put(db, agreements)
    await complete(db, await claimed(db, agreements))
    assert await inbox.find(db) == []
    assert await db.fetchval("SELECT count(*) FROM leases") == 0


async def test_a_change_heard_while_claimed_is_never_lost(db: Pool, agreements: UUID) -> None:
    await put(db, agreements)
    first = await claimed(db, agreements)
    await put(db, agreements)
    assert await claim(db, agreements) is None
    await complete(db, first)
    again = await claimed(db, agreements)
    assert (again.attempts, again.revision) == (1, 2)
    assert again.first_changed_at > first.first_changed_at
    await complete(db, again)
    assert await claim(db, agreements) is None


async def test_a_change_heard_while_claimed_survives_setting_aside(db: Pool, agreements: UUID) -> None:
    await put(db, agreements)
    first = await claimed(db, agreements)
    await put(db, agreements)
    async with database.transaction(db) as tx:
        await inbox.set_aside(tx, first, "too many attempts")
    assert (await claimed(db, agreements)).attempts == 1


async def test_an_expired_claim_is_taken_over_and_its_slow_holder_is_told(db: Pool, agreements: UUID) -> None:
    await put(db, agreements)
    slow = await claimed(db, agreements, lease=EXPIRED)
    quick = await claimed(db, agreements)
    assert (quick.inbox_id, quick.attempts) == (slow.inbox_id, 2)
    with pytest.raises(LeaseLost, match=record_id(1)):
        await inbox.renew(db, slow)
    with pytest.raises(LeaseLost):
        await inbox.hold_accounts(db, slow, ["account"])
    for end in (
        lambda tx: inbox.complete(tx, slow),
        lambda tx: inbox.postpone(tx, slow, inbox.Later(timedelta(0)), ""),
        lambda tx: inbox.set_aside(tx, slow, ""),
        lambda tx: inbox.redirect(tx, slow, "Opportunity", record_id(7)),
    ):
        with pytest.raises(LeaseLost):
            async with database.transaction(db) as tx:
                await end(tx)
    await inbox.renew(db, quick)
    await complete(db, quick)


async def test_an_expired_lease_is_no_fence_even_before_it_is_taken_over(db: Pool, agreements: UUID) -> None:
    await put(db, agreements)
    slow = await claimed(db, agreements, lease=EXPIRED)
    with pytest.raises(LeaseLost):
        await inbox.renew(db, slow)


async def test_renewing_keeps_others_away(db: Pool, agreements: UUID) -> None:
    await put(db, agreements)
    first = await claimed(db, agreements)
    (before,) = await inbox.find(db)
    await inbox.renew(db, first, 2 * LEASE)
    (after,) = await inbox.find(db)
    assert before.lease_until is not None
    assert after.lease_until is not None
    assert after.lease_until - before.lease_until >= LEASE
    assert await claim(db, agreements) is None


async def test_a_postponed_record_waits_until_it_is_due(db: Pool, agreements: UUID) -> None:
    await put(db, agreements)
    later, asked = inbox.Later(timedelta(hours=1)), datetime.now(UTC)
    async with database.transaction(db) as tx:
        await inbox.postpone(tx, await claimed(db, agreements), later, "busy")
    assert await claim(db, agreements) is None
    (row,) = await inbox.find(db)
    assert later.delay <= row.due_at - asked < later.delay + timedelta(seconds=30)
    assert (row.status, row.error, row.attempts) == (InboxStatus.WAITING, "busy", 1)


async def test_a_change_brings_a_postponed_record_forward_once_lost_answers_have_settled(
    db: Pool, agreements: UUID
) -> None:
    await put(db, agreements)
    now, settle = datetime.now(UTC), timedelta(minutes=1)
    later = inbox.Later(timedelta(hours=1), settle)
    async with database.transaction(db) as tx:
        await inbox.postpone(tx, await claimed(db, agreements), later, "no answer")
    await put(db, agreements)
    (row,) = await inbox.find(db)
    assert now + settle <= row.due_at < now + settle + timedelta(seconds=30)
    await asyncio.gather(*(put(db, agreements) for _ in range(5)))
    assert [each.due_at for each in await inbox.find(db)] == [row.due_at]
