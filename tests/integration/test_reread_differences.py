"""What a re-read came to: records left to sync, and those whose sync wrote something or failed."""

import asyncio
from datetime import timedelta
from uuid import UUID

import pytest

from daemon import outcomes
from daemon.outcomes import Action, Complete, ObjectResult, Outcome, Postpone, Redirect, RunEnd, SetAside
from state import database, inbox, insights, rereads, retention, runs
from state.database import Pool
from state.models import Cause, Claim, RunStatus
from state.rereads import Reread, RereadCause, RereadStory, Window
from state.run_models import NewRun
from tests.integration.state_rows import EXPIRED, LEASE, ORG, claimed, new_integration, put, record_id
from tests.integration.test_rereads import REFUSED, begun, finished, page, story

AWAY = Postpone(timedelta(0), "Away.", counts=False)


@pytest.fixture
async def agreements(db: Pool) -> UUID:
    return (await new_integration(db)).integration_id


async def synced(db: Pool, claim: Claim, *actions: Action, then: outcomes.Then | None = None) -> None:
    """The attempt ends with an object for each of `actions`; without any it failed as a whole."""
    new = NewRun(claim.integration_id, claim.object_name, claim.record_id, claim.cause, claim.attempts)
    run_id = await runs.start(db, new)
    objects = [ObjectResult("Account", "0010000000000AAAAA", action, "Said.") for action in actions]
    result = outcomes.finished(objects) if objects else outcomes.failed("Said.")
    end = RunEnd(run_id, RunStatus.COMPLETE if result.success else RunStatus.ERROR, result)
    await outcomes.record(db, claim, Outcome(then or Complete(), end))


async def told(db: Pool, reread: Reread) -> tuple[int, int]:
    """How many records are left to sync, and how many differed."""
    found: RereadStory = await story(db, reread.reread_id)
    return found.left, found.differences


@pytest.mark.parametrize(
    ("actions", "differences"),
    [
        ([Action.UNCHANGED], 0),
        ([Action.UNCHANGED, Action.FLAGGED], 0),
        ([Action.UNCHANGED, Action.UPDATED], 1),
        ([Action.CREATED], 1),
        ([Action.ADOPTED], 1),
        ([Action.FAILED, Action.NOT_ATTEMPTED], 1),
        ([], 1),
    ],
)
async def test_a_record_differed_whose_sync_wrote_something_or_failed(
    db: Pool, agreements: UUID, actions: list[Action], differences: int
) -> None:
    reread = await page(db, await begun(db, agreements), 1, 2)
    assert await told(db, reread) == (2, 0)
    await synced(db, await claimed(db, agreements), *actions)
    assert await told(db, reread) == (1, differences)


async def test_a_record_that_is_tried_again_is_counted_once_and_an_outage_is_no_difference(
    db: Pool, agreements: UUID
) -> None:
    reread = await page(db, await begun(db, agreements), 1)
    await synced(db, await claimed(db, agreements), then=AWAY)
    assert await told(db, reread) == (1, 0)
    await synced(db, await claimed(db, agreements), Action.UPDATED, then=AWAY)
    await synced(db, await claimed(db, agreements), then=Postpone(timedelta(0), "Refused.", counts=True))
    assert await told(db, reread) == (1, 1)
    await synced(db, await claimed(db, agreements), then=SetAside("Refused."))
    assert await told(db, reread) == (0, 1)
    figures = await insights.figures(db)
    assert figures.rereads == {
        ("Agreements", "read"): 1,
        ("Agreements", "put"): 1,
        ("Agreements", "differed"): 1,
    }


async def test_a_record_synced_for_another_reason_is_no_difference(db: Pool, agreements: UUID) -> None:
    reread = await begun(db, agreements)
    await synced(db, await _claimed_after_put(db, agreements), Action.UPDATED)
    assert await told(db, reread) == (0, 0)


async def _claimed_after_put(db: Pool, integration_id: UUID) -> Claim:
    await put(db, integration_id, 1)
    return await claimed(db, integration_id)


async def test_a_live_change_lifts_the_row_of_a_re_read_and_leaves_it_that_re_reads(
    db: Pool, agreements: UUID
) -> None:
    reread = await page(db, await begun(db, agreements, Window("Opportunity", RereadCause.INITIAL)), 1)
    await put(db, agreements, 1)
    claim = await claimed(db, agreements)
    assert (claim.cause, claim.priority, claim.reread_id) == (Cause.CHANGE, 0, reread.reread_id)


async def test_a_re_read_that_meets_a_known_change_found_nothing_new(db: Pool, agreements: UUID) -> None:
    await put(db, agreements, 1)
    reread = await page(db, await begun(db, agreements), 1)
    claim = await claimed(db, agreements)
    assert (claim.cause, claim.priority, claim.reread_id) == (Cause.CHANGE, 0, None)
    assert await told(db, reread) == (0, 0)


async def test_a_stronger_re_read_takes_a_row_over_and_a_weaker_one_does_not(
    db: Pool, agreements: UUID
) -> None:
    initial = await page(db, await begun(db, agreements, Window("Opportunity", RereadCause.INITIAL)), 1, 2)
    refused = await page(db, await begun(db, agreements), 1, 3)
    await page(db, initial, 1, 2, 3)
    assert {row.record_id: (row.reread_id, row.cause, row.priority) for row in await inbox.find(db)} == {
        record_id(1): (refused.reread_id, "reread", -10),
        record_id(2): (initial.reread_id, "initial", -20),
        record_id(3): (refused.reread_id, "reread", -10),
    }


