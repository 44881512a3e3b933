"""What was edited or deleted in Salesforce by other hands is written anew when a person says so."""

from daemon.to_salesforce import restoring
from daemon.to_salesforce.dry_run import Cost
from state import entity_copies, entity_drift
from state.entity_drift import Drift
from state.entity_models import EntitySync, EntityType
from tests.acceptance import entity_customers as customers
from tests.acceptance.house import House
from tests.integration import copying
from tests.integration.dry_running import at_work, meddled, told, until_reserve


async def restored(house: House, sync: EntitySync) -> int:
    async with at_work(house, sync) as place:
        return sum([number async for number in restoring.restore(place, Cost())])


async def test_what_was_edited_or_deleted_is_written_by_the_next_run_and_nothing_else(house: House) -> None:
    ids = await copying.load(house, "Account", copying.rows(4))
    sync = await copying.added(house, EntityType.ACCOUNT)
    await copying.once(house, sync)
    before = await copying.copies(house, EntityType.ACCOUNT)
    await meddled(house, edited=ids[0], deleted=ids[1])

    assert (await copying.once(house, sync)).written == 0
    assert await restored(house, sync) == 2
    assert await restored(house, sync) == 0  # they are wanted already
    run = await copying.once(house, sync)
    assert (run.status, run.written, run.created) == ("COMPLETE", 2, 1)
    after = await copying.copies(house, EntityType.ACCOUNT)
    assert after[ids[0]]["Code__c"] == "crowd-00000"
    assert after[ids[1]]["Id"] != before[ids[1]]["Id"]
    (copy,) = await entity_copies.of_record(house.db, ids[1])
    assert copy.salesforce_id == after[ids[1]]["Id"]
    assert (await told(house, sync))[0] == []


async def test_a_record_of_two_integrations_is_made_anew_with_the_fields_of_both(house: House) -> None:
    fields = {name: {"type": "string", "length": 40} for name in ("One__c", "Two__c")}
    declared = {"m3ter_Account__c": {"fields": fields}}
    await house.sandbox.salesforce_control.call("POST", "org/declare", declared)
    rows = [{**row, "customFields": {"one": "1", "two": "2"}} for row in copying.rows(1)]
    (m3ter_id,) = await copying.load(house, "Account", rows)
    one = await copying.added(house, EntityType.ACCOUNT, "one", custom_fields={"one": "One__c"})
    two = await copying.added(house, EntityType.ACCOUNT, "two", custom_fields={"two": "Two__c"})
    async with copying.copying(house):
        for sync in (one, two):
            await copying.ended(house, sync)
    record = (await copying.copies(house, EntityType.ACCOUNT))[m3ter_id]
    await house.salesforce("DELETE", f"/sobjects/m3ter_Account__c/{record['Id']}")
    assert await restored(house, one) == 1
    async with copying.copying(house):
        for sync in (one, two):
            await copying.again(house, sync)
    (record,) = await house.query("SELECT One__c, Two__c FROM m3ter_Account__c")
    assert (record["One__c"], record["Two__c"]) == ("1", "2")
    for sync in (one, two):
        assert (await told(house, sync))[0] == []


async def test_a_mark_taken_away_is_set_again_to_the_time_it_had(house: House) -> None:
    (m3ter_id,) = await copying.load(house, "Account", copying.rows(1))
    sync = await copying.added(house, EntityType.ACCOUNT)
    await copying.once(house, sync)
    customers.vanish(house, EntityType.ACCOUNT, m3ter_id)
    await copying.once(house, sync)
    marked = (await copying.copies(house, EntityType.ACCOUNT))[m3ter_id]
    path = f"/sobjects/m3ter_Account__c/{marked['Id']}"
    await house.salesforce("PATCH", path, {"m3ter_Deleted_At__c": None})
    assert await restored(house, sync) == 1
    assert (await copying.once(house, sync)).marked == 1
    again = (await copying.copies(house, EntityType.ACCOUNT))[m3ter_id]
    assert again["m3ter_Deleted_At__c"] == marked["m3ter_Deleted_At__c"]


async def test_what_is_gone_from_both_systems_is_forgotten(house: House) -> None:
    ids = await copying.load(house, "Account", copying.rows(2))
    sync = await copying.added(house, EntityType.ACCOUNT)
    await copying.once(house, sync)
    await meddled(house, edited=ids[0], deleted=ids[1])
    await restored(house, sync)
    customers.vanish(house, EntityType.ACCOUNT, ids[1])
    run = await copying.once(house, sync)
    assert (run.status, run.written, run.marked, run.refused) == ("COMPLETE", 1, 0, 0)
    assert await entity_copies.of_record(house.db, ids[1]) == []


async def test_a_copy_that_changed_since_it_was_looked_at_is_left_alone(house: House) -> None:
    (m3ter_id,) = await copying.load(house, "Account", copying.rows(1))
    sync = await copying.added(house, EntityType.ACCOUNT)
    await copying.once(house, sync)
    integration_id = sync.integration.integration_id
    held = (await entity_drift.held(house.db, integration_id, [m3ter_id]))[m3ter_id]
    await house.db.execute("UPDATE entity_copies SET digest = 'another'")
    async with house.db.acquire() as tx:
        assert await entity_drift.want_anew(tx, integration_id, [Drift(held, None)]) == 0
    (copy,) = await entity_copies.of_record(house.db, m3ter_id)
    assert copy.salesforce_id == held.salesforce_id


async def test_what_was_found_before_the_reserve_was_reached_is_wanted_and_the_rest_is_found_again(
    house: House,
) -> None:
    await copying.load(house, "Account", copying.rows(600))
    sync = await copying.added(house, EntityType.ACCOUNT)
    await copying.once(house, sync)
    for record_id in [each["Id"] for each in await house.query("SELECT Id FROM m3ter_Account__c")][::20]:
        await house.salesforce("PATCH", f"/sobjects/m3ter_Account__c/{record_id}", {"Code__c": "by hand"})
    control = house.sandbox.salesforce_control
    await control.call("POST", "org/limit", {"max": 1000, "used": 898})
    async with at_work(house, sync) as place:
        numbers = await until_reserve(restoring.restore(place, Cost()))
    assert 0 < sum(numbers) < 30
    await control.call("POST", "org/limit", {"max": 100_000, "used": 0})
    assert sum(numbers) + await restored(house, sync) == 30
    assert (await copying.once(house, sync)).written == 30
