"""What is in m3ter already is found and taken, and never what belongs to another record."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from connectors import wire
from daemon.to_m3ter import presets
from state import external_mappings, inbox, intents
from state.database import Pool, transaction
from state.models import Cause, NewIntent
from tests.acceptance import house as houses
from tests.acceptance.house import House, until
from tests.sandboxes import LocalSandbox


@pytest.fixture
async def house(sandbox: LocalSandbox, db: Pool, database_url: str, tmp_path: Path) -> AsyncIterator[House]:
    async with houses.built(sandbox, db, database_url, tmp_path, presets.text("opportunity")) as built:
        yield built


@pytest.fixture
async def opportunity(house: House) -> dict[str, Any]:
    fields = "Id, AccountId, CloseDate, (SELECT Id FROM OpportunityLineItems)"
    name = "Quillmark - editorial seats"
    return (await house.query(f"SELECT {fields} FROM Opportunity WHERE Name = '{name}'"))[0]


async def an_account(house: House, code: str) -> str:
    body = {"name": "Made by hand", "code": code, "emailAddress": "by@hand.example"}
    return str((await house.m3ter("POST", "/accounts", body))["id"])


async def tie(house: House, m3ter_id: str, external_id: str) -> None:
    body = {"m3terEntity": "Account", "m3terId": m3ter_id, "externalSystem": "Salesforce"}
    await house.m3ter(
        "POST", "/externalmappings", {**body, "externalTable": "Account", "externalId": external_id}
    )


async def sync(house: House, record_id: str) -> dict[str, Any]:
    """The object results by name."""
    result = await house.attempt(record_id)
    assert result.sync_status != "Failed", result.message
    return {each.object_name: each for each in result.object_results}


async def let_minutes_pass(house: House) -> None:
    """What is known of m3ter has been known for a while, by the database's clock."""
    await house.db.execute("UPDATE external_mappings SET updated_at = updated_at - interval '11 minutes'")


async def test_an_account_with_the_code_is_adopted_and_brought_into_step(
    house: House, opportunity: dict[str, Any]
) -> None:
    account_id = await an_account(house, opportunity["AccountId"])
    account = (await sync(house, opportunity["Id"]))["Account"]
    assert (account.m3ter_id, account.action) == (account_id, "updated")
    assert account.changes["name"] == ("Made by hand", "Quillmark Publishing")
    mapped = await house.all("externalmappings")
    assert account_id in {each["m3terId"] for each in mapped}


async def test_an_account_that_m3ter_maps_to_the_record_is_adopted_whatever_its_code(
    house: House, opportunity: dict[str, Any]
) -> None:
    account_id = await an_account(house, "some-code")
    await tie(house, account_id, opportunity["AccountId"][:15])
    await tie(house, account_id, opportunity["AccountId"])
    account = (await sync(house, opportunity["Id"]))["Account"]
    assert account.m3ter_id == account_id
    assert (await house.census())["Account"] == 1


async def test_an_account_that_belongs_to_another_record_is_never_taken(
    house: House, opportunity: dict[str, Any]
) -> None:
    account_id = await an_account(house, opportunity["AccountId"])
    await tie(house, account_id, "001S900000RzsIUIAZ")
    objects = await sync(house, opportunity["Id"])
    account = objects["Account"]
    assert account.action == "failed"
    assert account_id in account.message
    assert "001S900000RzsIUIAZ" in account.message
    assert account.instruction
    assert {each.action for name, each in objects.items() if name != "Account"} == {"not attempted"}
    assert await house.census() == {**dict.fromkeys(houses.KINDS, 0), "Account": 1, "ExternalMapping": 1}


async def test_a_commitment_is_adopted_only_after_a_create_whose_answer_was_lost(
    house: House, opportunity: dict[str, Any]
) -> None:
    first = await sync(house, opportunity["Id"])
    commitment = (await house.all("commitments"))[0]
    await _forget(house, "Commitment", opportunity["Id"])
    await _unmap(house, commitment["id"])
    second = (await sync(house, opportunity["Id"]))["Commitment"]
    assert second.action == "failed", "an equal one without an intent may be anybody's"
    assert second.message == f"Commitment would overlap with existing Commitment {commitment['id']}"
    await _intend(house, opportunity["Id"], commitment)
    third = (await sync(house, opportunity["Id"]))["Commitment"]
    assert (third.action, third.m3ter_id) == ("adopted", first["Commitment"].m3ter_id)


async def test_what_was_deleted_in_m3ter_is_made_anew_and_mapped_anew(
    house: House, opportunity: dict[str, Any]
) -> None:
    before = await sync(house, opportunity["Id"])
    await house.m3ter("DELETE", f"/accountplans/{before['AccountPlan'].m3ter_id}")
    await let_minutes_pass(house)
    after = await sync(house, opportunity["Id"])
    assert after["AccountPlan"].action == "created"
    assert after["AccountPlan"].m3ter_id != before["AccountPlan"].m3ter_id
    census = await house.census()
    assert (census["AccountPlan"], census["ExternalMapping"]) == (1, 6)
    assert after["AccountPlan"].m3ter_id in {each["m3terId"] for each in await house.all("externalmappings")}
    assert {each.action for each in (await sync(house, opportunity["Id"])).values()} == {"unchanged"}