async def test_a_re_read_that_meets_a_record_in_flight_is_the_cause_of_the_next_sync_only(
    db: Pool, agreements: UUID
) -> None:
    claim = await _claimed_after_put(db, agreements)
    reread = await page(db, await begun(db, agreements), 1)
    assert await told(db, reread) == (0, 0)
    await synced(db, claim, Action.UPDATED)
    again = await claimed(db, agreements)
    assert (again.cause, again.priority, again.reread_id) == (Cause.REREAD, -10, reread.reread_id)
    await synced(db, again, Action.UPDATED)
    assert await told(db, reread) == (0, 1)


@pytest.mark.parametrize("ending", ["postponed", "taken over"])
async def test_a_re_reads_row_that_is_tried_again_keeps_its_place_behind_live_changes(
    db: Pool, agreements: UUID, ending: str
) -> None:
    await page(db, await begun(db, agreements), 1)
    if ending == "postponed":
        await synced(db, await claimed(db, agreements), then=AWAY)
    else:
        await claimed(db, agreements, lease=EXPIRED)
    await put(db, agreements, 2)
    assert [(await claimed(db, agreements)).priority for _ in range(2)] == [0, -10]


async def test_a_line_leads_its_re_read_to_the_parent(db: Pool, agreements: UUID) -> None:
    reread = await begun(db, agreements)
    await page(db, reread, 1)
    claim = await claimed(db, agreements)
    async with database.transaction(db) as tx:
        await inbox.redirect(tx, claim, "Opportunity", record_id(9))
    (row,) = await inbox.find(db)
    assert (row.record_id, row.reread_id, row.priority) == (record_id(9), reread.reread_id, -10)
    assert row.first_changed_at == claim.first_changed_at
    await outcomes.record(db, await claimed(db, agreements), Outcome(Redirect("Opportunity", record_id(8))))
    assert (await inbox.find(db))[0].reread_id == reread.reread_id


async def test_a_record_set_aside_and_retried_by_a_person_is_not_the_re_reads_any_more(
    db: Pool, agreements: UUID
) -> None:
    await page(db, await begun(db, agreements), 1)
    await synced(db, await claimed(db, agreements), then=SetAside("Refused."))
    await inbox.put(db, agreements, "Opportunity", record_id(1), cause=Cause.MANUAL)
    assert (await claimed(db, agreements)).reread_id is None


async def test_named_gaps_are_recorded_as_read_and_counted(db: Pool, agreements: UUID) -> None:
    async with database.transaction(db) as tx:
        reread_id = await rereads.note_gap(tx, agreements, ORG, "Opportunity", 3, "A gap.", "/data/X")
    found = await story(db, reread_id)
    assert (found.is_open, found.cause, found.records_read, found.detail) == (False, "gap", 3, "A gap.")
    assert (await insights.figures(db)).windows == {("Agreements", "gap"): 1}
    assert await rereads.latest(db, only_open=True) == []


async def test_what_a_record_was_read_again_for_is_told_of_it(db: Pool, agreements: UUID) -> None:
    reread = await page(db, await begun(db, agreements), 1, 2)
    assert [each.reread_id for each in await rereads.latest(db, record_id=record_id(1))] == [reread.reread_id]
    await synced(db, await claimed(db, agreements), Action.UNCHANGED)
    assert [each.reread_id for each in await rereads.latest(db, record_id=record_id(1))] == [reread.reread_id]
    assert await rereads.latest(db, record_id=record_id(3)) == []


async def test_only_windows_read_long_ago_with_nothing_left_are_forgotten(db: Pool, agreements: UUID) -> None:
    done = await begun(db, agreements)
    await finished(db, done)
    with_left = await page(db, await begun(db, agreements), 1)
    await finished(db, with_left)
    waiting = await begun(db, agreements, Window("Opportunity", RereadCause.SILENT))
    assert (await retention.prune(db))["rereads"] == 0
    await db.execute("UPDATE rereads SET opened_at = opened_at - interval '1 year'")
    await db.execute("UPDATE rereads SET finished_at = opened_at WHERE finished_at IS NOT NULL")
    assert (await retention.prune(db))["rereads"] == 1
    assert {each.reread_id for each in await rereads.latest(db)} == {with_left.reread_id, waiting.reread_id}
    assert (await insights.figures(db)).windows[("Agreements", "replay refused")] == 2


async def test_a_difference_of_a_forgotten_re_read_does_not_stop_the_sync(db: Pool, agreements: UUID) -> None:
    await page(db, await begun(db, agreements, REFUSED), 1)
    claim = await claimed(db, agreements)
    await db.execute("DELETE FROM rereads")
    await synced(db, claim, Action.UPDATED)
    assert await inbox.find(db) == []


async def test_pages_syncs_and_changes_of_the_same_records_do_not_deadlock(
    db: Pool, agreements: UUID
) -> None:
    reread = await begun(db, agreements)
    numbers = range(1, 9)

    async def syncing() -> None:
        for _ in range(12):
            if (
                claim := await inbox.claim(db, worker="w", lease=LEASE, integration_ids=[agreements])
            ) is not None:
                await synced(db, claim, Action.UPDATED)

    async def reading() -> None:
        for _ in range(12):
            await page(db, reread, *numbers)

    async def hearing() -> None:
        for _ in range(12):
            async with database.transaction(db) as tx:
                records = [("Opportunity", record_id(number)) for number in reversed(numbers)]
                await inbox.put_many(tx, agreements, records, cause=Cause.CHANGE)
                await rereads.open_windows(tx, agreements, ORG, [REFUSED])

    await asyncio.gather(syncing(), syncing(), syncing(), reading(), hearing(), hearing())
    assert (await story(db, reread.reread_id)).records_read == 96
