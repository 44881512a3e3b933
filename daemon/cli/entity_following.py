"""Follows one run of an entity data sync in the database."""

from dataclasses import replace
from uuid import UUID

from daemon.cli.headway import Headway
from daemon.cli.watching import Ended, Watcher
from state import entity_copies, entity_runs
from state.database import Db
from state.entity_models import EntityRun
from state.models import RunStatus

_UNDER_WAY = (RunStatus.WAITING, RunStatus.STARTED)


async def follow(watcher: Watcher, run_id: UUID) -> tuple[Ended, EntityRun]:
    """Why it ended, and the run as it is then."""
    db = watcher.db
    run = await entity_runs.get(db, run_id)
    expected = await _expected(db, run)

    async def look() -> Headway:
        nonlocal run
        run = await entity_runs.get(db, run_id)
        backlogs = await entity_copies.backlogs(db)
        return headway(run, backlogs[run.integration_id].due, expected)

    return await watcher.watch(look), run


async def _expected(db: Db, run: EntityRun) -> int | None:
    """How many entities the last complete run found."""
    earlier = await entity_runs.list_runs(db, run.integration_id, limit=20)
    whole = [each.entities_read for each in earlier if each.status is RunStatus.COMPLETE and each.is_scanned]
    return whole[0] if whole else None


def headway(run: EntityRun, left: int, expected: int | None) -> Headway:
    """Until all is read nobody knows how many there are to write. `expected`: entities of the last run, None
    when this is the first; `left`: copies that are due."""
    done = run.written + run.refused + run.marked + run.deleted
    to_read = None if expected is None else max(expected, run.entities_read)
    now = Headway(
        read=run.entities_read,
        to_read=run.entities_read if run.is_scanned else to_read,
        done=done,
        to_do=done + left if run.is_scanned else None,
        text="",
        is_over=run.status not in _UNDER_WAY,
    )
    return replace(now, text=_words(now, has_begun=run.status is not RunStatus.WAITING))


def _words(now: Headway, *, has_begun: bool) -> str:
    """`read 1,200 of 5,000; written 800`, and once all is read `read 5,000; written 900 of 1,000`."""
    if not has_begun:
        return "waits for the service to begin"
    is_read = now.to_do is not None
    of = "" if is_read or now.to_read is None else f" of {now.to_read:,}"
    ahead = "" if now.to_do is None else f" of {now.to_do:,}"
    return f"read {now.read:,}{of}; written {now.done:,}{ahead}"
