"""Lines that lead to their parents, and records that come back: by a person, by a change."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from state import database, inbox
from state.database import Pool
from state.models import Cause, Claim, InboxStatus, Target
from tests.integration.state_rows import LEASE, ORG, change, claim, claimed, new_integration, put, record_id

LINE = record_id(1, "00k")


@pytest.fixture
async def agreements(db: Pool) -> UUID:
    return (await new_integration(db)).integration_id


async def claimed_line(db: Pool, integration_id: UUID) -> Claim:
    inbox_id = await inbox.put(
        db, integration_id, "OpportunityLineItem", LINE, cause=Cause.REREAD, priority=3
    )
    found = await inbox.claim(
        db, worker="w", lease=LEASE, integration_ids=[integration_id], inbox_id=inbox_id
    )
    assert found is not None
    return found


async def redirect(db: Pool, line: Claim) -> int:
    async with database.transaction(db) as tx:
        return await inbox.redirect(tx, line, "Opportunity", record_id(1))


async def test_a_line_becomes_its_parent_with_its_cause_priority_and_age(db: Pool, agreements: UUID) -> None:
    line = await claimed_line(db, agreements)
    parent_id = await redirect(db, line)
    (row,) = await inbox.find(db)
    assert (row.inbox_id, row.object_name, row.record_id) == (parent_id, "Opportunity", record_id(1))
    assert (row.cause, row.priority, row.attempts) == ("reread", 3, 0)
    assert row.first_changed_at == line.first_changed_at
    assert (await claimed(db, agreements)).record_id == record_id(1)


async def test_a_line_joins_a_parent_that_waits_already(db: Pool, agreements: UUID) -> None:
    line = await claimed_line(db, agreements)
    parent_id = await put(db, agreements)
    assert await redirect(db, line) == parent_id
    (row,) = await inbox.find(db)
    assert row.first_changed_at == line.first_changed_at
    assert row.priority == 3


async def test_a_line_whose_parent_is_in_flight_makes_it_due_again(db: Pool, agreements: UUID) -> None:
    await put(db, agreements)
    parent = await claimed(db, agreements)
    await redirect(db, await claimed_line(db, agreements))
    assert await claim(db, agreements) is None
    async with database.transaction(db) as tx:
        await inbox.complete(tx, parent)
    assert (await claimed(db, agreements)).record_id == record_id(1)


async def test_a_line_brings_back_a_parent_that_was_set_aside(db: Pool, agreements: UUID) -> None:
    await put(db, agreements)
    async with database.transaction(db) as tx:
        await inbox.set_aside(tx, await claimed(db, agreements), "refused")
    await redirect(db, await claimed_line(db, agreements))
    (row,) = await inbox.find(db)
    assert row.status is InboxStatus.WAITING


async def test_a_line_that_changed_again_meanwhile_stays_too(db: Pool, agreements: UUID) -> None:
    line = await claimed_line(db, agreements)
    await inbox.put(db, agreements, "OpportunityLineItem", LINE, cause=Cause.CHANGE)
    await redirect(db, line)
    assert {row.record_id for row in await inbox.find(db)} == {LINE, record_id(1)}


async def test_redirecting_and_hearing_of_both_records_at_once_never_deadlocks(
    db: Pool, agreements: UUID
) -> None:
    targets = [Target(agreements, "Opportunity"), Target(agreements, "OpportunityLineItem")]

    async def hear(number: int) -> None:
        line = change(number, object_name="OpportunityLineItem", record_id=LINE)
        async with database.transaction(db) as tx:
            await inbox.receive(tx, ORG, [line, change(number, record_id=record_id(1))], targets)

    for number in range(40):
        line = await claimed_line(db, agreements)
        await asyncio.gather(hear(number), redirect(db, line))
        assert await db.fetchval("SELECT count(*) FROM inbox WHERE record_id = $1", record_id(1)) == 1
        await db.execute("DELETE FROM inbox")


async def test_a_record_set_aside_is_tried_again_when_a_person_says_so(db: Pool, agreements: UUID) -> None:
    inbox_id = await put(db, agreements)
    async with database.transaction(db) as tx:
        await inbox.set_aside(tx, await claimed(db, agreements), "m3ter answered 500.")
    (aside,) = await inbox.find(db, status=InboxStatus.SET_ASIDE)
    assert (aside.inbox_id, aside.error) == (inbox_id, "m3ter answered 500.")
    assert await claim(db, agreements) is None
    assert await inbox.put(db, agreements, "Opportunity", record_id(1), cause=Cause.MANUAL) == inbox_id
    assert (await claimed(db, agreements)).attempts == 1


async def test_a_change_heard_during_a_failed_attempt_is_tried_before_the_back_off_ends(
    db: Pool, agreements: UUID
) -> None:
    await put(db, agreements)
    first = await claimed(db, agreements)
    await put(db, agreements)
    settle = timedelta(seconds=5)
    async with database.transaction(db) as tx:
        await inbox.postpone(
            tx, first, inbox.Later(timedelta(hours=1), settle), "m3ter refused the old values"
        )
    (row,) = await inbox.find(db)
    assert row.due_at <= datetime.now(UTC) + settle
    assert row.attempts == 0


async def test_the_inbox_is_searched_by_record_and_by_status(db: Pool, agreements: UUID) -> None:
    for number in (1, 2, 3):
        await put(db, agreements, number)
    await claimed(db, agreements)
    assert [row.record_id for row in await inbox.find(db, record_id=record_id(2))] == [record_id(2)]
    assert [row.record_id for row in await inbox.find(db, status=InboxStatus.CLAIMED)] == [record_id(1)]
    assert len(await inbox.find(db, limit=2)) == 2
