"""What is forgotten after its time, and what never is."""

from datetime import UTC, datetime
from uuid import UUID

import pytest

from state import database, inbox, intents, record_states, retention, runs
from state.database import Pool
from state.models import IntentStatus, NewIntent, RecordState, RunStatus, SyncStatus, Target
from state.retention import Keep
from state.run_models import LogLine, NewRun, RunObject, RunResult
from tests.integration.state_rows import ORG, change, claimed, new_integration, put, record_id


@pytest.fixture
async def agreements(db: Pool) -> UUID:
    return (await new_integration(db)).integration_id


async def run(db: Pool, integration_id: UUID, days_ago: int, *, is_last: bool = False) -> UUID:
    new = NewRun(integration_id, "Opportunity", record_id(1), "change", 1)
    run_id = await runs.start(db, new)
    plan = RunObject("Plan", record_id(1), "created", True, "")
    note = LogLine("note", datetime.now(UTC), {"text": "x"})
    async with database.transaction(db) as tx:
        await runs.finish(tx, run_id, RunResult(RunStatus.COMPLETE, True, objects=(plan,), log=(note,)))
        if is_last:
            state = RecordState(integration_id, record_id(1), True, SyncStatus.COMPLETED, run_id)
            await record_states.put(tx, state)
    await age(
        db,
        "UPDATE runs SET started_at = now() - make_interval(days => $1) WHERE run_id = $2",
        days_ago,
        run_id,
    )
    return run_id


async def age(db: Pool, statement: str, *values: object) -> None:
    await db.execute(statement, *values)


async def test_old_runs_are_forgotten_with_all_that_is_theirs_except_a_records_last(
    db: Pool, agreements: UUID
) -> None:
    await run(db, agreements, 100)
    last = await run(db, agreements, 95, is_last=True)
    fresh = await run(db, agreements, 1)
    forgotten = await retention.prune(db, Keep(runs=90, run_log=30))
    assert forgotten["runs"] == 1
    assert {each.run_id for each in await runs.latest(db)} == {last, fresh}
    assert [row["run_id"] for row in await db.fetch("SELECT run_id FROM run_log")] == [fresh]
    assert await db.fetchval("SELECT count(*) FROM run_objects") == 2


async def test_a_run_that_has_not_ended_is_kept(db: Pool, agreements: UUID) -> None:
    await runs.start(db, NewRun(agreements, "Opportunity", record_id(1), "change", 1))
    await age(db, "UPDATE runs SET started_at = now() - interval '1 year'")
    assert (await retention.prune(db))["runs"] == 0


async def test_old_change_events_are_forgotten_and_what_they_put_into_the_inbox_is_not(
    db: Pool, agreements: UUID
) -> None:
    async with database.transaction(db) as tx:
        await inbox.receive(tx, ORG, [change(1), change(2)], [Target(agreements, "Opportunity")])
    await age(db, "UPDATE change_events SET received_at = now() - interval '31 days' WHERE replay_id = '1'")
    assert (await retention.prune(db, Keep(change_events=30)))["change_events"] == 1
    assert await db.fetchval("SELECT replay_id FROM change_events") == "2"
    assert len(await inbox.find(db)) == 2


async def test_an_open_intent_is_never_forgotten(db: Pool, agreements: UUID) -> None:
    await put(db, agreements)
    claim = await claimed(db, agreements)
    kept = await intents.open_intent(db, claim, NewIntent("org", "Plan", "Opportunity", record_id(1), "{}"))
    closed = await intents.open_intent(db, claim, NewIntent("org", "Account", "Account", record_id(1), "{}"))
    async with database.transaction(db) as tx:
        await intents.close(tx, closed.intent_id, IntentStatus.DONE, "a")
    await age(
        db, "UPDATE intents SET created_at = '2020-01-01', closed_at = '2020-01-01' WHERE status = 'DONE'"
    )
    await age(db, "UPDATE intents SET created_at = '2020-01-01'")
    assert (await retention.prune(db))["intents"] == 1
    assert await intents.of_records(db, [record_id(1)]) != []
    assert (await intents.get(db, kept.intent_id)).status is IntentStatus.OPEN


async def test_more_than_one_batch_is_forgotten(
    db: Pool, agreements: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "_BATCH", 10)
    async with database.transaction(db) as tx:
        changes = [change(n) for n in range(35)]
        await inbox.receive(tx, ORG, changes, [Target(agreements, "Opportunity")])
    await age(db, "UPDATE change_events SET received_at = now() - interval '1 year'")
    assert (await retention.prune(db))["change_events"] == 35
