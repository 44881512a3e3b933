"""Runs of entity data syncs: asked for, claimed by one daemon, counted while they go on, and ended."""

import shlex
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import asyncpg

from state import database, sentence, sql
from state.database import Connection, Db, Row
from state.entity_models import Counts, EntityRun, EntityType, RunCause, RunClaim
from state.errors import LeaseLost, NotFound
from state.models import RUN_TRANSITIONS, RunStatus, may_become

_SQL = sql.load("entity_runs")

STREAK = 10  # so many successive errors disable an integration, as with m3ter


async def ask(db: Db, integration_id: UUID, cause: RunCause | str) -> UUID:
    """Ask for a run and give its id; one that waits already is that run. Raises NotFound."""
    async with database.transaction(db) as tx:
        try:
            run_id: UUID = await database.fetch_value(tx, _SQL["ask"], integration_id, RunCause(cause).value)
        except asyncpg.ForeignKeyViolationError as error:
            raise NotFound(
                f"There is no integration {integration_id}.", "`m3sync integrations` lists them."
            ) from error
        await database.execute(tx, _SQL["announce"])
    return run_id


async def claim(db: Db, integration_id: UUID, *, worker: str, lease: timedelta) -> RunClaim | None:
    """Take the run that waits, or go on with one whose holder let its lease expire; None: nothing to do.

    Of one integration one run is under way at a time, across any number of daemons.
    """
    asked_at = time.monotonic()
    row = await database.fetch_one(db, _SQL["claim"], integration_id, worker, lease)
    if row is None:
        return None
    return RunClaim(**{**row, "cause": RunCause(row["cause"]), "lease": lease, "asked_at": asked_at})


async def renew(db: Db, claim: RunClaim) -> None:
    """Prolong the lease while something outside is waited for. Raises LeaseLost."""
    _held(claim, await database.execute(db, _SQL["renew"], claim.run_id, claim.lease_token, claim.lease))


async def check(db: Db, claim: RunClaim) -> None:
    """The run is still this holder's; waits for nobody. Raises LeaseLost."""
    _held(claim, await database.fetch_value(db, _SQL["check"], claim.run_id, claim.lease_token))


async def fence(tx: Connection, claim: RunClaim) -> None:
    """First in every transaction that writes for the run: nobody else can take it before that ends.

    Raises LeaseLost.
    """
    _held(claim, await database.fetch_value(tx, _SQL["fence"], claim.run_id, claim.lease_token))


async def add(tx: Connection, claim: RunClaim, counts: Counts, *, cursor: str | None = None) -> None:
    """Add what was done, prolong the lease, and move the cursor (None leaves it). Raises LeaseLost."""
    values = (claim.run_id, claim.lease_token, claim.lease, cursor, dict(counts.calls))
    added = (
        *(counts.pages, counts.entities_read, counts.differing, counts.written, counts.created),
        *(counts.refused, counts.marked, counts.deleted, counts.unchanged),
    )
    _held(claim, await database.execute(tx, _SQL["add"], *values, *added))


async def scanned(tx: Connection, claim: RunClaim) -> None:
    """The scan came to its end: a resumed run only writes what waits. Raises LeaseLost."""
    _held(claim, await database.execute(tx, _SQL["scanned"], claim.run_id, claim.lease_token))


async def begin_anew(tx: Connection, claim: RunClaim) -> RunClaim:
    """The run reads from the first page, having met nothing. Hold its fence."""
    await database.execute(tx, _SQL["begin_anew"], claim.run_id)
    await database.execute(tx, _SQL["unsee"], claim.run_id)
    return replace(claim, cursor=None, is_scanned=False)


async def release(db: Db, claim: RunClaim) -> None:
    """Stop in the middle: whoever claims next goes on at once. Of a lease that is lost nothing happens."""
    async with database.transaction(db) as tx:
        if await database.execute(tx, _SQL["release"], claim.run_id, claim.lease_token):
            await database.execute(tx, _SQL["announce"])


