"""What a person asked for stays asked for until a sync that knew of it has ended, and no longer."""

from datetime import timedelta
from uuid import UUID

import pytest

from state import database, inbox
from state.database import Pool
from state.models import Cause, Claim
from tests.integration.state_rows import new_integration, record_id

LEASE = timedelta(seconds=60)


@pytest.fixture
async def agreements(db: Pool) -> UUID:
    return (await new_integration(db)).integration_id


async def put(db: Pool, integration_id: UUID, cause: Cause, priority: int = 0) -> None:
    await inbox.put(db, integration_id, "Opportunity", record_id(1), cause=cause, priority=priority)


async def claimed(db: Pool, integration_id: UUID, lease: timedelta = LEASE) -> Claim:
    found = await inbox.claim(db, worker="w", lease=lease, integration_ids=[integration_id])
    assert found is not None
    return found


async def complete(db: Pool, claim: Claim) -> None:
    async with database.transaction(db) as tx:
        await inbox.complete(tx, claim)


async def standing(db: Pool) -> tuple[str, int]:
    (row,) = await inbox.find(db)
    return str(row.cause), row.priority


async def test_a_wish_heard_during_a_sync_is_not_overwritten_by_a_change(db: Pool, agreements: UUID) -> None:
    await put(db, agreements, Cause.CHANGE)
    first = await claimed(db, agreements)
    await put(db, agreements, Cause.MANUAL, 100)
    await put(db, agreements, Cause.CHANGE)
    await complete(db, first)
    assert await standing(db) == ("manual", 100)
    wished = await claimed(db, agreements)
    assert wished.cause is Cause.MANUAL
    await complete(db, wished)
    assert await inbox.find(db) == []


async def test_a_wish_is_fulfilled_by_the_sync_that_knew_of_it(db: Pool, agreements: UUID) -> None:
    await put(db, agreements, Cause.MANUAL, 100)
    wished = await claimed(db, agreements)
    await put(db, agreements, Cause.CHANGE)
    await complete(db, wished)
    assert await standing(db) == ("change", 0)


async def test_a_wish_waits_on_when_its_sync_is_postponed(db: Pool, agreements: UUID) -> None:
    await put(db, agreements, Cause.MANUAL, 100)
    wished = await claimed(db, agreements)
    await put(db, agreements, Cause.CHANGE)
    async with database.transaction(db) as tx:
        await inbox.postpone(tx, wished, inbox.Later(timedelta(0)), "busy")
    assert await standing(db) == ("manual", 100)


async def test_a_wish_outlives_the_daemon_that_was_fulfilling_it(db: Pool, agreements: UUID) -> None:
    await put(db, agreements, Cause.MANUAL, 100)
    await claimed(db, agreements, lease=timedelta(0))
    await put(db, agreements, Cause.CHANGE)
    again = await claimed(db, agreements)
    assert (again.cause, again.priority) == (Cause.MANUAL, 100)
    await complete(db, again)
    assert await inbox.find(db) == []


async def test_a_wish_heard_while_a_dead_daemon_held_the_record_is_taken_over(
    db: Pool, agreements: UUID
) -> None:
    await put(db, agreements, Cause.CHANGE)
    await claimed(db, agreements, lease=timedelta(0))
    await put(db, agreements, Cause.MANUAL, 100)
    assert (await claimed(db, agreements)).cause is Cause.MANUAL


async def test_a_change_after_a_wish_was_set_aside_is_a_change_again(db: Pool, agreements: UUID) -> None:
    await put(db, agreements, Cause.MANUAL, 100)
    async with database.transaction(db) as tx:
        await inbox.set_aside(tx, await claimed(db, agreements), "refused")
    assert await standing(db) == ("manual", 100)
    await put(db, agreements, Cause.CHANGE)
    assert await standing(db) == ("change", 0)


async def test_a_line_never_turns_its_parents_wish_into_a_change(db: Pool, agreements: UUID) -> None:
    await put(db, agreements, Cause.MANUAL, 100)
    wished = await claimed(db, agreements)
    await inbox.put(db, agreements, "OpportunityLineItem", record_id(2, "00k"), cause=Cause.CHANGE)
    line = await claimed(db, agreements)
    await inbox.redirect(db, line, "Opportunity", record_id(1))
    async with database.transaction(db) as tx:
        await inbox.postpone(tx, wished, inbox.Later(timedelta(0)), "busy")
    assert await standing(db) == ("manual", 100)


async def test_a_record_set_aside_after_a_lost_answer_is_not_retried_before_it_has_settled(
    db: Pool, agreements: UUID
) -> None:
    await put(db, agreements, Cause.CHANGE)
    claim = await claimed(db, agreements)
    async with database.transaction(db) as tx:
        await inbox.set_aside(tx, claim, "no answer", timedelta(minutes=1))
    await put(db, agreements, Cause.MANUAL)
    assert await inbox.claim(db, worker="w", lease=LEASE, integration_ids=[agreements]) is None
