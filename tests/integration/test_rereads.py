"""Windows that are read again: opened, widened, taken, read page by page, and what they came to."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from state import database, inbox, rereads
from state.database import Pool
from state.errors import LeaseLost
from state.rereads import Phase, Reread, RereadCause, RereadStatus, RereadStory, Window
from tests.integration.state_rows import EXPIRED, LEASE, ORG, claimed, new_integration, put, record_id

NOON = datetime(2026, 11, 18, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
REFUSED = Window("Opportunity", RereadCause.REPLAY_REFUSED, "Refused.", "/data/X", NOON, NOON + HOUR, True)


@pytest.fixture
async def agreements(db: Pool) -> UUID:
    return (await new_integration(db)).integration_id


async def opened(db: Pool, integration_id: UUID, *windows: Window) -> list[UUID]:
    async with database.transaction(db) as tx:
        return await rereads.open_windows(tx, integration_id, ORG, windows)


async def taken(db: Pool, integration_id: UUID, lease: timedelta = LEASE) -> Reread:
    found = await rereads.claim(db, integration_id, ORG, lease)
    assert found is not None
    return found


async def begun(db: Pool, integration_id: UUID, window: Window = REFUSED) -> Reread:
    await opened(db, integration_id, window)
    return await opening(db, await taken(db, integration_id))


async def opening(db: Pool, reread: Reread) -> Reread:
    async with database.transaction(db) as tx:
        return await rereads.begin(tx, reread, until_at=NOON + HOUR, total=9)


async def postponed(
    db: Pool, reread: Reread, error: str, instruction: str = "", delay: timedelta = timedelta(0)
) -> None:
    async with database.transaction(db) as tx:
        await rereads.postpone(tx, reread, delay, error, instruction)


async def finished(db: Pool, reread: Reread) -> None:
    async with database.transaction(db) as tx:
        await rereads.finish(tx, reread)


async def page(db: Pool, reread: Reread, *numbers: int, at: datetime = NOON) -> Reread:
    records = [("Opportunity", record_id(number)) for number in numbers]
    async with database.transaction(db) as tx:
        cursor = (at, record_id(max(numbers)))
        return await rereads.keep_page(
            tx, reread, records, read=len(numbers), cursor=cursor, phase=Phase.CHANGES
        )


async def story(db: Pool, reread_id: UUID) -> RereadStory:
    return next(each for each in await rereads.latest(db) if each.reread_id == reread_id)


async def test_a_window_is_taken_once_and_remembered_as_it_was_opened(db: Pool, agreements: UUID) -> None:
    (reread_id,) = await opened(db, agreements, REFUSED)
    found = await taken(db, agreements)
    assert (found.reread_id, found.attempts, found.phase) == (reread_id, 1, Phase.CHANGES)
    window = (found.object_name, found.cause, found.detail, found.channel, found.from_at, found.until_at)
    assert window == ("Opportunity", "replay refused", "Refused.", "/data/X", NOON, NOON + HOUR)
    assert found.checks_missing
    assert not found.has_begun
    assert await rereads.claim(db, agreements, ORG, LEASE) is None


async def test_another_integration_or_org_never_takes_it(db: Pool, agreements: UUID) -> None:
    other = (await new_integration(db, "Others")).integration_id
    await opened(db, agreements, REFUSED)
    assert await rereads.claim(db, other, ORG, LEASE) is None
    assert await rereads.claim(db, agreements, "00D000000000002EAA", LEASE) is None


async def test_two_daemons_never_take_the_same_window(db: Pool, agreements: UUID) -> None:
    await opened(db, agreements, REFUSED)
    found = await asyncio.gather(*(rereads.claim(db, agreements, ORG, LEASE) for _ in range(6)))
    assert len([each for each in found if each]) == 1


async def test_a_window_of_the_same_object_and_cause_widens_the_one_that_waits(
    db: Pool, agreements: UUID
) -> None:
    def window(hours: int, until: datetime | None, object_name: str = "Opportunity") -> Window:
        return Window(object_name, RereadCause.OVERFLOW, "", "/data/X", NOON + hours * HOUR, until)

    (first,) = await opened(db, agreements, window(2, NOON + 3 * HOUR))
    earlier, later = await opened(db, agreements, window(1, NOON + HOUR), window(4, NOON + 5 * HOUR))
    (line,) = await opened(db, agreements, window(0, None, "OpportunityLineItem"))
    assert earlier == later == first != line
    found = await story(db, first)
    assert (found.from_at, found.until_at) == (NOON + HOUR, NOON + 5 * HOUR)
    await opened(db, agreements, window(3, None), window(3, NOON))
    assert (await story(db, first)).until_at is None


async def test_an_open_bound_stays_open_when_a_closed_one_comes_to_it(db: Pool, agreements: UUID) -> None:
    everything = Window("Opportunity", RereadCause.BY_HAND)
    (first,) = await opened(db, agreements, everything)
    await opened(db, agreements, Window("Opportunity", RereadCause.BY_HAND, from_at=NOON, until_at=NOON))
    found = await story(db, first)
    assert (found.from_at, found.until_at) == (None, None)


async def test_a_window_that_was_begun_is_not_widened_since_its_cursor_may_be_past_the_new_one(
    db: Pool, agreements: UUID
) -> None:
    reread = await begun(db, agreements)
    await postponed(db, reread, "Away.")
    (second,) = await opened(db, agreements, REFUSED)
    assert second != reread.reread_id


async def test_an_initial_synchronization_comes_last_and_makes_way(db: Pool, agreements: UUID) -> None:
    initial = Window("Opportunity", RereadCause.INITIAL)
    await opened(db, agreements, initial)
    reread = await taken(db, agreements)
    assert not await rereads.is_outranked(db, reread)
    (urgent,) = await opened(db, agreements, REFUSED)
    assert await rereads.is_outranked(db, reread)
    await postponed(db, reread, "")
    found = await taken(db, agreements)
    assert (found.reread_id, await rereads.is_outranked(db, found)) == (urgent, False)
    assert (await story(db, reread.reread_id)).attempts == 0


async def test_a_page_puts_its_records_into_the_inbox_and_moves_the_cursor(
    db: Pool, agreements: UUID
) -> None:
    reread = await begun(db, agreements)
    reread = await page(db, reread, 1, 2, 2)
    assert (reread.cursor_at, reread.cursor_id) == (NOON, record_id(2))
    assert (reread.records_read, reread.records_put, reread.total) == (3, 2, 9)
    rows = await inbox.find(db)
    assert {(row.record_id, row.cause, row.priority, row.reread_id) for row in rows} == {
        (record_id(number), "reread", -10, reread.reread_id) for number in (1, 2)
    }


async def test_records_of_an_initial_synchronization_wait_behind_those_of_other_re_reads(
    db: Pool, agreements: UUID
) -> None:
    await page(db, await begun(db, agreements, Window("Opportunity", RereadCause.INITIAL)), 1)
    await page(db, await begun(db, agreements), 2)
    await put(db, agreements, 3)
    order = [(await claimed(db, agreements)).record_id for _ in range(3)]
    assert order == [record_id(3), record_id(2), record_id(1)]


async def test_whoever_takes_an_expired_lease_goes_on_from_the_last_page_and_the_first_keeps_nothing_more(
    db: Pool, agreements: UUID
) -> None:
    reread = await page(db, await begun(db, agreements), 1, 2)
    await db.execute("UPDATE rereads SET lease_until = now()")
    other = await taken(db, agreements)
    assert (other.cursor_at, other.cursor_id, other.records_read) == (NOON, record_id(2), 2)
    assert other.has_begun
    for keep in (
        page(db, reread, 3),
        finished(db, reread),
        postponed(db, reread, "Late."),
        opening(db, reread),
    ):
        with pytest.raises(LeaseLost, match="Opportunity"):
            await keep
    assert {row.record_id for row in await inbox.find(db)} == {record_id(1), record_id(2)}


async def test_an_expired_lease_keeps_no_page_even_if_nobody_took_it_over(db: Pool, agreements: UUID) -> None:
    await opened(db, agreements, REFUSED)
    reread = await taken(db, agreements, EXPIRED)
    with pytest.raises(LeaseLost):
        await page(db, reread, 1)
    assert await inbox.find(db) == []


async def test_a_failure_is_told_until_a_page_is_kept(db: Pool, agreements: UUID) -> None:
    reread = await begun(db, agreements)
    await postponed(db, reread, "Not permitted.", "Grant it.")
    found = await story(db, reread.reread_id)
    assert (found.status, found.error, found.instruction, found.attempts) == (
        *(RereadStatus.WAITING, "Not permitted.", "Grant it.", 1),
    )
    again = await taken(db, agreements)
    assert again.attempts == 2
    await postponed(db, again, "Still not.", delay=HOUR)
    assert await rereads.claim(db, agreements, ORG, LEASE) is None
    await db.execute("UPDATE rereads SET due_at = now()")
    assert (await page(db, await taken(db, agreements), 1)).attempts == 1
    assert (await story(db, reread.reread_id)).error is None


async def test_a_window_that_is_given_up_is_read_by_nobody_and_its_reader_loses_it(
    db: Pool, agreements: UUID
) -> None:
    (waiting,) = await opened(db, agreements, Window("Opportunity", RereadCause.SILENT))
    assert await rereads.cancel(db, waiting)
    assert await rereads.claim(db, agreements, ORG, LEASE) is None
    reread = await begun(db, agreements)
    assert await rereads.cancel(db, reread.reread_id)
    with pytest.raises(LeaseLost):
        await page(db, reread, 1)
    assert not await rereads.cancel(db, reread.reread_id)
    assert (await story(db, waiting)).detail == "Given up by hand."