async def test_what_m3ters_own_users_added_survives_an_update(
    house: House, opportunity: dict[str, Any]
) -> None:
    await sync(house, opportunity["Id"])
    account = (await house.all("accounts"))[0]
    await house.m3ter("PUT", "/customfields", {"account": {"tier": "text"}, "version": 1})
    body = {name: account[name] for name in ("name", "code", "emailAddress", "address", "version")}
    await house.m3ter("PUT", f"/accounts/{account['id']}", {**body, "customFields": {"tier": "gold"}})
    await house.salesforce(
        "PATCH", f"/sobjects/Account/{opportunity['AccountId']}", {"BillingCity": "Albany"}
    )
    done = (await sync(house, opportunity["Id"]))["Account"]
    assert done.changes == {"address.locality": ("New York", "Albany")}
    after = (await house.all("accounts"))[0]
    assert after["customFields"] == {"tier": "gold"}
    assert after["address"]["locality"] == "Albany"


@pytest.mark.parametrize("status", [400, 409, 412])
async def test_an_update_that_another_writer_overtook_is_compared_anew(
    house: House, opportunity: dict[str, Any], status: int
) -> None:
    await house.sandbox.m3ter_control.call("POST", "behaviour", {"stale_version_status": status})
    await sync(house, opportunity["Id"])
    contract = (await house.all("contracts"))[0]
    await house.salesforce("PATCH", f"/sobjects/Opportunity/{opportunity['Id']}", {"Name": "Renamed"})
    match = {"method": "PUT", "path": "*/contracts/*"}
    fault = await house.sandbox.m3ter_control.fault("hang_before", match=match, times=1, seconds=20)
    async with asyncio.TaskGroup() as group:
        syncing = group.create_task(sync(house, opportunity["Id"]))
        await until(lambda: _is_held(house))
        sent = ("accountId", "name", "code", "startDate", "endDate", "version")
        body = {**{name: contract[name] for name in sent}, "purchaseOrderNumber": "PO-7"}
        await house.m3ter("PUT", f"/contracts/{contract['id']}", body)
        await house.sandbox.m3ter_control.call("DELETE", f"faults/{fault['id']}")
    assert syncing.result()["Contract"].action == "updated"
    after = (await house.all("contracts"))[0]
    assert (after["name"], after["purchaseOrderNumber"]) == ("Renamed", "PO-7")


async def _is_held(house: House) -> bool:
    return any(each["holding"] for each in await house.sandbox.m3ter_control.faults())


async def test_a_field_that_m3ter_refuses_to_change_is_told_in_its_words(
    house: House, opportunity: dict[str, Any]
) -> None:
    await sync(house, opportunity["Id"])
    await house.salesforce("PATCH", f"/sobjects/Opportunity/{opportunity['Id']}", {"Name": "Renamed"})
    match = {"method": "PUT", "path": "*/contracts/*"}
    await house.sandbox.m3ter_control.fault(
        "status", match=match, status=400, body={"message": "name is final"}
    )
    contract = (await sync(house, opportunity["Id"]))["Contract"]
    assert (contract.action, contract.message) == ("failed", "name is final")


async def _forget(house: House, m3ter_entity: str, record_id: str) -> None:
    org_id = house.sandbox.m3ter["org_id"]
    async with transaction(house.db) as tx:
        await external_mappings.forget(tx, org_id, m3ter_entity, "Opportunity", record_id)


async def _unmap(house: House, m3ter_id: str) -> None:
    for row in await house.all("externalmappings"):
        if row["m3terId"] == m3ter_id:
            await house.m3ter("DELETE", f"/externalmappings/{row['id']}")


async def _intend(house: House, record_id: str, commitment: dict[str, Any]) -> None:
    """As if a daemon had died right after it sent the create."""
    integration_id = house.integration.integration_id
    inbox_id = await inbox.put(house.db, integration_id, "Opportunity", record_id, cause=Cause.CHANGE)
    claim = await inbox.claim(
        house.db,
        worker="died",
        lease=houses.IMPATIENT.lease,
        integration_ids=[integration_id],
        inbox_id=inbox_id,
    )
    assert claim is not None
    sent = (
        "accountId",
        "contractId",
        "productIds",
        "amount",
        "amountPrePaid",
        "currency",
        "startDate",
        "endDate",
    )
    body = wire.dumps({name: commitment[name] for name in sent}).decode()
    org_id = house.sandbox.m3ter["org_id"]
    new = NewIntent(org_id, "Commitment", "Opportunity", record_id, body)
    await intents.open_intent(house.db, claim, new)
    async with transaction(house.db) as tx:
        await inbox.complete(tx, claim)
