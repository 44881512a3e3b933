"""What is heard becomes inbox rows: coalesced, once, for whoever is interested."""

import asyncio
from datetime import UTC, datetime
from uuid import UUID

import pytest

from state import database, inbox
from state.database import Pool
from state.models import Cause, Change, InboxStatus, Target
from tests.integration.state_rows import ORG, change, claimed, new_integration, put, record_id


@pytest.fixture
async def agreements(db: Pool) -> UUID:
    return (await new_integration(db)).integration_id


async def receive(db: Pool, changes: list[Change], *targets: Target) -> int:
    async with database.transaction(db) as tx:
        return await inbox.receive(tx, ORG, changes, targets)


async def waiting(db: Pool) -> list[str]:
    return sorted(row.record_id for row in await inbox.find(db, limit=1_000))


async def test_many_changes_of_one_record_are_one_row(db: Pool, agreements: UUID) -> None:
    changes = [change(n, record_id=record_id(1)) for n in range(5)]
    assert await receive(db, changes, Target(agreements, "Opportunity")) == 5
    assert await receive(db, [change(9, record_id=record_id(1))], Target(agreements, "Opportunity")) == 1
    assert await waiting(db) == [record_id(1)]


async def test_what_was_heard_is_kept_in_full(db: Pool, agreements: UUID) -> None:
    heard = change(
        1,
        changed_fields=("StageName", "Amount"),
        change_origin="com/salesforce/api/soap/67.0;client=m3sync",
        commit_user="005000000000001AAA",
        committed_at=datetime(2026, 11, 21, 8, 0, tzinfo=UTC),
    )
    await receive(db, [heard], Target(agreements, "Opportunity"))
    row = await db.fetchrow("SELECT * FROM change_events")
    assert row is not None
    assert row["changed_fields"] == ["StageName", "Amount"]
    assert row["org_id"] == ORG
    for name in ("channel", "replay_id", "change_type", "change_origin", "commit_user", "committed_at"):
        assert row[name] == getattr(heard, name)


async def test_an_event_heard_again_is_no_news(db: Pool, agreements: UUID) -> None:
    target = Target(agreements, "Opportunity")
    await receive(db, [change(1)], target)
    async with database.transaction(db) as tx:
        await inbox.complete(tx, await claimed(db, agreements))
    assert await receive(db, [change(1), change(1), change(2)], target) == 1
    assert await waiting(db) == [record_id(2)]


async def test_an_event_heard_again_for_another_integration_is_news_to_it(db: Pool, agreements: UUID) -> None:
    others = (await new_integration(db, "Others")).integration_id
    await receive(db, [change(1)], Target(agreements, "Opportunity"))
    assert await receive(db, [change(1)], Target(others, "Opportunity")) == 1
    assert others in {row.integration_id for row in await inbox.find(db)}


async def test_a_replay_id_given_out_again_for_another_change_is_news(db: Pool, agreements: UUID) -> None:
    target = Target(agreements, "Opportunity")
    await receive(db, [change(1)], target)
    assert await receive(db, [change(1, transaction_key="after a refresh of the org")], target) == 1


async def test_only_interested_integrations_get_rows_and_all_events_are_remembered(
    db: Pool, agreements: UUID
) -> None:
    others = (await new_integration(db, "Others")).integration_id
    line = change(2, object_name="OpportunityLineItem", record_id=record_id(2, "00k"))
    targets = (
        Target(agreements, "Opportunity"),
        Target(agreements, "OpportunityLineItem"),
        Target(others, "Opportunity"),
    )
    unwanted = change(3, object_name="Account", record_id=record_id(3, "001"))
    assert await receive(db, [change(1), line, unwanted], *targets) == 3
    rows = {(row.integration_id, row.object_name) for row in await inbox.find(db)}
    assert rows == {(target.integration_id, target.object_name) for target in targets}


async def test_nothing_is_kept_when_the_transaction_fails(db: Pool, agreements: UUID) -> None:
    async def fail() -> None:
        async with database.transaction(db) as tx:
            await inbox.receive(tx, ORG, [change(1)], [Target(agreements, "Opportunity")])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert await waiting(db) == []
    assert await db.fetchval("SELECT count(*) FROM change_events") == 0


async def test_a_change_brings_back_a_record_that_was_set_aside(db: Pool, agreements: UUID) -> None:
    await put(db, agreements)
    async with database.transaction(db) as tx:
        await inbox.set_aside(tx, await claimed(db, agreements), "refused")
    await receive(db, [change(1)], Target(agreements, "Opportunity"))
    (row,) = await inbox.find(db)
    assert (row.status, row.attempts) == (InboxStatus.WAITING, 0)


async def test_a_persons_request_outranks_what_waits_already(db: Pool, agreements: UUID) -> None:
    await put(db, agreements, 1)
    await put(db, agreements, 2)
    await inbox.put(db, agreements, "Opportunity", record_id(2), cause=Cause.MANUAL, priority=10)
    first = await claimed(db, agreements)
    assert (first.record_id, first.cause, first.priority) == (record_id(2), Cause.MANUAL, 10)


async def test_many_records_are_put_at_once(db: Pool, agreements: UUID) -> None:
    records = [("Opportunity", record_id(n)) for n in range(50)]
    await inbox.put_many(db, agreements, records, cause=Cause.REREAD, priority=-1)
    await inbox.put_many(db, agreements, [], cause=Cause.REREAD)
    assert await waiting(db) == [record for _, record in records]


async def test_daemons_hearing_the_same_stream_neither_deadlock_nor_double(
    db: Pool, agreements: UUID
) -> None:
    changes = [change(n, record_id=record_id(n % 40)) for n in range(400)]
    target = Target(agreements, "Opportunity")
    parts = [changes[start : start + 100] for start in range(0, 400, 100)]
    shuffled = [part[::-1] for part in parts]
    news = await asyncio.gather(*(receive(db, part, target) for part in parts + shuffled))
    assert sum(news) == 400
    assert len(await waiting(db)) == 40
