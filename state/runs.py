"""Runs: started, finished with their object results and log, and found again."""

from collections.abc import Collection
from typing import Any
from uuid import UUID

from state import database, sql
from state.database import Connection, Db, Row
from state.errors import Conflict, LeaseLost, NotFound
from state.models import RUN_TRANSITIONS, RunStatus, SyncStatus, may_become
from state.run_models import LogLine, NewRun, Run, RunObject, RunResult

_SQL = sql.load("runs")


async def start(db: Db, new: NewRun) -> UUID:
    """Begin an attempt and give its run id; a run of the record that a dead daemon left STARTED is ended."""
    async with database.transaction(db) as tx:
        await end_interrupted(tx, new.integration_id, new.record_id)
        run_id: UUID = await database.fetch_value(
            *(tx, _SQL["start"], new.integration_id, new.object_name, new.record_id, new.cause),
            *(new.attempt, new.changed_at),
        )
    return run_id


async def end_interrupted(db: Db, integration_id: UUID, record_id: str) -> None:
    """End a run of the record that is still STARTED: its daemon died. Only the holder of the claim may."""
    sources = may_become(RUN_TRANSITIONS, RunStatus.AWAITING_RETRY)
    await database.execute(db, _SQL["end_interrupted"], integration_id, record_id, sources)


async def finish(tx: Connection, run_id: UUID, result: RunResult) -> None:
    """End a run with its objects and log.

    Raises NotFound, LeaseLost for a run that another attempt of the record ended as interrupted, Conflict for
    one that ended otherwise.
    """
    sources = may_become(RUN_TRANSITIONS, result.status)
    ended = await database.execute(
        *(tx, _SQL["finish"], run_id, result.status, result.sync_status, result.success, result.message),
        *(result.instruction, result.next_attempt_in, sources),
    )
    if not ended:
        found = await get(tx, run_id)
        if found.status is RunStatus.AWAITING_RETRY:
            raise LeaseLost(f"The run {run_id} was taken for interrupted: another attempt has the record.")
        raise Conflict(f"The run {run_id} is {found.status} and cannot become {result.status}.")
    counted = [("run", result.status.value), *(("object", each.action) for each in result.objects)]
    await database.execute(tx, _SQL["count"], run_id, *map(list, zip(*counted, strict=True)))
    if result.objects:
        fields = [
            (o.object_name, o.salesforce_id, o.m3ter_id, o.action, o.success, o.message, dict(o.changes))
            for o in result.objects
        ]
        await database.execute(tx, _SQL["add_objects"], run_id, *map(list, zip(*fields, strict=True)))
    if result.log:
        lines = [(line.logged_at, line.kind, dict(line.detail)) for line in result.log]
        await database.execute(tx, _SQL["add_log"], run_id, *map(list, zip(*lines, strict=True)))


async def get(db: Db, run_id: UUID) -> Run:
    """Raises NotFound."""
    rows = await database.fetch(db, _SQL["find"], run_id, None, None, None, 1)
    if not rows:
        raise NotFound(f"There is no run {run_id}.", "`m3sync runs` lists the latest.")
    return _run(rows[0])


async def latest(
    db: Db,
    *,
    integration: str | UUID | None = None,
    record_id: str | None = None,
    failed: bool | None = None,
    limit: int = 20,
) -> list[Run]:
    """The latest runs, newest first: of one integration, one record, those that failed or did not."""
    name = None if integration is None else str(integration)
    return [_run(row) for row in await database.fetch(db, _SQL["find"], None, name, record_id, failed, limit)]


async def own(db: Db, integration_id: UUID, record_id: str, limit: int) -> list[Run]:
    """The latest runs of one record by one integration, newest first; not those that met it as an object."""
    return [_run(row) for row in await database.fetch(db, _SQL["own"], integration_id, record_id, limit)]


async def for_record(db: Db, record_id: str, limit: int = 20) -> list[Run]:
    """The latest runs that synced this record, as the parent or as one of its objects."""
    return await latest(db, record_id=record_id, limit=limit)


async def objects(db: Db, run_ids: Collection[UUID]) -> dict[UUID, list[RunObject]]:
    """The object results of each of these runs, in the order of the sync."""
    found: dict[UUID, list[RunObject]] = {run_id: [] for run_id in run_ids}
    for row in await database.fetch(db, _SQL["objects"], list(run_ids)):
        found[row["run_id"]].append(RunObject(**_without_run(row)))
    return found


async def log(db: Db, run_ids: Collection[UUID]) -> dict[UUID, list[LogLine]]:
    """The log of each of these runs, in the order of what happened."""
    found: dict[UUID, list[LogLine]] = {run_id: [] for run_id in run_ids}
    for row in await database.fetch(db, _SQL["log"], list(run_ids)):
        found[row["run_id"]].append(LogLine(**_without_run(row)))
    return found


def _run(row: Row) -> Run:
    sync_status = SyncStatus(row["sync_status"]) if row["sync_status"] else None
    return Run(**{**row, "status": RunStatus(row["status"]), "sync_status": sync_status})


def _without_run(row: Row) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key != "run_id"}
