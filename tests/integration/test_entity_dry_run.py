"""A dry run tells what would change in live Salesforce, and its cost, and changes nothing anywhere."""

import pytest

from connectors.errors import RejectedError
from daemon.to_salesforce import dry_run
from daemon.to_salesforce.dry_run import Cost
from state import entity_copies, entity_syncs, integrations
from state.entity_models import EntityType, Namespace
from tests.acceptance import entity_customers as customers
from tests.acceptance.house import House
from tests.integration import copying
from tests.integration.dry_running import at_work, meddled, told, until_reserve


async def test_before_the_first_run_everything_is_to_be_created(house: House) -> None:
    ids = await copying.load(house, "Account", copying.rows(250))
    sync = await copying.added(house, EntityType.ACCOUNT)
    found, cost = await told(house, sync)
    assert {each.m3ter_id for each in found} == set(ids)
    assert {(each.action, each.salesforce_id) for each in found} == {("create", None)}
    assert found[0].fields["Name"] == (None, "crowd 00249")
    assert (cost.entities, cost.upserts, cost.writing_calls, cost.m3ter_calls) == (250, 250, 2, 4)
    assert cost.calls_left


async def test_what_differs_only_in_salesforce_is_told_apart_from_what_the_run_writes(house: House) -> None:
    ids = await copying.load(house, "Account", copying.rows(5))
    sync = await copying.added(house, EntityType.ACCOUNT)
    await copying.once(house, sync)
    assert (await told(house, sync))[0] == []

    record = (await copying.copies(house, EntityType.ACCOUNT))[ids[0]]
    await meddled(house, edited=ids[0], deleted=ids[1])
    customers.vanish(house, EntityType.ACCOUNT, ids[2])
    m3ter = customers.organization(house)
    m3ter.change("Account", m3ter.store.get("Account", ids[3]), {"name": "renamed"})
    found, cost = await told(house, sync)
    actions = {each.m3ter_id: each.action for each in found}
    assert actions == {ids[0]: "drifted", ids[1]: "drifted", ids[2]: "mark", ids[3]: "update"}
    by_id = {each.m3ter_id: each for each in found}
    assert by_id[ids[0]].fields == {"Code__c": ("by hand", "crowd-00000")}
    assert by_id[ids[0]].salesforce_id == record["Id"]
    assert (by_id[ids[1]].salesforce_id, "deleted" in by_id[ids[1]].problem) == (None, True)
    assert by_id[ids[3]].fields["Name"] == ("crowd 00003", "renamed")
    assert (cost.upserts, cost.marks, cost.writing_calls) == (1, 1, 2)

    run = await copying.once(house, sync)
    assert (run.written, run.marked, run.refused) == (1, 1, 0)
    assert {each.action for each in (await told(house, sync))[0]} == {"drifted"}


async def test_with_restore_what_has_drifted_is_part_of_the_cost(house: House) -> None:
    ids = await copying.load(house, "Account", copying.rows(3))
    sync = await copying.added(house, EntityType.ACCOUNT)
    await copying.once(house, sync)
    await meddled(house, edited=ids[0], deleted=ids[1])
    found, cost = await told(house, sync, is_restoring=True)
    assert {each.m3ter_id: each.action for each in found} == {ids[0]: "update", ids[1]: "create"}
    assert (cost.upserts, cost.writing_calls) == (2, 1)


async def test_what_was_refused_is_no_part_of_the_next_run_until_it_changes_or_is_retried(
    house: House,
) -> None:
    ids = await copying.load(house, "Account", copying.rows(2))
    rule = {"object": "m3ter_Account__c", "field": "Code__c", "is": "equals", "value": "crowd-00000"}
    rules = {"validations": [{**rule, "message": "not this one"}]}
    await house.sandbox.salesforce_control.call("POST", "org/rules", rules)
    sync = await copying.added(house, EntityType.ACCOUNT)
    assert (await copying.once(house, sync)).refused == 1
    found, cost = await told(house, sync)
    assert [(each.m3ter_id, each.action) for each in found] == [(ids[0], "refused")]
    assert "not this one" in found[0].problem
    assert cost.writing_calls == 0

    await entity_copies.retry(house.db, sync.integration.integration_id)
    found, cost = await told(house, sync)
    assert [(each.m3ter_id, each.action) for each in found] == [(ids[0], "create")]
    assert cost.writing_calls == 1


async def test_what_cannot_be_mapped_is_said_once_and_is_refused_from_then_on(house: House) -> None:
    long = {"name": "x", "code": "x", "emailAddress": f"{'e' * 300}@example.com"}
    (m3ter_id,) = await copying.load(house, "Account", [long])
    sync = await copying.added(house, EntityType.ACCOUNT)
    assert [each.action for each in (await told(house, sync))[0]] == ["cannot be written"]
    await copying.once(house, sync)
    (refused,), _ = await told(house, sync)
    assert (refused.m3ter_id, refused.action) == (m3ter_id, "refused")
    assert "Email__c" in refused.problem


async def test_a_mark_taken_away_by_hand_is_drift(house: House) -> None:
    (m3ter_id,) = await copying.load(house, "Account", copying.rows(1))
    sync = await copying.added(house, EntityType.ACCOUNT)
    await copying.once(house, sync)
    customers.vanish(house, EntityType.ACCOUNT, m3ter_id)
    await copying.once(house, sync)
    assert (await told(house, sync))[0] == []
    record = (await copying.copies(house, EntityType.ACCOUNT))[m3ter_id]
    path = f"/sobjects/m3ter_Account__c/{record['Id']}"
    await house.salesforce("PATCH", path, {"m3ter_Deleted_At__c": None})
    assert [each.action for each in (await told(house, sync))[0]] == ["drifted"]
    assert [each.action for each in (await told(house, sync, is_restoring=True))[0]] == ["mark"]


