"""A record changes in Salesforce and is in m3ter, without any command given."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from daemon.to_m3ter import presets
from state import rereads
from state.database import Pool
from state.models import RunStatus, SyncStatus
from tests.acceptance import house as houses
from tests.acceptance.house import House, until
from tests.sandboxes import LocalSandbox

WON = {"StageName": "Closed Won"}
ONCE = {"Account": 1, "Contract": 1, "Commitment": 1}
SIX_OBJECTS = {**ONCE, "Plan": 2, "Pricing": 2, "AccountPlan": 2, "ExternalMapping": 9}


@pytest.fixture
async def house(sandbox: LocalSandbox, db: Pool, database_url: str, tmp_path: Path) -> AsyncIterator[House]:
    async with houses.built(sandbox, db, database_url, tmp_path, presets.text("opportunity")) as built:
        yield built


@pytest.fixture
async def opportunity_id(house: House) -> str:
    found = await house.query("SELECT Id FROM Opportunity WHERE Name = 'Harbourline - fleet telemetry API'")
    return str(found[0]["Id"])


async def change(house: House, record_id: str, fields: dict[str, Any]) -> None:
    await house.salesforce("PATCH", f"/sobjects/Opportunity/{record_id}", fields)


async def runs_of(house: House, record_id: str, count: int) -> list[Any]:
    """Wait for so many ended runs of the record; the newest first."""

    async def enough() -> list[Any]:
        found = await house.ended_runs(record_id)
        return found if len(found) >= count else []

    found: list[Any] = await until(enough)
    return found


async def test_a_won_opportunity_arrives_with_all_six_objects(house: House, opportunity_id: str) -> None:
    async with houses.daemon(house):
        await change(house, opportunity_id, WON)
        run = (await runs_of(house, opportunity_id, 1))[0]
    assert (run.status, run.sync_status) == (RunStatus.COMPLETE, SyncStatus.COMPLETED)
    assert run.cause in {"change", "reread"}, "the first window may meet it before its event does"
    assert await house.census() == SIX_OBJECTS
    mappings = await house.all("externalmappings")
    assert {each["externalTable"] for each in mappings} == {"Account", "Opportunity", "OpportunityLineItem"}


async def test_a_second_identical_change_reads_each_object_once_and_writes_nothing(
    house: House, opportunity_id: str
) -> None:
    async with houses.daemon(house):
        await until(lambda: _has_read_windows(house))  # else they may hold the first change as well
        await change(house, opportunity_id, WON)
        await runs_of(house, opportunity_id, 1)
        await house.sandbox.m3ter_control.clear_journal()
        await house.sandbox.salesforce_control.clear_journal()
        await change(house, opportunity_id, {**WON, "NextStep": "Nothing that m3ter keeps"})
        run = (await runs_of(house, opportunity_id, 2))[0]
    assert (run.status, run.sync_status) == (RunStatus.COMPLETE, SyncStatus.COMPLETED)
    assert await house.writes() == []
    reads = await house.sandbox.m3ter_control.journal("method=GET")
    assert len(reads) == 9
    assert all(each["path"].count("/") == 4 for each in reads), "each by its id, and no look-up"
    queries = await house.sandbox.salesforce_control.journal("path=*/query*")
    assert len(queries) == 1


async def _has_read_windows(house: House) -> bool:
    found = await rereads.latest(house.db)
    return bool(found) and not any(each.is_open for each in found)


async def test_a_changed_amount_and_price_are_updated_in_place(house: House, opportunity_id: str) -> None:
    async with houses.daemon(house):
        await change(house, opportunity_id, WON)
        await runs_of(house, opportunity_id, 1)
        before = await house.census()
        line = (
            await house.query(f"SELECT Id FROM OpportunityLineItem WHERE OpportunityId = '{opportunity_id}'")
        )[0]
        await house.salesforce("PATCH", f"/sobjects/OpportunityLineItem/{line['Id']}", {"UnitPrice": 0.0042})
        await runs_of(house, opportunity_id, 2)
    assert await house.census() == before
    prices = {str(each["pricingBands"][0]["unitPrice"]) for each in await house.all("pricings")}
    assert "0.0042" in prices


async def test_a_sync_by_hand_beside_the_daemon_gives_the_result_of_whoever_did_it(
    house: House, opportunity_id: str
) -> None:
    async with houses.daemon(house):
        results = [await house.sync(opportunity_id) for _ in range(4)]
        await change(house, opportunity_id, WON)
        results.append(await house.sync(opportunity_id))
    assert [result.sync_status for result in results] == ["Completed"] * 5
    assert all(len(result.object_results) == 9 for result in results)
    assert await house.census() == SIX_OBJECTS


async def test_an_opportunity_that_is_not_won_leaves_no_run_and_nothing_in_m3ter(
    house: House, opportunity_id: str
) -> None:
    won = await house.query("SELECT Id FROM Opportunity WHERE StageName = 'Closed Won' LIMIT 1")
    async with houses.daemon(house):
        await change(house, opportunity_id, {"NextStep": "Wait for legal"})
        await change(house, won[0]["Id"], {"NextStep": "Later than the other"})
        await runs_of(house, won[0]["Id"], 1)
    assert await house.ended_runs(opportunity_id) == []
    codes = {each["code"] for each in await house.all("contracts")}
    assert codes == {won[0]["Id"]}


async def test_connections_to_the_database_that_break_lose_nothing(house: House, opportunity_id: str) -> None:
    others = "datname = current_database() AND pid <> pg_backend_pid()"
    async with houses.daemon(house):
        for number in range(6):
            await change(house, opportunity_id, {**WON, "NextStep": f"step {number}"})
            await house.db.fetch(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}")
        await change(house, opportunity_id, {"Name": "Last of all"})
        await until(lambda: _contract_is_named(house, "Last of all"))
    assert await house.census() == SIX_OBJECTS


async def _contract_is_named(house: House, name: str) -> bool:
    return name in {each["name"] for each in await house.all("contracts")}


async def test_changes_made_while_the_daemon_was_down_are_heard_when_it_is_back(
    house: House, opportunity_id: str
) -> None:
    async with houses.daemon(house):
        pass
    await change(house, opportunity_id, WON)
    async with houses.daemon(house):
        run = (await runs_of(house, opportunity_id, 1))[0]
    assert run.status is RunStatus.COMPLETE
