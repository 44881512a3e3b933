"""Rows that the tests of the entity data sync's stores begin with."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

from state import database, entity_copies, entity_runs, entity_syncs
from state.database import Db
from state.entity_models import (
    EntitySyncSettings,
    EntityType,
    KnownCopy,
    Removal,
    RunClaim,
    Waiting,
    Wanted,
    Written,
)

LEASE = timedelta(seconds=60)
ACCOUNTS = EntitySyncSettings(EntityType.ACCOUNT)


async def new_sync(db: Db, name: str = "Accounts", settings: EntitySyncSettings = ACCOUNTS) -> UUID:
    return (await entity_syncs.add(db, name, settings)).integration.integration_id


async def claimed(db: Db, integration_id: UUID, lease: timedelta = LEASE) -> RunClaim:
    """A run asked for and taken."""
    await entity_runs.ask(db, integration_id, "manual")
    claim = await entity_runs.claim(db, integration_id, worker="one", lease=lease)
    assert claim is not None
    return claim


def entity(m3ter_id: str = "a", digest: str = "d1", version: int = 1, **payload: object) -> Wanted:
    return Wanted(
        m3ter_id, f"account of {m3ter_id}", version, "fields 1", digest, payload or {"Name": digest}
    )


async def want(db: Db, integration_id: UUID, *entities: Wanted) -> int:
    async with database.transaction(db) as tx:
        return await entity_copies.want(tx, integration_id, entities)


async def written(db: Db, integration_id: UUID, *results: Written) -> None:
    async with database.transaction(db) as tx:
        await entity_copies.written(tx, integration_id, results)


async def in_salesforce(db: Db, integration_id: UUID, *m3ter_ids: str) -> None:
    """Wanted and written, with the digest d1."""
    await want(db, integration_id, *(entity(each) for each in m3ter_ids))
    await written(db, integration_id, *(Written(each, "d1", f"sf-{each}", True) for each in m3ter_ids))


async def see(db: Db, claim: RunClaim, *m3ter_ids: str) -> None:
    async with database.transaction(db) as tx:
        await entity_copies.see(tx, claim.run_id, m3ter_ids)


async def gone(db: Db, claim: RunClaim, action: Removal = Removal.MARK, *, limit: int = 2) -> int:
    """The end of a scan, had m3ter none of what it has not met; so many copies at a look."""
    count = 0
    at: str | None = ""
    while at is not None:
        ids, at = await entity_copies.unmet(db, claim, action=action, after=at, limit=limit)
        async with database.transaction(db) as tx:
            await entity_runs.fence(tx, claim)
            count += await entity_copies.removed(tx, claim.integration_id, ids, action)
    return count


async def waiting(db: Db, integration_id: UUID, without: Sequence[str] = ()) -> dict[str, Waiting]:
    found = await entity_copies.waiting(db, integration_id, limit=100, without=without)
    return {each.m3ter_id: each for each in found}


async def known(db: Db, integration_id: UUID, m3ter_id: str = "a") -> KnownCopy:
    return (await entity_copies.known(db, integration_id, [m3ter_id]))[m3ter_id]


def changed(wanted: Wanted, digest: str) -> Wanted:
    """The next version of it."""
    return replace(wanted, digest=digest, version=wanted.version + 1, payload={"Name": digest})
