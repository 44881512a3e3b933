"""The inbox: changed records, coalesced, claimed under a lease, then completed, postponed or set aside."""

import time
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from state import database, sql
from state.database import Connection, Db
from state.errors import LeaseLost
from state.models import (
    INBOX_TRANSITIONS,
    Cause,
    Change,
    Claim,
    InboxRow,
    InboxStatus,
    Target,
    may_become,
)

_SQL = sql.load("inbox")
_BACK_TO_WAITING = may_become(INBOX_TRANSITIONS, InboxStatus.WAITING)
_SET_ASIDE = may_become(INBOX_TRANSITIONS, InboxStatus.SET_ASIDE)
_RACES = 5  # lost claims before giving up for this round


@dataclass(frozen=True, slots=True)
class Later:
    """When to try again, counted from now by the database's clock.

    `settle`: before that not even another change makes the record due, as a call whose answer was lost may
    still take effect. An attempt that failed for no fault of the record is not counted.
    """

    delay: timedelta
    settle: timedelta = timedelta(0)
    counts: bool = True


async def receive(
    tx: Connection,
    org_id: str,
    changes: Sequence[Change],
    targets: Collection[Target],
    led_to: Iterable[tuple[UUID, str, str]] = (),
) -> int:
    """Remember the changes and put their records into the inbox of each interested integration.

    `led_to`: the records (integration, object name, id) that changes of others lead to, put with them by one
    statement, so that all rows are locked in one order. Gives how many were news; one heard before for the
    same integrations changes nothing. Meant to share its transaction with the checkpoint (README, promise 1).
    """
    if not changes:
        return 0
    wanted: dict[str, list[UUID]] = {}
    for target in targets:
        wanted.setdefault(target.object_name, []).append(target.integration_id)
    heard = await database.fetch(tx, _SQL["hear"], org_id, *_columns(changes, wanted))
    records = {(row["object_name"], row["record_id"]) for row in heard}
    rows = [(each, name, record_id) for name, record_id in records for each in wanted.get(name, ())]
    rows += led_to
    if rows:
        await _put(tx, rows, _Wish(Cause.CHANGE))
    return len(heard)


def _columns(changes: Sequence[Change], wanted: dict[str, list[UUID]]) -> Iterable[list[object]]:
    heard_for = {name: ",".join(map(str, ids)) for name, ids in wanted.items()}
    rows = (
        (
            *(c.channel, c.replay_id, c.object_name, c.record_id, c.change_type, ",".join(c.changed_fields)),
            *(c.change_origin, c.commit_user, c.transaction_key, c.committed_at, c.own_write),
            heard_for.get(c.object_name, ""),
        )
        for c in changes
    )
    return [list(column) for column in zip(*rows, strict=True)]


async def put(  # noqa: PLR0913 - one row of the table, named by its columns
    db: Db, integration_id: UUID, object_name: str, record_id: str, *, cause: Cause, priority: int = 0
) -> int:
    """Put one record into the inbox, or bring its row forward; gives the inbox id."""
    async with database.transaction(db) as tx:
        return await _put(tx, [(integration_id, object_name, record_id)], _Wish(cause, priority))


async def put_many(  # noqa: PLR0913 - what all the rows have in common, named by its columns
    db: Db,
    integration_id: UUID,
    records: Iterable[tuple[str, str]],
    *,
    cause: Cause,
    priority: int = 0,
    reread_id: UUID | None = None,
) -> None:
    """Put many records (object name, id) into the inbox at once."""
    rows = [(integration_id, object_name, record_id) for object_name, record_id in records]
    if rows:
        async with database.transaction(db) as tx:
            await _put(tx, rows, _Wish(cause, priority, reread_id))


@dataclass(frozen=True, slots=True)
class _Wish:
    """Why records are to be synced, how urgently, for which re-read, and since when (None is now)."""

    cause: Cause
    priority: int = 0
    reread_id: UUID | None = None
    since: datetime | None = None


async def _put(tx: Connection, rows: Sequence[tuple[UUID, str, str]], wish: _Wish) -> int:
    columns = [list(column) for column in zip(*rows, strict=True)]
    values = (wish.cause.value, wish.priority, wish.reread_id, wish.since)
    inbox_id = await database.fetch_value(tx, _SQL["put"], *columns, *values)
    await database.execute(tx, _SQL["announce"])
    return int(inbox_id)


async def claim(
    db: Db,
    *,
    worker: str,
    lease: timedelta,
    integration_ids: Collection[UUID],
    inbox_id: int | None = None,
) -> Claim | None:
    """Take the foremost record that is due, by priority, due time and age; None when there is none.

    A claim whose lease expired is taken over. The record is in flight nowhere else until the claim ends.
    """
    ids = list(integration_ids)
    for _ in range(_RACES):
        asked_at = time.monotonic()
        row = await database.fetch_one(db, _SQL["claim"], ids, worker, lease, inbox_id)
        if row is not None:
            cause = Cause(row["cause"])
            return Claim(**{**row, "cause": cause, "lease": lease, "asked_at": asked_at})
        if not await database.fetch_value(db, _SQL["is_any_due"], ids, inbox_id):
            return None
    return None


