"""Two records of one account change together, and the one whose room is still taken is synced first."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from daemon.to_m3ter import presets
from state import insights
from state.database import Pool
from state.models import InboxStatus, RunStatus, SyncStatus
from tests.acceptance import house as houses
from tests.acceptance.house import House, until
from tests.integration.test_sync_worker import CUSTOMS, FIRM, TELEMETRY, ended, enter, row_of, working
from tests.sandboxes import LocalSandbox


@pytest.fixture
async def house(sandbox: LocalSandbox, db: Pool, database_url: str, tmp_path: Path) -> AsyncIterator[House]:
    async with houses.built(sandbox, db, database_url, tmp_path, presets.text("opportunity")) as built:
        yield built


@pytest.fixture
async def moved(house: House, sandbox: LocalSandbox) -> tuple[str, str]:
    """Both agreements are in m3ter; since then a line of the first has gone to the second."""
    giver, taker = await enter(house, TELEMETRY), await enter(house, CUSTOMS)
    for record_id in (giver, taker):
        assert (await house.attempt(record_id)).success
    org = sandbox.running.org
    lines = org.table("OpportunityLineItem")
    line = next(row for row in lines.rows.values() if row["OpportunityId"] == giver)
    with org.transaction() as tx:
        tx._store(lines, line["Id"], {**line, "OpportunityId": taker})
    return giver, taker


async def products(house: House, record_id: str) -> int:
    (contract,) = [each for each in await house.all("contracts") if each["code"] == record_id]
    (held,) = [each for each in await house.all("commitments") if each["contractId"] == contract["id"]]
    return len(held["productIds"])


async def test_it_is_tried_again_until_the_other_made_way(house: House, moved: tuple[str, str]) -> None:
    giver, taker = moved
    result = await house.attempt(taker)
    assert result.sync_status is SyncStatus.PARTIAL_SUCCESS
    (refused,) = [each for each in result.object_results if not each.success]
    assert "would overlap" in refused.message
    row = await row_of(house, taker)
    assert row.status is InboxStatus.WAITING
    assert f"Opportunity {giver}" in row.error
    assert (await house.attempt(giver)).success
    async with working(house):
        await until(ended(house, taker, RunStatus.AWAITING_RETRY, RunStatus.COMPLETE))
    assert await row_of(house, taker) is None
    assert (await products(house, giver), await products(house, taker)) == (1, 2)


async def test_one_whose_room_stays_taken_is_set_aside_as_an_issue(
    house: House, moved: tuple[str, str]
) -> None:
    giver, taker = moved
    assert await enter(house, CUSTOMS) == taker
    async with working(house):
        await until(ended(house, taker, RunStatus.ERROR))
    row = await row_of(house, taker)
    assert (row.status, row.attempts) == (InboxStatus.SET_ASIDE, FIRM.policy.max_attempts)
    (status,) = await insights.statuses(house.db)
    (issue,) = [each for each in status.issues if each.subject == taker]
    assert "would overlap" in issue.message
    assert giver in f"{issue.message} {issue.instruction}"
