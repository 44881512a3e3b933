"""Copies of one record in two integrations: what one does to it the other undoes, whoever is first."""

import asyncio
from collections.abc import Awaitable, Callable
from uuid import UUID

import pytest

from state import database, entity_copies, entity_drift
from state.database import Connection, Pool
from state.entity_drift import Drift
from state.entity_models import Removal, Written
from tests.integration.entity_rows import entity, in_salesforce, known, new_sync, want

Act = Callable[[Connection], Awaitable[object]]


@pytest.fixture
async def both(db: Pool) -> tuple[UUID, UUID]:
    """Two with a copy of the same record of the same org."""
    made = await new_sync(db, "one"), await new_sync(db, "other")
    await db.execute("UPDATE entity_syncs SET salesforce_org_id = '00D000000000001AAA'")
    for each in made:
        await in_salesforce(db, each, "a")
    return made


async def acted(db: Pool, act: Act) -> None:
    async with database.transaction(db) as tx:
        await act(tx)


async def while_other_keeps(db: Pool, other: UUID, act: Act) -> None:
    """`act` comes while the other one has its copy in a transaction."""
    async with database.transaction(db) as tx:
        await entity_copies.touch(tx, other, [("a", 2, "fields 2")])
        late = asyncio.create_task(acted(db, act))
        while not await db.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):
            assert not late.done()
    await late


@pytest.mark.parametrize("removal", [Removal.MARK, Removal.DELETE])
async def test_a_mark_or_deletion_is_undone_by_the_other_though_it_has_its_copy_in_hand(
    db: Pool, both: tuple[UUID, UUID], removal: Removal
) -> None:
    one, other = both
    await acted(db, lambda tx: entity_copies.removed(tx, one, ["a"], removal))
    result = [Written("a", removal.value, "sf-a")]
    await while_other_keeps(db, other, lambda tx: entity_copies.written(tx, one, result))
    copy = await known(db, other)
    assert (copy.digest, copy.written_digest, copy.mapped_with) == ("", None, "")
    assert await want(db, other, entity(version=2)) == 1


async def test_a_record_that_is_gone_is_made_anew_by_the_other_though_it_has_its_copy_in_hand(
    db: Pool, both: tuple[UUID, UUID]
) -> None:
    one, other = both
    held = (await entity_drift.held(db, one, ["a"]))["a"]
    await while_other_keeps(db, other, lambda tx: entity_drift.want_anew(tx, one, [Drift(held, there=None)]))
    assert (await entity_drift.held(db, other, ["a"]))["a"].salesforce_id is None
    assert await want(db, other, entity(version=2)) == 1
