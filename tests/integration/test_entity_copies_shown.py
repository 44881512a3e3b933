"""What is shown of copies, and that many of them, unchanged, cost next to nothing."""

from uuid import UUID

import pytest

from state import database, entity_copies
from state.database import Pool
from state.entity_models import Backlog, CopyStatus, Refused, Removal
from tests.integration.entity_rows import (
    claimed,
    entity,
    gone,
    in_salesforce,
    new_sync,
    see,
    waiting,
    want,
)


@pytest.fixture
async def accounts(db: Pool) -> UUID:
    return await new_sync(db)


async def test_census_backlog_and_issues_count_the_same_copies(db: Pool, accounts: UUID) -> None:
    await in_salesforce(db, accounts, "a", "b")
    await want(db, accounts, *(entity(each) for each in "cde"))
    async with database.transaction(db) as tx:
        await entity_copies.refused(tx, accounts, [Refused("c", "d1", "X", "No.")])
    counted = await entity_copies.census(db, accounts)
    assert counted == {CopyStatus.WAITING: 2, CopyStatus.WRITTEN: 2, CopyStatus.REFUSED: 1}
    backlog = (await entity_copies.backlogs(db))[accounts]
    assert (backlog.waiting, backlog.due, backlog.refused, backlog.retrying) == (2, 2, 1, 0)
    assert backlog.oldest_changed_at is not None
    async with database.transaction(db) as tx:
        await entity_copies.withhold(tx, accounts)
    backlog = (await entity_copies.backlogs(db))[accounts]
    assert (backlog.waiting, backlog.due, backlog.oldest_changed_at) == (3, 0, None)
    empty = await new_sync(db, "Empty")
    assert (await entity_copies.backlogs(db))[empty] == Backlog()


async def test_a_copy_is_found_by_either_id(db: Pool, accounts: UUID) -> None:
    await in_salesforce(db, accounts, "a")
    (found,) = await entity_copies.of_record(db, "a")
    assert [found] == await entity_copies.of_record(db, "sf-a")
    assert (found.integration_name, found.account_id, found.salesforce_id, found.message) == (
        *("Accounts", "account of a", "sf-a", ""),
    )
    assert await entity_copies.of_record(db, "nothing") == []


async def test_an_unchanged_scan_updates_no_copy(db: Pool, accounts: UUID) -> None:
    await in_salesforce(db, accounts, "a", "b")
    before = await db.fetch("SELECT xmin, ctid FROM entity_copies ORDER BY m3ter_id")
    claim = await claimed(db, accounts)
    await see(db, claim, "a", "b")
    await see(db, claim, "b")
    async with database.transaction(db) as tx:
        await entity_copies.touch(tx, accounts, [("a", 1, "fields 1")])
    assert await gone(db, claim) == 0
    assert await db.fetch("SELECT xmin, ctid FROM entity_copies ORDER BY m3ter_id") == before


async def test_of_very_many_copies_a_page_is_compared_and_the_gone_are_found_by_index(
    db: Pool, accounts: UUID
) -> None:
    await db.execute(
        """INSERT INTO entity_copies (integration_id, m3ter_id, account_id, version, mapped_with, digest,
            written_digest, salesforce_id, status, action)
        SELECT $1, 'e' || n, 'x', 1, 'f', 'd', 'd', 's' || n, 'WRITTEN', 'upsert'
        FROM generate_series(1, 50000) AS n""",
        accounts,
    )
    claim = await claimed(db, accounts)
    await db.execute(
        "INSERT INTO entity_seen SELECT $1, 'e' || n FROM generate_series(1, 49990) AS n", claim.run_id
    )
    page = [f"e{n}" for n in range(1000, 1100)]
    assert len(await entity_copies.known(db, accounts, page)) == 100
    assert await gone(db, claim, Removal.DELETE, limit=1000) == 10
    assert len(await waiting(db, accounts)) == 10