async def hold_accounts(db: Db, claim: Claim, keys: Collection[str], lease: timedelta | None = None) -> bool:
    """Hold all of these m3ter accounts for the claim, or none; False while another claim holds one.

    Raises LeaseLost.
    """
    wanted = set(keys)
    try:
        async with database.transaction(db) as tx:
            await _hold(tx, claim)
            values = (claim.lease_token, sorted(wanted), claim.lease if lease is None else lease)
            if await database.fetch_value(tx, _SQL["hold_keys"], *values) < len(wanted):
                raise _NotAll
    except _NotAll:
        return False
    return True


class _NotAll(Exception):  # noqa: N818 - not an error to anyone
    """Rolls back the leases had so far."""


async def renew(db: Db, claim: Claim, lease: timedelta | None = None) -> None:
    """The fence before each outside write: prolong the claim and all it holds. Raises LeaseLost."""
    async with database.transaction(db) as tx:
        await _hold(tx, claim)
        prolonged = claim.lease if lease is None else lease
        await database.execute(tx, _SQL["renew"], claim.inbox_id, claim.lease_token, prolonged)


async def complete(tx: Connection, claim: Claim) -> None:
    """The record is synced: forget it, or make it due again if it changed meanwhile. Raises LeaseLost."""
    revision = await _lock(tx, claim)
    if revision == claim.revision:
        await database.execute(tx, _SQL["delete"], claim.inbox_id)
    else:
        await _put_back(tx, claim)
    await database.execute(tx, _SQL["free_leases"], claim.lease_token)


async def postpone(tx: Connection, claim: Claim, later: Later, error: str) -> None:
    """Try again later; `error` says why. Raises LeaseLost."""
    await _lock(tx, claim)
    uncounted = 0 if later.counts else 1
    values = (claim.inbox_id, later.delay, error, uncounted, _BACK_TO_WAITING, later.settle)
    await database.execute(tx, _SQL["postpone"], *values)
    await database.execute(tx, _SQL["free_leases"], claim.lease_token)


async def set_aside(tx: Connection, claim: Claim, error: str, settle: timedelta = timedelta(0)) -> None:
    """Leave the record until a person or a change brings it back, at once if it changed meanwhile; never
    before `settle` is over. Raises LeaseLost.
    """
    revision = await _lock(tx, claim)
    if revision == claim.revision:
        await database.execute(tx, _SQL["set_aside"], claim.inbox_id, error, _SET_ASIDE, settle)
    else:
        await _put_back(tx, claim, settle)
    await database.execute(tx, _SQL["free_leases"], claim.lease_token)


async def redirect(db: Db, claim: Claim, parent_object: str, parent_id: str) -> int:
    """The change of a line is its parent's: coalesce the row into the parent's and give that one's id.

    Raises LeaseLost.
    """
    async with database.transaction(db) as tx:
        return await _redirect(tx, claim, parent_object, parent_id)


async def _redirect(tx: Connection, claim: Claim, parent_object: str, parent_id: str) -> int:
    rows = [(claim.integration_id, parent_object, parent_id)]
    wish = _Wish(claim.cause, claim.priority, claim.reread_id, claim.first_changed_at)
    if parent_id < claim.record_id:  # rows are locked in the order of their ids, as receive does: no deadlock
        parent = await _put(tx, rows, wish)
        revision = await _lock(tx, claim)
    else:
        revision = await _lock(tx, claim)
        parent = await _put(tx, rows, wish)
    if revision == claim.revision:
        await database.execute(tx, _SQL["delete"], claim.inbox_id)
    else:
        await _put_back(tx, claim)
    await database.execute(tx, _SQL["free_leases"], claim.lease_token)
    return parent


async def find(
    db: Db,
    *,
    inbox_id: int | None = None,
    record_id: str | None = None,
    status: InboxStatus | None = None,
    limit: int = 100,
) -> list[InboxRow]:
    """Inbox rows, the foremost first, of one id, one record or one status."""
    rows = await database.fetch(db, _SQL["find"], inbox_id, record_id, status, limit)
    return [InboxRow(**{**row, "status": InboxStatus(row["status"])}) for row in rows]


async def _hold(tx: Connection, claim: Claim) -> None:
    values = (claim.inbox_id, claim.lease_token)
    if await database.fetch_one(tx, _SQL["hold"], *values) is None:
        raise _lost(claim)


async def _lock(tx: Connection, claim: Claim) -> int:
    revision = await database.fetch_value(tx, _SQL["lock"], claim.inbox_id, claim.lease_token)
    if revision is None:
        raise _lost(claim)
    return int(revision)


async def _put_back(tx: Connection, claim: Claim, settle: timedelta = timedelta(0)) -> None:
    await database.execute(tx, _SQL["put_back"], claim.inbox_id, _BACK_TO_WAITING, settle)
    await database.execute(tx, _SQL["announce"])


def _lost(claim: Claim) -> LeaseLost:
    return LeaseLost(
        f"The lease on {claim.object_name} {claim.record_id} ran out before its sync ended.",
        "Another attempt takes the record over; a longer lease helps when this happens often.",
    )
