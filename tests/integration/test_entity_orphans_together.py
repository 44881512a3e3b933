"""Copies that wait for a parent fall due together: they cost a call for 200 of them, not one for each."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

import pytest

from connectors.salesforce.rows import RowResult
from daemon.retries import Policy
from daemon.to_salesforce import verdicts
from state import database, entity_copies
from state.database import Pool
from state.entity_models import EntityType, Waiting
from tests.acceptance.house import House, until
from tests.integration import copying
from tests.integration.entity_rows import entity, new_sync, want

MISSING = "Foreign key external ID: a1 not found for field m3ter_Id__c in entity m3ter_Account__c"
NO_PARENT = RowResult("", False, False, "INVALID_FIELD", MISSING)
LOCKED = RowResult("", False, False, "UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access")
FEW = Policy(max_attempts=3)
STEADY = Policy(first=timedelta(seconds=1), longest=timedelta(seconds=1), max_attempts=8)


@pytest.fixture
async def contracts(db: Pool) -> UUID:
    return await new_sync(db)


async def answer(
    db: Pool, sync: UUID, rows: Sequence[Waiting], result: RowResult, policy: Policy = FEW
) -> None:
    """What one call says of each of these."""
    outcome = verdicts.of(rows, [result] * len(rows), policy, is_last=True)
    async with database.transaction(db) as tx:
        await entity_copies.refused(tx, sync, outcome.refused)
        await entity_copies.postponed(tx, sync, outcome.postponed)


async def due(db: Pool, sync: UUID) -> list[Waiting]:
    """All that waits, as if its time had come."""
    await db.execute("UPDATE entity_copies SET due_at = now() WHERE status = 'WAITING'")
    return await entity_copies.waiting(db, sync, limit=1000)


async def due_times(db: Pool) -> list[datetime]:
    rows = await db.fetch("SELECT DISTINCT due_at FROM entity_copies ORDER BY due_at")
    return [row["due_at"] for row in rows]


@pytest.mark.parametrize("tries", [1, 4, 12])
async def test_those_of_several_calls_fall_due_at_one_time_or_two(
    db: Pool, contracts: UUID, tries: int
) -> None:
    await want(db, contracts, *(entity(f"{number:03}") for number in range(400)))
    await db.execute("UPDATE entity_copies SET attempts = $1", tries - 1)
    rows = await due(db, contracts)
    asked_at = await db.fetchval("SELECT now()")
    for at in range(0, 400, 50):
        await answer(db, contracts, rows[at : at + 50], NO_PARENT, Policy())
    found = await due_times(db)
    assert len(found) <= 2, "two when the calls lie on both sides of a tick"
    whole = min(Policy().first * 2 ** (tries - 1), Policy().longest)
    assert found[0] >= asked_at + whole / 2
    assert found[-1] <= await db.fetchval("SELECT now()") + whole * 1.5


async def test_all_go_by_one_clock_so_that_the_late_ones_catch_up(db: Pool, contracts: UUID) -> None:
    await want(db, contracts, *(entity(f"{number}") for number in range(20)))
    policy = Policy(first=timedelta(seconds=2), longest=timedelta(seconds=2))
    for row in await due(db, contracts):
        await answer(db, contracts, [row], NO_PARENT, policy)
    for each in await due_times(db):
        assert each.timestamp() % 2 == 0


async def test_once_its_parent_is_there_a_copy_has_all_its_attempts(db: Pool, contracts: UUID) -> None:
    await want(db, contracts, entity())
    for _ in range(FEW.max_attempts + 2):
        await answer(db, contracts, await due(db, contracts), NO_PARENT)
    for tries in range(1, FEW.max_attempts):
        await answer(db, contracts, await due(db, contracts), LOCKED)
        (row,) = await due(db, contracts)
        assert (row.attempts, row.is_orphan) == (tries, False)
    await answer(db, contracts, await due(db, contracts), LOCKED)
    assert await due(db, contracts) == []


async def test_the_first_lock_of_what_long_lacked_its_parent_is_waited_for_shortly(
    db: Pool, contracts: UUID
) -> None:
    policy = Policy(max_attempts=20)
    await want(db, contracts, entity())
    for _ in range(8):
        await answer(db, contracts, await due(db, contracts), NO_PARENT, policy)
    await answer(db, contracts, await due(db, contracts), LOCKED, policy)
    due_at = await entity_copies.next_due(db, contracts)
    assert due_at is not None
    assert due_at <= await db.fetchval("SELECT now()") + policy.first


async def test_many_that_lack_their_parent_cost_a_call_for_200_at_each_attempt(house: House) -> None:
    (account_id,) = await copying.load(house, "Account", copying.rows(1))
    frame = {"accountId": account_id, "startDate": "2026-01-01", "endDate": "2027-01-01"}
    await copying.load(house, "Contract", [{**frame, "name": f"Frame {number}"} for number in range(400)])
    await copying.added(house, EntityType.ACCOUNT)
    await copying.added(house, EntityType.CONTRACT)
    # The parents cannot run at all, so that the children do not wait for them.
    await house.db.execute("UPDATE entity_syncs SET first_completed_at = now() WHERE entity_type = 'Account'")
    await house.db.execute("UPDATE entity_syncs SET scheduled_at = now() WHERE entity_type = 'Account'")

    async def least() -> int:
        found = await house.db.fetch("SELECT attempts FROM entity_copies")
        return min(row["attempts"] for row in found) if len(found) == 400 else 0

    async def all_were_tried_often() -> bool:
        return await least() >= 5

    async with copying.copying(house, replace(copying.HASTY, policy=STEADY)):
        await until(all_were_tried_often)
        tries = await house.db.fetchval("SELECT max(attempts) FROM entity_copies")
        calls = await copying.calls(house)
    made = sum(number for call, number in calls.items() if call.startswith("PATCH /composite/sobjects/"))
    assert made <= 4 * (tries + 1), "two calls each time, some more where a tick has parted them"
