"""What the read service tells: status with its issues, runs, a record's story and what is next, figures."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from state import (
    credentials,
    database,
    external_mappings,
    health,
    inbox,
    insights,
    integrations,
    intents,
    record_parents,
    record_states,
    runs,
)
from state.database import Pool
from state.insight_models import CurrentStatus, FirstSynchronization, IssueKind, RunFilter, Status
from state.models import (
    Cause,
    ExternalMapping,
    Integration,
    NewIntent,
    RecordState,
    RunStatus,
    SyncStatus,
    Target,
)
from state.run_models import LogLine, NewRun, RunObject, RunResult
from tests.integration.state_rows import ORG, change, claimed, new_integration, put, record_id


@pytest.fixture
async def agreements(db: Pool) -> Integration:
    found = await new_integration(db)
    for each in await credentials.list_all(db):
        await credentials.mark_authorized(db, each.credential_id)
    return found


async def status(db: Pool) -> Status:
    (found,) = await insights.statuses(db)
    return found


async def sync(
    db: Pool, integration_id: UUID, number: int = 1, *, cause: str = "change", **values: object
) -> UUID:
    """One whole sync of a record, ending as `values` say."""
    claim = await claimed(db, integration_id)
    new = NewRun(integration_id, "Opportunity", record_id(number), cause, 1, claim.first_changed_at)
    run_id = await runs.start(db, new)
    fields = {"status": RunStatus.COMPLETE, "success": True, "sync_status": SyncStatus.COMPLETED, **values}
    result = RunResult(**fields)  # type: ignore[arg-type]  # any field may be given
    now = None if result.sync_status is SyncStatus.FAILED else datetime.now(UTC)
    async with database.transaction(db) as tx:
        await runs.finish(tx, run_id, result)
        state = RecordState(integration_id, record_id(number), True, result.sync_status, run_id, None, now)
        await record_states.put(tx, state)
        await inbox.complete(tx, claim)
    return run_id


@pytest.mark.usefixtures("agreements")
async def test_a_new_integration_has_not_started_and_is_in_step(db: Pool) -> None:
    found = await status(db)
    assert found.integration.name == "Agreements"
    assert found.first_synchronization is FirstSynchronization.NOT_STARTED
    assert found.current is CurrentStatus.IN_STEP
    assert (found.issues, found.issue_count, found.last_synchronized_at, found.lag) == ((), 0, None, None)
    assert found.is_automatic


async def test_a_waiting_change_shows_as_lag_until_it_is_synced(db: Pool, agreements: Integration) -> None:
    await put(db, agreements.integration_id)
    waiting = await status(db)
    assert waiting.current is CurrentStatus.WAITING
    assert waiting.lag is not None
    assert timedelta(0) <= waiting.lag < timedelta(minutes=1)
    assert (waiting.inbox.waiting, waiting.inbox.due) == (1, 1)
    await sync(db, agreements.integration_id)
    after = await status(db)
    assert (after.current, after.lag) == (CurrentStatus.IN_STEP, None)
    assert after.first_synchronization is FirstSynchronization.DONE
    assert after.last_synchronized_at is not None
    assert after.last_synchronized_at.tzinfo is UTC
    assert after.first_synchronized_at == after.last_synchronized_at


async def test_a_record_in_flight_an_initial_one_and_a_switch_show_in_the_status(
    db: Pool, agreements: Integration
) -> None:
    key = agreements.integration_id
    await inbox.put(db, key, "Opportunity", record_id(1), cause=Cause.INITIAL)
    assert (await status(db)).first_synchronization is FirstSynchronization.IN_PROGRESS
    await claimed(db, key)
    assert (await status(db)).current is CurrentStatus.SYNCING
    await db.execute("DELETE FROM inbox")
    await integrations.disable(db, "Agreements")
    found = await status(db)
    assert (found.current, found.is_automatic) == (CurrentStatus.DISABLED, False)


async def test_a_refused_credential_and_an_ailing_part_are_issues_of_its_integration_only(
    db: Pool, agreements: Integration
) -> None:
    await new_integration(db, "Others")
    assert agreements.m3ter_credential_id is not None
    await credentials.mark_refused(db, agreements.m3ter_credential_id, "invalid api key")
    await health.report(db, "m3ter:Agreements m3ter", False, "m3ter refuses the key.", "Add it again.")
    mine, other = await insights.statuses(db)
    assert mine.current is CurrentStatus.NOT_AUTHORIZED
    (issue,) = mine.issues
    assert (issue.kind, issue.message) == (IssueKind.PART, "m3ter refuses the key.")
    assert other.issues == ()


async def test_a_part_named_after_nobody_concerns_all_and_one_named_after_a_channel_its_credential(
    db: Pool, agreements: Integration
) -> None:
    await new_integration(db, "Others")
    channel = "/data/OpportunityChangeEvent"
    await health.report(db, "worker", False, "The worker stopped.")
    await health.report(db, f"stream:{agreements.salesforce_credential_name}:{channel}", False, "A gap.")
    mine, other = await insights.statuses(db)
    assert {issue.message for issue in mine.issues} == {"The worker stopped.", "A gap."}
    assert {issue.message for issue in other.issues} == {"The worker stopped."}


async def test_failed_set_aside_and_retried_records_are_issues_and_flagged_objects_are_not(
    db: Pool, agreements: Integration
) -> None:
    key = agreements.integration_id
    flagged = RunObject("Plan", record_id(1), "flagged", False, "was flagged to not sync.")
    overlap = RunObject("Commitment", record_id(2), "failed", False, "Commitment would overlap")
    price = RunObject("Pricing", record_id(2), "failed", False, "No such product in m3ter.")
    partial: dict[str, Any] = {
        "status": RunStatus.ERROR,
        "success": False,
        "sync_status": SyncStatus.PARTIAL_SUCCESS,
    }
    await put(db, key, 1)
    await sync(db, key, 1, **partial, objects=(flagged,))
    await put(db, key, 2)
    run_id = await sync(
        db, key, 2, **partial, objects=(overlap, price, flagged), instruction="Move its dates."
    )
    for number, later in ((3, None), (4, inbox.Later(timedelta(hours=1)))):
        await put(db, key, number)
        claim = await claimed(db, key)
        async with database.transaction(db) as tx:
            if later is None:
                await inbox.set_aside(tx, claim, "m3ter answered 500.")
            else:
                await inbox.postpone(tx, claim, later, "m3ter answered 503.")
    found = await status(db)
    assert (found.issue_count, found.current) == (3, CurrentStatus.WAITING)
    assert [(each.kind, each.subject) for each in found.issues] == [
        (IssueKind.SET_ASIDE, record_id(3)),
        (IssueKind.FAILED, record_id(2)),
        (IssueKind.RETRYING, record_id(4)),
    ]
    failed = found.issues[1]
    said = "Commitment: Commitment would overlap. Pricing: No such product in m3ter."
    assert (failed.message, failed.instruction) == (said, "Move its dates.")
    assert failed.run_id == run_id
    assert found.issues[0].inbox_id is not None
    assert "is tried again at" in found.issues[2].instruction
    await db.execute("DELETE FROM inbox WHERE status = 'WAITING'")
    assert (await status(db)).current is CurrentStatus.ISSUES


async def test_a_mistyped_id_is_no_standing_issue_and_a_record_that_was_heard_of_or_met_is(
    db: Pool, agreements: Integration
) -> None:
    key = agreements.integration_id
    async with database.transaction(db) as tx:
        await inbox.receive(tx, ORG, [change(2)], [])
    failed: dict[str, Any] = {"status": RunStatus.ERROR, "success": False, "sync_status": SyncStatus.FAILED}
    refused = RunObject("Account", record_id(3), "failed", False, "m3ter says no.")
    for number, cause, objects in ((1, "manual", ()), (2, "manual", ()), (3, "manual", (refused,))):
        await put(db, key, number)
        await sync(db, key, number, cause=cause, objects=objects, **failed)
    assert {each.subject for each in (await status(db)).issues} == {record_id(2), record_id(3)}


async def test_what_is_next_after_a_failure_names_what_failed_in_sentences(
    db: Pool, agreements: Integration
) -> None:
    key = agreements.integration_id
    overlap = RunObject("Commitment", record_id(1), "failed", False, "Commitment would overlap")
    flagged = RunObject("Plan", record_id(1), "flagged", False, "The object plans was flagged to not sync.")
    ended: dict[str, Any] = {
        "status": RunStatus.ERROR,
        "success": False,
        "message": "Sync process completed successfully",
    }
    partial = {**ended, "sync_status": SyncStatus.PARTIAL_SUCCESS, "instruction": "Move its dates."}
    await put(db, key)
    await sync(db, key, objects=(overlap, flagged), **partial)
    (sentences,) = (await insights.explain(db, record_id(1))).next
    assert sentences == (
        "Nothing is planned: the last run ended as ERROR (Partial Success). "
        f"The Commitment of {record_id(1)} failed: Commitment would overlap. "
        "The object plans was flagged to not sync. Move its dates."
    )
    await put(db, key)
    failed = {**ended, "sync_status": SyncStatus.FAILED, "message": "Sync process failed: it is gone"}
    await sync(db, key, **failed)
    assert (await insights.explain(db, record_id(1))).next == (
        "Nothing is planned: the last run ended as ERROR (Failed). Sync process failed: it is gone.",
    )


async def test_the_latest_runs_come_with_objects_and_answer_to_every_filter(
    db: Pool, agreements: Integration
) -> None:
    key = agreements.integration_id
    line = RunObject("Plan", record_id(9, "00k"), "created", True, "m3ter Identifier: p", "p")
    await put(db, key, 1)
    first = await sync(db, key, 1, objects=(line,))
    await put(db, key, 2)
    second = await sync(db, key, 2, status=RunStatus.ERROR, success=False, sync_status=SyncStatus.FAILED)

    async def ids(wanted: RunFilter) -> list[UUID]:
        return [story.run.run_id for story in await insights.latest_runs(db, wanted)]

    assert await ids(RunFilter()) == [second, first]
    assert await ids(RunFilter(limit=1)) == [second]
    assert await ids(RunFilter(failed=True)) == [second]
    assert await ids(RunFilter(failed=False)) == [first]
    assert await ids(RunFilter(record_id=record_id(9, "00k"))) == [first]
    assert await ids(RunFilter(integration="Agreements")) == [second, first]
    assert await ids(RunFilter(integration="No such")) == []
    assert (await insights.latest_runs(db, RunFilter(failed=False)))[0].objects == (line,)


async def test_a_record_is_explained_from_its_events_to_what_is_next(
    db: Pool, agreements: Integration
) -> None:
    key = agreements.integration_id
    account = record_id(5, "001")
    async with database.transaction(db) as tx:
        await inbox.receive(tx, ORG, [change(1, changed_fields=("StageName",))], [Target(key, "Opportunity")])
        await record_parents.remember(tx, key, [(record_id(9, "00k"), record_id(1))])
        await inbox.receive(tx, ORG, [change(2, record_id=record_id(9, "00k"))], [])
        await external_mappings.put(tx, ExternalMapping("org", "Account", "Account", account, "a-1"))
    call = LogLine("call", datetime.now(UTC), {"system": "m3ter", "method": "POST", "status": 200})
    created = RunObject(
        "Account", account, "created", True, "m3ter Identifier: a-1", "a-1", {"name": [None, "A"]}
    )
    await sync(db, key, 1, objects=(created,), log=(call,))
    await put(db, key, 1)
    claim = await claimed(db, key)
    await intents.open_intent(db, claim, NewIntent("org", "Account", "Account", account, "{}"))

    story = await insights.explain(db, record_id(1))
    assert {each.record_id for each in story.events} == {record_id(1), record_id(9, "00k")}
    assert story.runs[0].log == (call,)
    assert story.runs[0].objects == (created,)
    assert [each.m3ter_id for each in story.external_mappings] == ["a-1"]
    assert [each.m3ter_entity for each in story.open_intents] == ["Account"]
    assert "is being synced, attempt 1" in story.next[0]
    assert "its end is not known" in story.next[1]
    line = await insights.explain(db, record_id(9, "00k"))
    assert line.parent_ids == (record_id(1),)
    assert line.next == (f"It is a line: its changes are synced with {record_id(1)}.",)
    assert not (await insights.explain(db, record_id(77))).is_known


async def test_the_figures_count_what_happened_even_after_runs_are_forgotten(
    db: Pool, agreements: Integration
) -> None:
    key = agreements.integration_id
    plan = RunObject("Plan", record_id(1), "created", True, "")
    for _ in range(2):
        await put(db, key, 1)
        await sync(db, key, 1, objects=(plan,))
    await db.execute("DELETE FROM runs")
    await put(db, key, 3)
    found = await insights.figures(db)
    assert found.runs == {("Agreements", "COMPLETE"): 2}
    assert found.objects == {("Agreements", "created"): 2}
    assert found.inbox["Agreements"].waiting == 1
    assert found.lag["Agreements"] >= timedelta(0)
    assert found.last_synchronized_at["Agreements"] <= datetime.now(UTC)
