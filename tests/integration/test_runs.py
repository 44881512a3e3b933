"""Runs: started, finished with objects and log, interrupted, found again."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID, uuid4

import pytest

from state import database, runs
from state.database import Pool
from state.errors import Conflict, LeaseLost, NotFound
from state.models import RunStatus, SyncStatus
from state.run_models import LogLine, NewRun, RunObject, RunResult
from tests.integration.state_rows import new_integration, record_id

DONE = RunResult(RunStatus.COMPLETE, True, "Sync process completed successfully", "", SyncStatus.COMPLETED)


@pytest.fixture
async def agreements(db: Pool) -> UUID:
    return (await new_integration(db)).integration_id


async def start(db: Pool, integration_id: UUID, number: int = 1, attempt: int = 1) -> UUID:
    heard_at = datetime(2026, 11, 21, 8, tzinfo=UTC)
    new = NewRun(integration_id, "Opportunity", record_id(number), "change", attempt, heard_at)
    return await runs.start(db, new)


async def finish(db: Pool, run_id: UUID, result: RunResult) -> None:
    async with database.transaction(db) as tx:
        await runs.finish(tx, run_id, result)


async def test_a_run_begins_started(db: Pool, agreements: UUID) -> None:
    run = await runs.get(db, await start(db, agreements))
    assert (run.status, run.success, run.sync_status, run.completed_at) == (
        RunStatus.STARTED,
        None,
        None,
        None,
    )
    assert (run.integration_name, run.record_id, run.attempt) == ("Agreements", record_id(1), 1)
    assert run.changed_at == datetime(2026, 11, 21, 8, tzinfo=UTC)


async def test_a_run_ends_with_its_objects_and_its_log_as_given(db: Pool, agreements: UUID) -> None:
    now = datetime.now(UTC)
    objects = (
        RunObject("Account", record_id(1, "001"), "unchanged", True, "m3ter Identifier: a", "a"),
        RunObject(
            *("Commitment", record_id(1), "updated", True, "m3ter Identifier: c", "c"),
            {"amount": [Decimal("1000.10"), Decimal("0.1")]},
        ),
        RunObject(
            "Plan", record_id(2, "00k"), "flagged", False, "The object plans … was flagged to not sync."
        ),
    )
    log = (
        LogLine("call", now, {"system": "m3ter", "method": "GET", "milliseconds": Decimal("12.5")}),
        LogLine("note", now - timedelta(seconds=1), {"text": "adopted"}),
    )
    run_id = await start(db, agreements)
    result = RunResult(
        *(RunStatus.ERROR, False, "Sync process completed successfully", "Look", SyncStatus.PARTIAL_SUCCESS),
        *(None, objects, log),
    )
    await finish(db, run_id, result)
    run = await runs.get(db, run_id)
    assert (run.status, run.success, run.sync_status) == (RunStatus.ERROR, False, SyncStatus.PARTIAL_SUCCESS)
    assert run.completed_at is not None
    assert run.completed_at >= run.started_at
    assert tuple((await runs.objects(db, [run_id]))[run_id]) == objects
    assert tuple((await runs.log(db, [run_id]))[run_id]) == log


@pytest.mark.parametrize("status", [RunStatus.STARTED, RunStatus.WAITING])
async def test_a_started_run_cannot_go_back(db: Pool, agreements: UUID, status: RunStatus) -> None:
    run_id = await start(db, agreements)
    with pytest.raises(Conflict, match=f"is STARTED and cannot become {status}"):
        await finish(db, run_id, RunResult(status, None))


@pytest.mark.parametrize("status", [RunStatus.ERROR, RunStatus.COMPLETE, RunStatus.STARTED])
async def test_a_run_that_ended_cannot_end_otherwise(db: Pool, agreements: UUID, status: RunStatus) -> None:
    run_id = await start(db, agreements)
    await finish(db, run_id, DONE)
    with pytest.raises(Conflict, match="is COMPLETE and cannot become"):
        await finish(db, run_id, RunResult(status, False))
    assert (await runs.get(db, run_id)).success is True


async def test_a_run_cut_short_is_ended_by_the_next_attempt_of_its_record(db: Pool, agreements: UUID) -> None:
    cut_short, other = await start(db, agreements), await start(db, agreements, 2)
    await start(db, agreements, attempt=2)
    run = await runs.get(db, cut_short)
    assert run.status is RunStatus.AWAITING_RETRY
    assert "interrupted" in run.message
    assert (await runs.get(db, other)).status is RunStatus.STARTED
    with pytest.raises(LeaseLost):
        await finish(db, cut_short, DONE)


async def test_an_unknown_run_is_not_found(db: Pool) -> None:
    for attempt in (runs.get(db, uuid4()), finish(db, uuid4(), DONE)):
        with pytest.raises(NotFound, match="There is no run"):
            await attempt


async def test_runs_of_a_record_are_those_of_its_objects_too(db: Pool, agreements: UUID) -> None:
    line = record_id(2, "00k")
    run_id = await start(db, agreements)
    await finish(
        db,
        run_id,
        RunResult(RunStatus.COMPLETE, True, objects=(RunObject("Plan", line, "created", True, ""),)),
    )
    await start(db, agreements, 2)
    assert [run.run_id for run in await runs.for_record(db, line)] == [run_id]
    assert [run.run_id for run in await runs.for_record(db, record_id(1))] == [run_id]