async def end(db: Db, claim: RunClaim, status: RunStatus, error: str = "", instruction: str = "") -> bool:
    """The run ends, and what its scan has met is forgotten; whether that disabled its integration, as the
    last error of a streak does. Raises LeaseLost."""
    sources = may_become(RUN_TRANSITIONS, status)
    disabled = ""
    async with database.transaction(db) as tx:
        if status is RunStatus.COMPLETE:
            # First, as who edits the settings takes them before the run.
            await database.execute(tx, _SQL["completed"], claim.integration_id)
        elif status is RunStatus.ERROR and (disabled := await _name_to_disable(tx, claim)):
            error = f"{disabled} is disabled after {STREAK} successive errors, the last: {error}"
            mended = f"When it is mended: m3sync integrations enable {shlex.quote(disabled)}"
            instruction = f"{sentence.ended(instruction)} {mended}".strip()
        values = (claim.run_id, claim.lease_token, status.value, error, instruction, sources)
        _held(claim, await database.execute(tx, _SQL["end"], *values))
        await database.execute(tx, _SQL["unsee"], claim.run_id)
        await database.execute(tx, _SQL["count"], claim.run_id)
        if disabled:
            await _disable(tx, claim)
        await database.execute(tx, _SQL["announce"])
    return bool(disabled)


async def _name_to_disable(tx: Connection, claim: RunClaim) -> str:
    """The integration's name if one more error makes a streak; nobody changes it from here to the end of the
    transaction. Its settings are held first, as whoever changes both has them: no deadlock."""
    await database.execute(tx, _SQL["hold_settings"], claim.integration_id)
    await database.execute(tx, _SQL["hold_integration"], claim.integration_id)
    row = await database.fetch_one(tx, _SQL["streak"], claim.integration_id, claim.run_id)
    return str(row["name"]) if row and row["errors"] + 1 >= STREAK else ""


async def _disable(tx: Connection, claim: RunClaim) -> None:
    """By the end of this run: one that waits ends with the same words."""
    await database.execute(tx, _SQL["disable"], claim.integration_id, claim.run_id)
    for row in await database.fetch(tx, _SQL["end_waiting"], claim.integration_id, claim.run_id):
        await database.execute(tx, _SQL["count"], row["run_id"])
    await database.execute(tx, _SQL["announce_integrations"])


async def disabling(db: Db) -> Mapping[UUID, EntityRun]:
    """By integration, for those that a streak of errors has disabled, a run that tells so."""
    found = await database.fetch(db, _SQL["find"], None, None, True, None)
    return {run.integration_id: run for run in map(_run, found)}


async def list_runs(db: Db, integration_id: UUID | None = None, limit: int = 20) -> list[EntityRun]:
    """The latest first, of one integration or of all."""
    return [_run(row) for row in await database.fetch(db, _SQL["find"], None, integration_id, False, limit)]


async def get(db: Db, run_id: UUID) -> EntityRun:
    """Raises NotFound."""
    row = await database.fetch_one(db, _SQL["find"], run_id, None, False, 1)
    if row is None:
        raise NotFound(f"There is no run {run_id}.", "`m3sync runs` lists the latest.")
    return _run(row)


async def last(db: Db, integration_id: UUID) -> EntityRun | None:
    """The one asked for last; None when none ever was."""
    found = await list_runs(db, integration_id, 1)
    return found[0] if found else None


def _held(claim: RunClaim, did: object) -> None:
    if not did:
        raise LeaseLost(
            f"The lease on the run {claim.run_id} ran out, or its integration was changed.",
            "Whoever took it over goes on from the last page that was kept.",
        )


def _run(row: Row) -> EntityRun:
    typed = {
        "entity_type": EntityType(row["entity_type"]),
        "cause": RunCause(row["cause"]),
        "status": RunStatus(row["status"]),
    }
    return EntityRun(**{**row, **typed})
