"""A criterion that fires when it becomes true fires again while m3ter does not have the record whole."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from daemon.to_m3ter import presets
from state import inbox
from state.database import Pool
from state.models import Cause
from tests.acceptance import house as houses
from tests.acceptance.house import House, until
from tests.integration.test_sync_worker import FIRM, SEATS, held, working
from tests.sandboxes import LocalSandbox

FLAG = "m3ter_Do_Not_Sync_Commitment__c"


@pytest.fixture
async def house(sandbox: LocalSandbox, db: Pool, database_url: str, tmp_path: Path) -> AsyncIterator[House]:
    text = presets.text("opportunity_flags").replace('fires = "each change"', 'fires = "on becoming true"')
    async with houses.built(sandbox, db, database_url, tmp_path, text) as built:
        yield built


@pytest.fixture
async def won(house: House) -> str:
    """The id of an Opportunity that is won and was never synced."""
    record_id = (await house.query(f"SELECT Id FROM Opportunity WHERE Name = '{SEATS}'"))[0]["Id"]
    await change(house, record_id, {"StageName": "Closed Won"})
    return str(record_id)


async def change(house: House, record_id: str, fields: dict[str, Any]) -> None:
    await house.salesforce("PATCH", f"/sobjects/Opportunity/{record_id}", fields)


async def hear(house: House, record_id: str) -> None:
    integration_id = house.integration.integration_id
    await inbox.put(house.db, integration_id, "Opportunity", record_id, cause=Cause.CHANGE)


async def is_empty(house: House) -> bool:
    return await inbox.find(house.db) == []


async def statuses(house: House, record_id: str) -> list[str | None]:
    """How each of its syncs ended, after one more change was heard; oldest first."""
    await hear(house, record_id)
    async with working(house, FIRM):
        await until(lambda: is_empty(house))
    return [run.sync_status for run in reversed(await house.ended_runs(record_id))]


async def test_a_sync_in_which_an_object_failed_is_made_up_for_at_the_next_change(
    house: House, won: str
) -> None:
    match = {"method": "POST", "path": "*/contracts"}
    body = {"message": "name is not allowed"}
    await house.sandbox.m3ter_control.fault("status", match=match, status=400, body=body, times=1)
    assert await statuses(house, won) == ["Partial Success"]
    assert await statuses(house, won) == ["Partial Success", "Completed"]
    assert await statuses(house, won) == ["Partial Success", "Completed"]


async def test_a_sync_that_only_left_out_what_was_flagged_is_not_repeated(house: House, won: str) -> None:
    await change(house, won, {FLAG: True})
    assert await statuses(house, won) == ["Partial Success"]
    assert await statuses(house, won) == ["Partial Success"]


async def test_a_change_heard_during_the_sync_is_synced_and_a_later_one_is_not(
    house: House, won: str
) -> None:
    await hear(house, won)
    match = {"method": "POST", "path": "*/contracts"}
    fault = await house.sandbox.m3ter_control.fault("hang_before", match=match, times=1, seconds=20)
    async with working(house, FIRM):
        await until(held(house))
        await change(house, won, {"Name": "Renamed meanwhile"})
        await hear(house, won)
        await house.sandbox.m3ter_control.call("DELETE", f"faults/{fault['id']}")
        await until(lambda: is_empty(house))
    assert [each["name"] for each in await house.all("contracts")] == ["Renamed meanwhile"]
    await change(house, won, {"Name": "Renamed afterwards"})
    assert await statuses(house, won) == ["Completed", "Completed"]
    assert [each["name"] for each in await house.all("contracts")] == ["Renamed meanwhile"]
