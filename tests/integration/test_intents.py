"""Intents: on disk before a create, found again after a crash, closed once."""

from dataclasses import replace
from uuid import UUID, uuid4

import pytest

from state import database, inbox, intents
from state.database import Pool
from state.errors import Conflict, LeaseLost, NotFound
from state.models import Claim, IntentStatus, NewIntent
from tests.integration.state_rows import EXPIRED, claimed, new_integration, put, record_id

NEW = NewIntent("org", "Commitment", "Opportunity", record_id(1), '{"amount": 1000.10}')
KEY = ("org", "Commitment", "Opportunity", record_id(1))


@pytest.fixture
async def claim(db: Pool) -> Claim:
    integration_id = (await new_integration(db)).integration_id
    await put(db, integration_id)
    return await claimed(db, integration_id)


async def close(db: Pool, intent_id: UUID, status: IntentStatus, m3ter_id: str | None = None) -> None:
    async with database.transaction(db) as tx:
        await intents.close(tx, intent_id, status, m3ter_id)


async def test_an_intent_is_found_while_its_end_is_unknown(db: Pool, claim: Claim) -> None:
    assert await intents.find_open(db, *KEY) is None
    opened = await intents.open_intent(db, claim, NEW)
    assert (opened.status, opened.body, opened.earlier_bodies) == (IntentStatus.OPEN, NEW.body, ())
    assert await intents.find_open(db, *KEY) == opened
    assert await intents.of_records(db, [record_id(1)]) == [opened]
    await close(db, opened.intent_id, IntentStatus.DONE, "c-1")
    assert await intents.find_open(db, *KEY) is None
    done = await intents.get(db, opened.intent_id)
    assert (done.status, done.m3ter_id) == (IntentStatus.DONE, "c-1")
    assert done.closed_at is not None


async def test_an_open_intent_is_taken_up_and_remembers_every_body_that_may_have_been_sent(
    db: Pool, claim: Claim
) -> None:
    first = await intents.open_intent(db, claim, NEW)
    assert await intents.open_intent(db, claim, NEW) == first
    second = await intents.open_intent(db, claim, replace(NEW, body="second"))
    assert (second.intent_id, second.body, second.earlier_bodies) == (first.intent_id, "second", (NEW.body,))
    back = await intents.open_intent(db, claim, NEW)
    assert {back.body, *back.earlier_bodies} == {NEW.body, "second"}


async def test_a_refused_create_may_be_intended_anew(db: Pool, claim: Claim) -> None:
    first = await intents.open_intent(db, claim, NEW)
    await close(db, first.intent_id, IntentStatus.REFUSED)
    assert (await intents.open_intent(db, claim, NEW)).intent_id != first.intent_id


async def test_a_closed_intent_stays_closed(db: Pool, claim: Claim) -> None:
    opened = await intents.open_intent(db, claim, NEW)
    await close(db, opened.intent_id, IntentStatus.DONE, "c-1")
    for status in IntentStatus:
        with pytest.raises(Conflict, match="is DONE and cannot become"):
            await close(db, opened.intent_id, status)
    with pytest.raises(NotFound):
        await close(db, uuid4(), IntentStatus.DONE)


async def test_who_lost_the_lease_cannot_intend_anything(db: Pool, claim: Claim) -> None:
    await inbox.renew(db, claim, EXPIRED)
    with pytest.raises(LeaseLost):
        await intents.open_intent(db, claim, NEW)
    assert await intents.find_open(db, *KEY) is None


async def test_intending_prolongs_the_lease(db: Pool, claim: Claim) -> None:
    before = (await inbox.find(db))[0].lease_until
    await intents.open_intent(db, claim, NEW)
    after = (await inbox.find(db))[0].lease_until
    assert before is not None
    assert after is not None
    assert after > before


async def test_an_intent_is_undone_with_the_transaction_around_it(db: Pool, claim: Claim) -> None:
    async def fail() -> None:
        async with database.transaction(db) as tx:
            await intents.open_intent(tx, claim, NEW)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert await intents.find_open(db, *KEY) is None
