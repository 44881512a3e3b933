"""One record by hand: every wrong id has a message of its own, and nothing is touched."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from daemon import app
from daemon.configuration import ConfigurationError
from daemon.to_m3ter import presets
from state import field_mappings, inbox, integrations, record_states, runs
from state.database import Pool, transaction
from state.errors import NotFound
from state.models import Cause, InboxStatus, NewIntegration, RunStatus
from tests.acceptance import house as houses
from tests.acceptance.house import House
from tests.integration.state_rows import claimed
from tests.integration.test_sync_worker import working
from tests.sandboxes import LocalSandbox


@pytest.fixture
async def house(sandbox: LocalSandbox, db: Pool, database_url: str, tmp_path: Path) -> AsyncIterator[House]:
    async with houses.built(sandbox, db, database_url, tmp_path, presets.text("opportunity")) as built:
        yield built


async def account_of(house: House, deal: str) -> str:
    found = await house.query(f"SELECT AccountId FROM Opportunity WHERE Id = '{deal}'")
    return str(found[0]["AccountId"])


async def failure(house: House, *ids: str) -> str:
    """The message of a sync that must fail without a single call to m3ter."""
    await house.sandbox.m3ter_control.clear_journal()
    result = await house.sync(*ids)
    assert (result.success, result.sync_status, result.object_results) == (False, "Failed", ())
    assert result.message.startswith("Sync process failed: ")
    assert result.instruction
    assert await house.sandbox.m3ter_control.journal() == []
    return result.message


async def test_15_and_18_characters_are_one_record(house: House, deal: str) -> None:
    short = await house.attempt(deal)
    long = await house.sync(deal[:15])
    assert short.success
    assert [each.action for each in long.object_results] == ["unchanged"] * 6
    assert [each.salesforce_id for each in long.object_results] == [
        each.salesforce_id for each in short.object_results
    ]


async def test_a_record_by_hand_is_synced_whatever_its_criterion(house: House, deal: str) -> None:
    assert (await house.sync(deal)).success
    state = await record_states.get(house.db, house.integration.integration_id, deal)
    assert state is not None
    assert (state.criterion_held, state.sync_status) == (False, "Completed")
    assert state.first_synced_at == state.last_synced_at
    assert await inbox.find(house.db) == []


async def test_more_than_one_record_fails_and_touches_nothing(house: House, deal: str) -> None:
    message = await failure(house, deal, await account_of(house, deal))
    assert "one record at a time, and 2 were given" in message
    assert await inbox.find(house.db) == []
    assert await runs.latest(house.db) == []


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ([], "No Salesforce record id was given"),
        ([""], "No Salesforce record id was given"),
        (["   "], "No Salesforce record id was given"),
        (["006"], "has 3 characters"),
        (["006S900000795M!IAY"], "characters other than letters and digits"),
        (["' OR Id != '"], "characters other than letters and digits"),
        (["006S900000795MNAAA"], "last three characters do not fit"),
        (["003S900000795MN"], "of a kind that no integration syncs"),
        (["006S900000795MN"], "There is no Opportunity 006S900000795MNIAY in this Salesforce org"),
    ],
)
async def test_each_wrong_id_has_its_own_message(house: House, wrong: list[str], said: str) -> None:
    assert said in await failure(house, *wrong)


async def test_a_deleted_record_is_told_from_one_that_never_was(house: House, deal: str) -> None:
    await house.salesforce("DELETE", f"/sobjects/Opportunity/{deal}")
    message = await failure(house, deal)
    assert f"The Opportunity {deal} was deleted in Salesforce. m3sync never synced it" in message
    assert "left as it is" not in message
    run = (await house.ended_runs(deal))[0]
    assert (run.status, run.sync_status) == (RunStatus.ERROR, "Failed")
    assert "end it in m3ter" not in run.instruction


async def test_a_record_hidden_from_the_integration_user_is_told(house: House, deal: str) -> None:
    await house.sandbox.salesforce_control.call("POST", "org/hide", {"ids": [deal]})
    message = await failure(house, deal)
    assert f"The Opportunity {deal} cannot be read: insufficient access" in message


async def test_an_unknown_integration_and_one_without_credentials_are_told(house: House, deal: str) -> None:
    with pytest.raises(NotFound, match="no integration nonesuch"):
        await app.sync_one(house.settings, [deal], "nonesuch")
    await integrations.disconnect(house.db, "agreements")
    with pytest.raises(ConfigurationError, match="has no Salesforce credential and no m3ter credential"):
        await app.sync_one(house.settings, [deal], "agreements")
    await integrations.connect(
        house.db, "agreements", salesforce_credential_id=house.integration.salesforce_credential_id
    )
    for named in ("agreements", None):
        with pytest.raises(ConfigurationError, match="integration agreements has no m3ter credential"):
            await app.sync_one(house.settings, [deal], named)
    with pytest.raises(ConfigurationError, match="No integration is connected"):
        await app.sync_one(house.settings, [deal])


async def test_two_integrations_for_one_kind_of_record_must_be_told_apart(house: House, deal: str) -> None:
    saved = await field_mappings.get(house.db, "opportunity")
    one = house.integration
    credentials = {
        "salesforce_credential_id": one.salesforce_credential_id,
        "m3ter_credential_id": one.m3ter_credential_id,
    }
    new = NewIntegration("twin", one.flow, saved.field_mapping_id, **credentials, enabled=True)
    await integrations.add(house.db, new)
    assert "Several integrations" in await failure(house, deal)
    await integrations.disable(house.db, "twin")
    assert (await house.sync(deal)).success


async def test_a_refused_credential_fails_with_the_systems_words_and_keeps_the_record(
    house: House, deal: str
) -> None:
    match = {"path": "*/oauth/token"}
    body = {"error": "invalid_client", "error_description": "client identifier invalid"}
    await house.sandbox.m3ter_control.fault("status", match=match, status=401, body=body)
    result = await house.attempt(deal)
    assert result.sync_status == "Failed"
    assert "m3ter refuses the credential" in result.message
    assert [row.attempts for row in await inbox.find(house.db)] == [0]
    assert (await house.ended_runs(deal))[0].status is RunStatus.AUTH_FAILED


async def test_a_product_unknown_to_m3ter_fails_its_objects_and_no_others(house: House, deal: str) -> None:
    product = (await house.query("SELECT Id FROM Product2 WHERE ProductCode = 'SEATS'"))[0]
    await house.salesforce("PATCH", f"/sobjects/Product2/{product['Id']}", {"ProductCode": "NOWHERE"})
    result = await house.attempt(deal)
    actions = {each.object_name: each.action for each in result.object_results}
    assert result.sync_status == "Partial Success"
    assert actions["Account"] == actions["Contract"] == "created"
    assert actions["Commitment"] == actions["Plan"] == "failed"
    assert actions["Pricing"] == actions["AccountPlan"] == "not attempted"
    assert "no PlanTemplate with the code 'NOWHERE'" in result.concatenated_results


async def line_set_aside(house: House, record_id: str, object_name: str = "OpportunityLineItem") -> None:
    """A line whose record could not be told when its change was heard."""
    integration_id = house.integration.integration_id
    await inbox.put(house.db, integration_id, object_name, record_id, cause=Cause.CHANGE)
    async with transaction(house.db) as tx:
        await inbox.set_aside(tx, await claimed(house.db, integration_id), "FIELD_INTEGRITY_EXCEPTION")


@pytest.mark.parametrize("integration", [None, "agreements"])
async def test_a_line_by_hand_syncs_the_record_it_belongs_to(
    house: House, deal: str, integration: str | None
) -> None:
    where = f"OpportunityId = '{deal}'"
    (line, *_) = await house.query(f"SELECT Id FROM OpportunityLineItem WHERE {where}")
    await line_set_aside(house, line["Id"])
    result = await app.sync_one(house.settings, [line["Id"]], integration)
    assert result.success, result
    assert {each.action for each in result.object_results} == {"created"}
    assert [run.record_id for run in await runs.latest(house.db)] == [deal]
    assert await inbox.find(house.db) == []


async def test_a_line_by_hand_comes_through_whoever_takes_its_row(house: House, deal: str) -> None:
    where = f"OpportunityId = '{deal}'"
    lines = await house.query(f"SELECT Id FROM OpportunityLineItem WHERE {where}")
    async with working(house):
        for line in lines:
            result = await house.sync(line["Id"])
            assert result.success, result
    assert {run.record_id for run in await runs.latest(house.db)} == {deal}
    assert await inbox.find(house.db) == []


async def test_a_line_by_hand_whose_record_cannot_be_told_stays_set_aside(house: House) -> None:
    (line, *_) = await house.query("SELECT Id FROM OpportunityLineItem")
    await line_set_aside(house, line["Id"])
    refused = {"status": 400, "body": [{"errorCode": "INVALID_FIELD", "message": "No such column"}]}
    await house.sandbox.salesforce_control.fault("status", match={"path": "*/queryAll"}, **refused)
    assert "No such column" in await failure(house, line["Id"])
    (row,) = await inbox.find(house.db)
    assert (row.status, row.object_name) == (InboxStatus.SET_ASIDE, "OpportunityLineItem")


async def test_a_line_by_hand_that_belongs_to_no_record_is_told(house: House) -> None:
    assert "belongs to no Opportunity" in await failure(house, "00kS900000795MN")
    assert await inbox.find(house.db) == []


async def test_a_record_of_another_kind_is_not_taken_for_one_of_the_integration_named(
    house: House, deal: str
) -> None:
    await line_set_aside(house, await account_of(house, deal), "Account")
    result = await app.sync_one(house.settings, [await account_of(house, deal)], "agreements")
    assert "integration agreements does not sync (it syncs: Opportunity)" in result.message
    (row,) = await inbox.find(house.db)
    assert (row.status, row.object_name) == (InboxStatus.SET_ASIDE, "Account")


async def other(house: House, name: str, text: str) -> None:
    """One more integration of the same systems, with this field mapping."""
    saved, one = await field_mappings.save(house.db, name, text), house.integration
    credentials = {
        "salesforce_credential_id": one.salesforce_credential_id,
        "m3ter_credential_id": one.m3ter_credential_id,
    }
    new = NewIntegration(name, one.flow, saved.field_mapping_id, **credentials, enabled=True)
    await integrations.add(house.db, new)


SITES = """
[lines.Sites]
object = "Hidden_Site__c"
parent_field = "Account__c"
"""


async def test_an_object_that_another_integration_may_not_see_stops_no_record_but_its_own(
    house: House, deal: str
) -> None:
    text = presets.text("account").replace('name = "account"', 'name = "sites"', 1)
    await other(house, "sites", text.replace("[objects.Account]", f"{SITES}\n[objects.Account]", 1))
    assert (await house.sync(deal)).success
    assert (await house.sync(await account_of(house, deal))).success
    assert "requested resource does not exist" in await failure(house, "a0XS900000795MN")


DEALS = presets.text("opportunity").replace('name = "opportunity"', 'name = "deals"', 1)
DEALS = DEALS.replace('parent = "Opportunity"', 'parent = "Deal__c"')
DEAL = "a0XS900000795MNMAY"


@pytest.mark.parametrize("kept_as", [None, "Deal__c", "OpportunityLineItem"])
async def test_a_record_whose_kind_cannot_be_asked_for_is_kept_for_the_integration_named(
    house: House, kept_as: str | None
) -> None:
    await other(house, "deals", DEALS)
    integration = await integrations.get(house.db, "deals")
    if kept_as:
        await inbox.put(house.db, integration.integration_id, kept_as, DEAL, cause=Cause.CHANGE)
    await house.sandbox.salesforce_control.fault("status", match={"path": "*/services/data/*"}, status=503)
    result = await app.sync_one(house.settings, [DEAL], "deals")
    assert not result.success
    (row,) = await inbox.find(house.db)
    assert (row.integration_name, row.cause) == ("deals", Cause.MANUAL)
    assert (row.object_name, row.record_id) == (kept_as or "Deal__c", DEAL)
