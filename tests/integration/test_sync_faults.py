"""Whatever goes wrong at each call to m3ter, a sync ends in the same state, with no double."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from daemon.outcomes import SyncResult
from daemon.to_m3ter import presets
from state import intents
from state.database import Pool
from tests.acceptance import house as houses
from tests.acceptance.house import House
from tests.sandboxes import LocalSandbox

pytestmark = pytest.mark.usefixtures("brief")

COLLECTIONS = (
    "accounts",
    "contracts",
    "commitments",
    "plans",
    "pricings",
    "accountplans",
    "externalmappings",
)
READS = (*COLLECTIONS, "plantemplates", "products", "aggregations", "externalmappingconfiguration")
FAULTS: dict[str, dict[str, Any]] = {
    "status": {"status": 500},
    "status_after": {"status": 502},
    "refuse": {},
    "reset_before": {},
    "reset_after": {},
    "hang_before": {"seconds": 0.6},
    "hang_after": {"seconds": 0.6},
    "black_hole": {},
    "truncate": {},
    "expired_session": {},
    "rate_limited": {},
}
SIX_OBJECTS = {
    "Account": 1,
    "Contract": 1,
    "Commitment": 1,
    "Plan": 2,
    "Pricing": 2,
    "AccountPlan": 2,
    "ExternalMapping": 9,
}


@pytest.fixture
async def house(sandbox: LocalSandbox, db: Pool, database_url: str, tmp_path: Path) -> AsyncIterator[House]:
    async with houses.built(sandbox, db, database_url, tmp_path, presets.text("opportunity")) as built:
        yield built


@pytest.fixture
async def opportunity(house: House) -> dict[str, Any]:
    fields = "Id, AccountId, (SELECT Id FROM OpportunityLineItems)"
    name = "Harbourline - fleet telemetry API"
    return (await house.query(f"SELECT {fields} FROM Opportunity WHERE Name = '{name}'"))[0]


async def until_completed(house: House, record_id: str) -> tuple[SyncResult, int]:
    """The result of the first attempt that succeeds, and how many it took."""
    for count in range(1, 60):
        result = await house.attempt(record_id)
        if result.success:
            return result, count
        assert result.sync_status == "Failed", result.concatenated_results
    raise AssertionError(f"it never succeeds: {result}")


async def assert_all_is_well(house: House, opportunity: dict[str, Any]) -> None:
    lines = [line["Id"] for line in opportunity["OpportunityLineItems"]["records"]]
    records = [opportunity["Id"], opportunity["AccountId"], *lines]
    assert await house.census() == SIX_OBJECTS
    assert await intents.of_records(house.db, records) == []
    await house.sandbox.m3ter_control.clear_journal()
    result = await house.attempt(opportunity["Id"])
    assert {each.action for each in result.object_results} == {"unchanged"}
    assert await house.writes() == []


@pytest.mark.parametrize("kind", FAULTS)
async def test_a_fault_at_the_first_create_of_each_kind_makes_no_double(
    house: House, opportunity: dict[str, Any], kind: str
) -> None:
    for collection in COLLECTIONS:
        match = {"method": "POST", "path": f"*/{collection}"}
        await house.sandbox.m3ter_control.fault(kind, match=match, times=1, **FAULTS[kind])
    await until_completed(house, opportunity["Id"])
    faults = await house.sandbox.m3ter_control.faults()
    assert [each["hits"] for each in faults] == [1] * len(COLLECTIONS)
    await house.sandbox.m3ter_control.clear_faults()
    await assert_all_is_well(house, opportunity)


@pytest.mark.parametrize("kind", ["reset_after", "status_after", "status"])
async def test_a_fault_at_every_other_write_makes_no_double(
    house: House, opportunity: dict[str, Any], kind: str
) -> None:
    for skip in range(0, 18, 2):
        match = {"method": "POST", "path": "*/organizations/*"}
        await house.sandbox.m3ter_control.fault(kind, match=match, times=1, skip=skip, **FAULTS[kind])
    await until_completed(house, opportunity["Id"])
    await house.sandbox.m3ter_control.clear_faults()
    await assert_all_is_well(house, opportunity)


@pytest.mark.parametrize("kind", ["status", "reset_before", "hang_before", "expired_session", "rate_limited"])
async def test_a_fault_at_reads_changes_nothing_of_the_end(
    house: House, opportunity: dict[str, Any], kind: str
) -> None:
    # After a 429 nobody calls for a second: a few of them show as much as all.
    for collection in READS[::4] if kind == "rate_limited" else READS:
        match = {"method": "GET", "path": f"*/{collection}*"}
        await house.sandbox.m3ter_control.fault(kind, match=match, times=2, **FAULTS[kind])
    await until_completed(house, opportunity["Id"])
    await house.sandbox.m3ter_control.clear_faults()
    await assert_all_is_well(house, opportunity)


@pytest.mark.parametrize("kind", FAULTS)
async def test_a_fault_at_each_update_ends_with_the_new_values(
    house: House, opportunity: dict[str, Any], kind: str
) -> None:
    await until_completed(house, opportunity["Id"])
    await house.salesforce(
        "PATCH",
        f"/sobjects/Opportunity/{opportunity['Id']}",
        {"Amount": 99123.45, "Name": "Harbourline, renamed"},
    )
    for line in opportunity["OpportunityLineItems"]["records"]:
        await house.salesforce("PATCH", f"/sobjects/OpportunityLineItem/{line['Id']}", {"UnitPrice": 0.5})
    for collection in ("contracts", "commitments", "pricings"):
        match = {"method": "PUT", "path": f"*/{collection}/*"}
        await house.sandbox.m3ter_control.fault(kind, match=match, times=1, **FAULTS[kind])
    await until_completed(house, opportunity["Id"])
    faults = await house.sandbox.m3ter_control.faults()
    assert [each["hits"] for each in faults] == [1] * 3
    await house.sandbox.m3ter_control.clear_faults()
    assert str((await house.all("contracts"))[0]["name"]) == "Harbourline, renamed"
    prices = {str(each["pricingBands"][0]["unitPrice"]) for each in await house.all("pricings")}
    assert prices == {"0.5"}
    await assert_all_is_well(house, opportunity)


async def test_a_failure_that_is_to_be_tried_again_names_the_object_and_its_record(
    house: House, opportunity: dict[str, Any]
) -> None:
    match = {"path": "*/commitments", "method": "POST"}
    body = {"message": "Boom"}
    await house.sandbox.m3ter_control.fault("status", match=match, status=500, body=body, times=1)
    result = await house.attempt(opportunity["Id"])
    assert f"Commitment of Opportunity {opportunity['Id']}: m3ter: Boom" in result.message
    [run] = await house.ended_runs(opportunity["Id"])
    assert (run.status, run.sync_status) == ("AWAITING_RETRY", "Failed")
    assert f"Commitment of Opportunity {opportunity['Id']}: m3ter: Boom" in run.message
