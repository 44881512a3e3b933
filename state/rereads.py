"""Windows that are read again as changes may have been missed, kept until all is in the inbox."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from state import database, inbox, sql
from state.database import Connection, Db, Row
from state.errors import LeaseLost
from state.models import Cause, may_become
from state.reread_models import (
    REREAD_TRANSITIONS,
    Phase,
    Reread,
    RereadCause,
    RereadStatus,
    RereadStory,
    Window,
)

__all__ = [
    "PRIORITIES",
    "Phase",
    "Reread",
    "RereadCause",
    "RereadStatus",
    "RereadStory",
    "Window",
    "add_difference",
    "begin",
    "cancel",
    "claim",
    "finish",
    "is_outranked",
    "keep_page",
    "latest",
    "looked_up",
    "note_gap",
    "open_windows",
    "postpone",
    "renew",
    "unread",
]

_SQL = sql.load("rereads")
_TO_READING = may_become(REREAD_TRANSITIONS, RereadStatus.READING)
_TO_WAITING = may_become(REREAD_TRANSITIONS, RereadStatus.WAITING)
_TO_READ = may_become(REREAD_TRANSITIONS, RereadStatus.READ)

# Live changes and a person's wishes (0 and more) go first.
PRIORITIES = {Cause.REREAD: -10, Cause.INITIAL: -20}


async def open_windows(
    tx: Connection, integration_id: UUID, org_id: str, windows: Sequence[Window]
) -> list[UUID]:
    """Record windows to be read, in the transaction that loses what they are about; gives their ids in order.

    One of the same object and cause that was not begun yet is widened instead.
    """
    ids = []
    for each in windows:
        values = (integration_id, org_id, each.object_name, each.cause.value, each.from_at, each.until_at)
        more = (each.channel, each.detail, each.checks_missing, each.delay)
        reread_id = await database.fetch_value(tx, _SQL["widen"], *values, *more)
        if reread_id is None:
            reread_id = await database.fetch_value(tx, _SQL["open"], *values, *more)
            await _count(tx, integration_id, "window", {each.cause.value: 1})
        ids.append(reread_id)
    if ids:
        await database.execute(tx, _SQL["announce"])
    return ids


async def note_gap(  # noqa: PLR0913, PLR0917 - one row of the table, in the order of its columns
    tx: Connection,
    integration_id: UUID,
    org_id: str,
    object_name: str,
    record_ids_count: int,
    detail: str,
    channel: str,
) -> UUID:
    """Record that events without data named their records, which are in the inbox: nothing is to be read."""
    values = (integration_id, org_id, object_name, record_ids_count, detail, channel)
    reread_id: UUID = await database.fetch_value(tx, _SQL["note_gap"], *values)
    await _count(tx, integration_id, "window", {RereadCause.GAP.value: 1})
    return reread_id


async def claim(db: Db, integration_id: UUID, org_id: str, lease: timedelta) -> Reread | None:
    """Take the foremost window that is due, or whose holder let its lease expire; None when there is none.

    A look-up comes after the others: what they find in the recycle bin may be gone from it soon. An initial
    synchronization comes last.
    """
    row = await database.fetch_one(db, _SQL["claim"], integration_id, org_id, lease, _TO_READING)
    return None if row is None else _reread(row, lease)


async def is_outranked(db: Db, reread: Reread) -> bool:
    """Whether another window is due that goes before this one: postpone this one then, without an error."""
    values = (reread.integration_id, reread.org_id, reread.reread_id)
    return bool(await database.fetch_value(db, _SQL["is_outranked"], *values))


async def begin(tx: Connection, reread: Reread, *, until_at: datetime, total: int | None) -> Reread:
    """Fix until when it is read, and how many there are. Raises LeaseLost."""
    values = (reread.reread_id, reread.lease_token, until_at, total)
    return _held(await database.fetch_one(tx, _SQL["begin"], *values), reread)


async def keep_page(  # noqa: PLR0913 - one page, named by its columns
    tx: Connection,
    reread: Reread,
    records: Sequence[tuple[str, str]],
    *,
    read: int,
    cursor: tuple[datetime | None, str] | None,
    phase: Phase,
) -> Reread:
    """One page becomes durable: its records (object name, id) are in the inbox, and the cursor is behind it.

    `read`: how many records the page had; `cursor`: the last of them, None to begin a phase. Prolongs the
    lease. Raises LeaseLost.
    """
    wanted = sorted(set(records))
    at, last_id = cursor or (None, "")
    values = (reread.reread_id, reread.lease_token, reread.lease, phase.value, at, last_id)
    kept = _held(await database.fetch_one(tx, _SQL["keep_page"], *values, read, len(wanted)), reread)
    cause = Cause.INITIAL if reread.cause is RereadCause.INITIAL else Cause.REREAD
    priority, reread_id = PRIORITIES[cause], reread.reread_id
    await inbox.put_many(
        tx, reread.integration_id, wanted, cause=cause, priority=priority, reread_id=reread_id
    )
    await _count(tx, reread.integration_id, "reread", {"read": read, "put": len(wanted)})
    return kept


async def renew(db: Db, reread: Reread) -> None:
    """Prolong the lease while a page is waited for. Raises LeaseLost."""
    values = (reread.reread_id, reread.lease_token, reread.lease)
    _held(await database.fetch_one(db, _SQL["renew"], *values), reread)


async def finish(tx: Connection, reread: Reread) -> None:
    """All that the window holds is in the inbox. Raises LeaseLost."""
    values = (reread.reread_id, reread.lease_token, _TO_READ)
    _held(await database.fetch_one(tx, _SQL["finish"], *values), reread)


async def postpone(
    tx: Connection, reread: Reread, delay: timedelta, error: str, instruction: str = ""
) -> None:
    """Go on later from the cursor. No `error`: it makes way for another, and the attempt does not count.

    Raises LeaseLost.
    """
    values = (reread.reread_id, reread.lease_token, delay, error or None, instruction, _TO_WAITING)
    _held(await database.fetch_one(tx, _SQL["postpone"], *values), reread)
    await database.execute(tx, _SQL["announce"])


async def cancel(db: Db, reread_id: UUID) -> bool:
    """Give a window up that is not read yet; whoever reads it loses the lease. False: there is none open."""
    return bool(await database.execute(db, _SQL["cancel"], reread_id, _TO_READ))


async def looked_up(
    db: Db,
    integration_id: UUID,
    org_id: str,
    within: timedelta,
    causes: Collection[RereadCause] = tuple(RereadCause),
) -> set[str]:
    """The objects whose known records were looked up, or are to be, by a window that was opened `within`."""
    values = (integration_id, org_id, within, [each.value for each in causes])
    rows = await database.fetch(db, _SQL["looked_up"], *values)
    return {row["object_name"] for row in rows}


async def unread(
    tx: Connection, integration_id: UUID, org_id: str, object_names: Collection[str]
) -> set[str]:
    """Those of these objects, all in lower case, that have a window whose changes are not all read yet."""
    if not object_names:
        return set()
    names = sorted({each.lower() for each in object_names})
    rows = await database.fetch(tx, _SQL["unread"], integration_id, org_id, names)
    return {row["object_name"] for row in rows}


async def latest(
    db: Db,
    integration_id: UUID | None = None,
    limit: int = 20,
    *,
    only_open: bool = False,
    record_id: str | None = None,
) -> list[RereadStory]:
    """Those still open first, then the latest; of one integration or of all.

    With `record_id` those that put this record into the inbox, as far as is remembered.
    """
    rows = await database.fetch(db, _SQL["latest"], integration_id, only_open, record_id, limit)
    return [_story(row) for row in rows]


async def add_difference(tx: Connection, reread_id: UUID, integration_id: UUID, record_id: str) -> None:
    """A sync of this record, caused by this re-read, wrote something or failed; counted once for a record."""
    if await database.execute(tx, _SQL["add_difference"], reread_id, record_id):
        await _count(tx, integration_id, "reread", {"differed": 1})


async def _count(tx: Connection, integration_id: UUID, kind: str, counted: dict[str, int]) -> None:
    labels = sorted(counted)
    values = (integration_id, kind, labels, [counted[label] for label in labels])
    await database.execute(tx, _SQL["count"], *values)


def _held(row: Row | None, reread: Reread) -> Reread:
    if row is None:
        raise LeaseLost(
            f"The lease on the re-read of {reread.object_name} ({reread.cause}) ran out, or it was given up.",
            "Whoever took it over goes on from the last page that was kept.",
        )
    return _reread(row, reread.lease)


def _reread(row: Row, lease: timedelta) -> Reread:
    return Reread(**{**_typed(row), "lease": lease})


def _story(row: Row) -> RereadStory:
    return RereadStory(**{**_typed(row), "status": RereadStatus(row["status"])})


def _typed(row: Row) -> dict[str, Any]:
    return {**row, "cause": RereadCause(row["cause"]), "phase": Phase(row["phase"])}