async def test_a_record_that_another_integration_keeps_is_not_to_be_marked(house: House) -> None:
    ids = await copying.load(house, "Account", copying.rows(2))
    one = await copying.added(house, EntityType.ACCOUNT, "one")
    other = await copying.added(house, EntityType.ACCOUNT, "other", account_ids=(ids[0],))
    async with copying.copying(house):
        for sync in (one, other):
            await copying.ended(house, sync)
    left = await copying.edited(house, one, restricted_account_ids=tuple(ids))
    found, cost = await told(house, left)
    assert [(each.m3ter_id, each.action) for each in found] == [(ids[1], "mark")]
    assert cost.marks == 1


async def test_the_reserve_of_the_day_is_not_spent(house: House) -> None:
    await copying.load(house, "Account", copying.rows(600))
    sync = await copying.added(house, EntityType.ACCOUNT)
    await house.sandbox.salesforce_control.call("POST", "org/limit", {"max": 1000, "used": 898})
    await house.sandbox.salesforce_control.clear_journal()
    cost = Cost()
    async with at_work(house, sync) as place:
        found = await until_reserve(dry_run.dry_run(place, cost))
    assert (await copying.calls(house)).total() == cost.reading_calls == 2
    assert 400 < len(found) < 600
    assert cost.calls_left == 0


async def test_as_many_keys_are_asked_for_at_once_as_an_address_holds(house: House) -> None:
    await copying.load(house, "Account", copying.rows(600))
    _, cost = await told(house, await copying.added(house, EntityType.ACCOUNT))
    assert cost.reading_calls == 3


async def test_an_object_that_is_not_there_is_named_with_what_to_do(house: House) -> None:
    await copying.load(house, "Account", copying.rows(1))
    sync = await copying.added(house, EntityType.ACCOUNT, namespace=Namespace.CONNECTOR)
    with pytest.raises(RejectedError) as caught:
        await told(house, sync)
    assert caught.value.message == "Salesforce has no object m3__Account__c, or hides it from m3sync's user."
    assert "m3sync doctor" in caught.value.instruction


async def test_a_field_that_is_not_there_is_named_with_what_feeds_it(house: House) -> None:
    await copying.load(house, "Account", copying.rows(1))
    sync = await copying.added(house, EntityType.ACCOUNT, custom_fields={"seats": "Seats__c"})
    with pytest.raises(RejectedError) as caught:
        await told(house, sync)
    assert caught.value.message.startswith("m3ter_Account__c has no field Seats__c")
    assert "custom field seats" in caught.value.instruction


async def test_before_it_is_switched_on_it_is_told_as_the_run_will_find_it(house: House) -> None:
    (parent,) = await copying.load(house, "Account", copying.rows(1))
    row = {"name": "child", "code": "child", "emailAddress": "c@example.com", "parentAccountId": parent}
    (child,) = await copying.load(house, "Account", [row])
    made = await copying.added(house, EntityType.ACCOUNT)
    await integrations.disable(house.db, made.integration.name)
    sync = await entity_syncs.get(house.db, made.integration.name)
    found = {each.m3ter_id: each.fields for each in (await told(house, sync))[0]}
    assert found[child]["m3ter_Parent_Account__r.m3ter_Id__c"] == (None, parent)


async def test_a_standard_account_is_told_as_the_first_run_will_write_it(house: House) -> None:
    (m3ter_id,) = await copying.load(house, "Account", copying.rows(1))
    record_id = (await house.salesforce("POST", "/sobjects/Account", {"Name": "standard"}))["id"]
    mapping = {"m3terEntity": "Account", "m3terId": m3ter_id, "externalSystem": "Salesforce"}
    outside = {"externalTable": "Account", "externalId": record_id}
    await house.m3ter("POST", "/externalmappings", {**mapping, **outside})
    (found,), _ = await told(house, await copying.added(house, EntityType.ACCOUNT))
    assert found.fields["Salesforce_Account__c"] == (None, record_id)


async def test_a_field_whose_name_is_given_in_other_letters_is_compared_all_the_same(house: House) -> None:
    declared = {"m3ter_Account__c": {"fields": {"Tier__c": {"type": "string", "length": 40}}}}
    await house.sandbox.salesforce_control.call("POST", "org/declare", declared)
    rows = [{**row, "customFields": {"tier": "gold"}} for row in copying.rows(1)]
    (m3ter_id,) = await copying.load(house, "Account", rows)
    sync = await copying.added(house, EntityType.ACCOUNT, custom_fields={"tier": "tier__c"})
    await copying.once(house, sync)
    assert (await told(house, sync))[0] == []
    (record,) = await house.query("SELECT Id, Tier__c FROM m3ter_Account__c")
    assert record["Tier__c"] == "gold"
    await house.salesforce("PATCH", f"/sobjects/m3ter_Account__c/{record['Id']}", {"Tier__c": "tin"})
    (drifted,), _ = await told(house, sync)
    assert (drifted.m3ter_id, drifted.fields) == (m3ter_id, {"tier__c": ("tin", "gold")})
