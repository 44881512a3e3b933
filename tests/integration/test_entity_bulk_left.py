"""A Bulk job that a killed daemon left in Salesforce never writes over what came after it."""

from dataclasses import replace

from connectors.salesforce import bulk, bulk_csv, rest
from connectors.salesforce.models import SalesforceCredential
from state import entity_syncs
from state.entity_models import EntityType
from state.models import RunStatus
from tests.acceptance.house import House, until
from tests.integration import copying

OBJECT, KEY = "m3ter_Account__c", "m3ter_Id__c"


async def left(house: House, m3ter_id: str, name: str) -> str:
    """The id of a job that was closed and whose end nobody saw."""
    credential = SalesforceCredential.model_validate(house.sandbox.salesforce)
    record = {KEY: m3ter_id, "Name": name}
    async with (
        rest.open(credential) as salesforce,
        bulk_csv.sheet_of([record]) as sheet,
        bulk.job(salesforce, OBJECT, KEY) as job,
    ):
        await job.upload(sheet)
        await job.close()
        return job.info.job_id


async def state_of(house: House, job_id: str) -> str:
    return str((await house.salesforce("GET", f"/jobs/ingest/{job_id}"))["state"])


async def test_it_is_ended_before_anything_else_is_written(house: House) -> None:
    control = house.sandbox.salesforce_control
    (m3ter_id,) = await copying.load(house, "Account", copying.rows(1, "newer"))
    sync = await copying.added(house, EntityType.ACCOUNT)
    await control.call("POST", "org/ingest", {"hold": True})
    job_id = await left(house, m3ter_id, "older")
    await entity_syncs.keep_job(house.db, sync.integration.integration_id, job_id)
    run = await copying.once(house, sync)
    assert (run.status, run.written) == (RunStatus.COMPLETE, 1)
    assert await state_of(house, job_id) == "Aborted"
    await control.call("POST", "org/ingest", {"hold": False})
    assert (await copying.copies(house, EntityType.ACCOUNT))[m3ter_id]["Name"] == "newer 00000"
    assert await entity_syncs.job(house.db, sync.integration.integration_id) is None


async def test_one_that_salesforce_removed_is_over(house: House) -> None:
    await copying.load(house, "Account", copying.rows(1))
    sync = await copying.added(house, EntityType.ACCOUNT)
    await entity_syncs.keep_job(house.db, sync.integration.integration_id, "750S90000010001IAA")
    assert (await copying.once(house, sync)).status is RunStatus.COMPLETE


async def test_the_job_in_hand_is_known_to_whoever_comes_after(house: House) -> None:
    await copying.load(house, "Account", copying.rows(1_500))
    sync = await copying.added(house, EntityType.ACCOUNT)
    control = house.sandbox.salesforce_control
    await control.call("POST", "org/ingest", {"hold": True})
    fault = {"match": {"path": "*/composite/sobjects/*"}, "status": 503}  # until very many wait
    await control.fault("status", **fault)
    async with copying.copying(house, replace(copying.HASTY, bulk_threshold=1_000)):

        async def is_known() -> str | None:
            return await entity_syncs.job(house.db, sync.integration.integration_id)

        job_id = await until(is_known)
        await control.clear_faults()
        await control.call("POST", "org/ingest", {"hold": False})
        await copying.ended(house, sync)
    assert await state_of(house, job_id) in {"JobComplete", "Aborted"}
    assert await entity_syncs.job(house.db, sync.integration.integration_id) is None
    assert len(await copying.all_ids(house, EntityType.ACCOUNT)) == 1_500
