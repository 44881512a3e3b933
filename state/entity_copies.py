"""Copies of m3ter entities in Salesforce: what is wanted there, what waits, and what became of each write."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from state import database, entity_siblings, sql
from state.database import Connection, Db, Row
from state.entity_models import (
    Backlog,
    Copy,
    CopyAction,
    CopyIssue,
    CopyStatus,
    EntityType,
    KnownCopy,
    Namespace,
    Postponed,
    Refused,
    Removal,
    RunClaim,
    Waiting,
    Wanted,
    Written,
)

_SQL = sql.load("entity_copies")
_ALL = 2**31
_WITHHELD_AT_ONCE = 20_000  # with one statement, which has but seconds


async def known(db: Db, integration_id: UUID, m3ter_ids: Collection[str]) -> dict[str, KnownCopy]:
    """The copies of one page, as they were last wanted; those never wanted are left out."""
    rows = await database.fetch(db, _SQL["known"], integration_id, list(m3ter_ids))
    return {row["m3ter_id"]: KnownCopy(**{**row, "status": CopyStatus(row["status"])}) for row in rows}


async def want(tx: Connection, integration_id: UUID, entities: Sequence[Wanted]) -> int:
    """Let what differs wait to be written; gives how many of these wait now.

    The same digest again changes nothing but version and fingerprint, and what was refused stays refused.
    While another write of it may be on its way, even what was written before waits.
    """
    last = {each.m3ter_id: each for each in entities}
    if not last:
        return 0
    rows = (
        (e.m3ter_id, e.account_id, e.version, e.mapped_with, e.digest, dict(e.payload)) for e in last.values()
    )
    return int(await database.fetch_value(tx, _SQL["want"], integration_id, *_columns(rows)))


async def want_instead(tx: Connection, integration_id: UUID, records: Sequence[tuple[Waiting, str]]) -> None:
    """These wait with the payloads that they have here, of these digests; one changed since is left alone."""
    await hold(tx, integration_id, [row.m3ter_id for row, _ in records])
    columns = _columns((row.m3ter_id, row.digest, digest, dict(row.payload or {})) for row, digest in records)
    await database.execute(tx, _SQL["want_instead"], integration_id, *columns)


async def see(tx: Connection, run_id: UUID, m3ter_ids: Collection[str]) -> None:
    """The scan has met these: they are not gone."""
    await database.execute(tx, _SQL["see"], run_id, list(m3ter_ids))


async def touch(tx: Connection, integration_id: UUID, entities: Collection[tuple[str, int, str]]) -> None:
    """Remember version and fingerprint of entities (id, version, mapped with) that came out the same."""
    if entities:
        await hold(tx, integration_id, [m3ter_id for m3ter_id, _, _ in entities])
        await database.execute(tx, _SQL["touch"], integration_id, *_columns(entities))


async def unmet(
    db: Db, claim: RunClaim, *, action: Removal, after: str, limit: int
) -> tuple[list[str], str | None]:
    """At the end of a scan, in the order of their ids: which of the next `limit` copies after `after` it has
    not met, and after which to go on, None after the last copy.

    Those with which this removal is done or under way are left out.
    """
    values = (claim.integration_id, claim.run_id, action.value, after, limit)
    row = await database.fetch_one(db, _SQL["unmet"], *values)
    return ([], None) if row is None else (row["m3ter_ids"], row["latest"])


async def removed(tx: Connection, integration_id: UUID, m3ter_ids: Collection[str], action: Removal) -> int:
    """These are gone from m3ter or left the filter: marked, deleted or forgotten; gives how many.

    One whose record another integration keeps as well is just forgotten: the last to let go of a record
    decides what becomes of it. One of which nobody knows whether it was written is unplaced().
    """
    ids = sorted(set(m3ter_ids))
    await hold(tx, integration_id, ids)
    return await _remove(tx, integration_id, ids, action)


async def kept_elsewhere(db: Db, integration_id: UUID, m3ter_ids: Collection[str]) -> set[str]:
    """Those whose record another integration that is switched on keeps too."""
    others = await entity_siblings.with_same_records(db, integration_id)
    rows = await database.fetch(db, _SQL["shared"], others, list(m3ter_ids))
    return {row["m3ter_id"] for row in rows}


async def withhold(tx: Connection, integration_id: UUID, mapping: str | None = None) -> int:
    """What is not in Salesforce as wanted is sent only once a scan has looked at it anew.

    With the fingerprint of the mapping of now, just what another mapping made. Some at a time: gives how
    many, and 0 at the end.
    """
    return await database.execute(tx, _SQL["withhold"], integration_id, mapping, _WITHHELD_AT_ONCE)


async def are_withheld(db: Db, integration_id: UUID) -> bool:
    """Whether a scan is needed before all that waits may be written."""
    return bool(await database.fetch_value(db, _SQL["are_withheld"], integration_id))


async def waiting(
    db: Db, integration_id: UUID, *, limit: int, without: Collection[str] = ()
) -> list[Waiting]:
    """What is due to be written, the longest due first, without those that are on their way already."""
    rows = await database.fetch(db, _SQL["waiting"], integration_id, limit, list(without))
    return [_waiting(row) for row in rows]


async def waiting_among(db: Db, integration_id: UUID, m3ter_ids: Collection[str]) -> list[Waiting]:
    """Those of these that are due, as they are to be written now."""
    rows = await database.fetch(db, _SQL["waiting_among"], integration_id, list(m3ter_ids))
    return [_waiting(row) for row in rows]


async def unplaced(db: Db, integration_id: UUID, *, limit: int) -> list[str]:
    """To be marked or deleted in a record that is not known, if there is one: a write may have been lost."""
    rows = await database.fetch(db, _SQL["unplaced"], integration_id, limit)
    return [row["m3ter_id"] for row in rows]


async def placed(
    tx: Connection, integration_id: UUID, m3ter_ids: Collection[str], found: Mapping[str, str]
) -> None:
    """Of these unplaced ones those that are in Salesforce (m3ter id -> Salesforce id) are removed now, the
    others forgotten."""
    await hold(tx, integration_id, m3ter_ids)
    await database.execute(tx, _SQL["place"], integration_id, list(found), list(found.values()))
    lost = [each for each in m3ter_ids if each not in found]
    await database.execute(tx, _SQL["forget_unplaced"], integration_id, lost)


async def count_waiting(db: Db, integration_id: UUID, *, up_to: int | None = None) -> int:
    """How many are due, counting no further than `up_to`."""
    return int(await database.fetch_value(db, _SQL["count_waiting"], integration_id, up_to or _ALL))


async def next_due(db: Db, integration_id: UUID, *, orphans: bool = True) -> datetime | None:
    """When the next is due to be written, in the past when one is; None: nothing waits that may be.

    Without `orphans` those that were tried several times and lack a parent count only once they are due.
    """
    found: datetime | None = await database.fetch_value(db, _SQL["next_due"], integration_id, orphans)
    return found


async def written(tx: Connection, integration_id: UUID, results: Sequence[Written]) -> None:
    """Salesforce took these. One that has changed since goes on waiting; one forgotten since is known again.

    A marked copy stays known and is wanted again when it is met again, a deleted one is forgotten.
    """
    if not results:
        return
    ids = [each.m3ter_id for each in results]
    columns = _columns((each.m3ter_id, each.digest, each.salesforce_id) for each in results)
    undone = [each.m3ter_id for each in results if each.digest in (CopyAction.MARK, CopyAction.DELETE)]
    others = await entity_siblings.with_same_records(tx, integration_id) if undone else []
    await hold(tx, integration_id, ids, *others)
    await database.execute(tx, _SQL["written"], integration_id, *columns)
    if gone_too := [each.m3ter_id for each in results if each.digest == CopyAction.DELETE]:
        await database.execute(tx, _SQL["deleted"], integration_id, gone_too)
    if created := [each.m3ter_id for each in results if each.was_created]:
        beside = [each.integration_id for each in await entity_siblings.of(tx, integration_id)]
        await database.execute(tx, _SQL["adopt_orphans"], integration_id, beside, created)
    if others:
        await database.execute(tx, _SQL["undone"], others, undone)
    await database.execute(tx, _SQL["adopt"], integration_id, *columns)


async def refused(tx: Connection, integration_id: UUID, results: Sequence[Refused]) -> None:
    """Salesforce will not take these until they change or a person says so; one changed since waits on."""
    if results:
        await hold(tx, integration_id, [each.m3ter_id for each in results])
        rows = ((r.m3ter_id, r.digest, r.code, r.message, ",".join(r.fields)) for r in results)
        await database.execute(tx, _SQL["refused"], integration_id, *_columns(rows))


async def postponed(tx: Connection, integration_id: UUID, results: Sequence[Postponed]) -> None:
    """These are tried again later; one changed since is due at once."""
    if results:
        await hold(tx, integration_id, [each.m3ter_id for each in results])
        rows = ((p.m3ter_id, p.digest, p.code, p.message, p.delay, p.is_orphan) for p in results)
        await database.execute(tx, _SQL["postponed"], integration_id, *_columns(rows))


async def retry(db: Db, integration_id: UUID, m3ter_ids: Collection[str] | None = None) -> int:
    """Try what was refused or postponed at once, these or all; gives how many."""
    wanted = None if m3ter_ids is None else list(m3ter_ids)
    async with database.transaction(db) as tx:
        rows = await database.fetch(tx, _SQL["troubled"], integration_id, wanted)
        ids = [row["m3ter_id"] for row in rows]
        count = await database.execute(tx, _SQL["retry"], integration_id, ids)
        await database.execute(tx, _SQL["announce"])
    return count


async def issues(db: Db, integration_id: UUID | None = None, limit: int = 20) -> list[CopyIssue]:
    """What Salesforce refused, the latest first, then what it did not take at the last attempt."""
    return [_copy(row) for row in await database.fetch(db, _SQL["issues"], integration_id, limit)]


async def census(db: Db, integration_id: UUID) -> dict[CopyStatus, int]:
    """How many copies stand where; counts them all, so for a person's question, not for every look."""
    rows = await database.fetch(db, _SQL["census"], integration_id)
    counted = {row["status"]: row["number"] for row in rows}
    return {status: counted.get(status.value, 0) for status in CopyStatus}


