"""Bulk has less room in a field than Salesforce: bills with very many lines go by other calls."""

from dataclasses import replace

from connectors.sandbox.m3ter import billing
from state.entity_models import EntityType
from state.models import RunStatus
from tests.acceptance import entity_customers as customers
from tests.acceptance.house import House, until
from tests.integration import copying


async def test_one_long_bill_goes_by_a_collection_and_the_others_in_bulk(house: House) -> None:
    (customer,) = await customers.made(house, "ASH")
    organization, account_id = customers.organization(house), customer[EntityType.ACCOUNT]
    lines = [billing.line("Calls " + "x" * 150, "10.33") for _ in range(150)]
    long = billing.bill(organization, account_id, lines)
    for _ in range(220):
        billing.bill(organization, account_id, [billing.line("Calls", "10.33")])
    sync = await copying.added(house, EntityType.BILL)
    control = house.sandbox.salesforce_control
    await control.fault("status", match={"path": "*/composite/sobjects/*"}, status=503)
    async with copying.copying(house, replace(copying.HASTY, bulk_threshold=201)):
        await until(lambda: copying.jobs(house))
        await control.clear_faults()
        run = await copying.ended(house, sync)
    assert (run.status, run.written, run.refused, run.error) == (RunStatus.COMPLETE, 222, 0, "")
    (job,) = await copying.jobs(house)
    assert job["state"] == "JobComplete"
    job = await house.salesforce("GET", f"/jobs/ingest/{job['id']}")
    assert 200 <= job["numberRecordsProcessed"] <= 221
    assert job["numberRecordsFailed"] == 0
    found = await copying.copies(house, EntityType.BILL)
    assert len(found) == 222
    assert len(found[long["id"]]["Lines__c"]) > 32_000