async def backlogs(db: Db) -> dict[UUID, Backlog]:
    """What of each integration is not in Salesforce, without counting what is."""
    return {
        row["integration_id"]: Backlog(
            **{key: value for key, value in row.items() if key != "integration_id"}
        )
        for row in await database.fetch(db, _SQL["backlogs"])
    }


async def of_record(db: Db, m3ter_or_salesforce_id: str) -> list[Copy]:
    """Every copy of an m3ter entity, or the one in a Salesforce record (18 characters)."""
    return [_copy(row) for row in await database.fetch(db, _SQL["of_record"], m3ter_or_salesforce_id)]


async def _remove(tx: Connection, integration_id: UUID, ids: list[str], action: Removal) -> int:
    if not ids:
        return 0
    shared = set[str]()
    if action is not Removal.KEEP and await entity_siblings.with_same_records(tx, integration_id):
        await database.execute(tx, _SQL["decide"], integration_id)
        shared = await kept_elsewhere(tx, integration_id, ids)
    count = 0
    if shared:
        count += await database.execute(tx, _SQL["forget"], integration_id, list(shared))
    rest = [each for each in ids if each not in shared]
    if action is Removal.KEEP:
        return count + await database.execute(tx, _SQL["forget"], integration_id, rest)
    return count + await database.execute(tx, _SQL["remove"], integration_id, rest, action.value)


async def hold(tx: Connection, integration_id: UUID, m3ter_ids: Collection[str], *others: UUID) -> None:
    """Nobody else changes these before the transaction ends; the copies of other integrations too, so that
    all that a transaction takes is taken in one order."""
    await database.execute(tx, _SQL["hold"], [integration_id, *others], list(m3ter_ids))


def _columns(rows: Iterable[tuple[Any, ...]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]


def _waiting(row: Row) -> Waiting:
    return Waiting(**{**row, "action": CopyAction(row["action"])})


def _copy(row: Row) -> Copy:
    typed = {
        "entity_type": EntityType(row["entity_type"]),
        "namespace": Namespace(row["namespace"]),
        "status": CopyStatus(row["status"]),
        "action": CopyAction(row["action"]),
        "fields": tuple(row["fields"]),
    }
    return Copy(**{**row, **typed})
