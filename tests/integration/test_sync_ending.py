"""Deleted in Salesforce: billing ends in m3ter where the mapping says so, and begins again with a restore."""

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from daemon.to_m3ter import presets
from daemon.to_m3ter.mapping import document
from daemon.to_m3ter.mapping.errors import MappingInvalid
from state import record_parents
from state.database import Pool, transaction
from tests.acceptance import house as houses
from tests.acceptance.house import House
from tests.integration.test_sync_leftovers import account_id, id_of, issues, long_since_won
from tests.integration.test_sync_worker import SEATS, TELEMETRY
from tests.sandboxes import LocalSandbox

ENDS = presets.text("opportunity").replace(
    'parent = "Opportunity"', 'parent = "Opportunity"\non_delete = "end billing"'
)


@pytest.fixture
async def house(sandbox: LocalSandbox, db: Pool, database_url: str, tmp_path: Path) -> AsyncIterator[House]:
    async with houses.built(sandbox, db, database_url, tmp_path, ENDS) as built:
        yield built


async def ends(house: House) -> dict[str, list[str | None]]:
    """The end dates of what bills, by collection."""
    account = await account_id(house)
    found: dict[str, list[str | None]] = {}
    for collection in ("contracts", "commitments"):
        found[collection] = [each.get("endDate") for each in await house.all(collection)]
    plans = await house.all("accountplans", f"&includeall=true&account={account}")
    found["accountplans"] = [each.get("endDate") for each in plans]
    return found


async def delete(house: House, object_name: str, record_id: str) -> str:
    """Gives when it was, as Salesforce has it."""
    await house.salesforce("DELETE", f"/sobjects/{object_name}/{record_id}")
    soql = f"SELECT SystemModstamp FROM {object_name} WHERE Id = '{record_id}' AND IsDeleted = true"
    found = await house.salesforce("GET", f"/queryAll?q={soql.replace(' ', '+')}")
    stamp = datetime.fromisoformat(found["records"][0]["SystemModstamp"]).astimezone(UTC)
    return stamp.strftime("%Y-%m-%dT%H:%M:%SZ")


async def test_what_a_deleted_record_bills_ends_when_it_was_deleted(house: House) -> None:
    record_id = await long_since_won(house, TELEMETRY)
    at = await delete(house, "Opportunity", record_id)
    result = await house.attempt(record_id)
    assert result.sync_status == "Completed", result
    assert [(each.object_name, each.action) for each in result.object_results] == [
        *[("AccountPlan", "updated")] * 2,
        ("Commitment", "updated"),
        ("Contract", "updated"),
    ]
    assert await ends(house) == {"contracts": [at[:10]], "commitments": [at[:10]], "accountplans": [at] * 2}
    assert await issues(house) == []


async def test_it_is_done_once_and_the_account_lives_on(house: House) -> None:
    record_id = await long_since_won(house, SEATS)
    await delete(house, "Opportunity", record_id)
    assert (await house.attempt(record_id)).success
    await house.sandbox.m3ter_control.clear_journal()
    again = await house.attempt(record_id)
    assert (again.sync_status, again.object_results) == ("Completed", ())
    assert await house.writes() == []
    assert len(await house.all("accounts")) == 1


async def test_only_the_deleted_record_ends_and_not_its_neighbour_of_the_same_account(house: House) -> None:
    kept, gone = await long_since_won(house, TELEMETRY), await id_of(house, SEATS)
    account = (await house.query(f"SELECT AccountId FROM Opportunity WHERE Id = '{kept}'"))[0]["AccountId"]
    change = {"AccountId": account, "CloseDate": "2026-01-15"}
    await house.salesforce("PATCH", f"/sobjects/Opportunity/{gone}", change)
    assert (await house.attempt(gone)).success
    before = {each["id"]: each.get("endDate") for each in await house.all("contracts")}
    at = await delete(house, "Opportunity", gone)
    assert (await house.attempt(gone)).success
    changed = [each for each in await house.all("contracts") if each["endDate"] != before[each["id"]]]
    assert [(each["code"], each["endDate"]) for each in changed] == [(gone, at[:10])]
    assert sorted(map(str, (await ends(house))["accountplans"])).count(at) == 1
    assert {each.action for each in (await house.attempt(kept)).object_results} == {"unchanged"}


async def test_a_restored_record_is_billed_again_as_its_mapping_says(house: House) -> None:
    record_id = await long_since_won(house, SEATS)
    before = await ends(house)
    await delete(house, "Opportunity", record_id)
    assert (await house.attempt(record_id)).success
    assert await ends(house) != before
    await house.sandbox.salesforce_control.call("POST", "org/undelete", {"ids": [record_id]})
    result = await house.attempt(record_id)
    assert result.success, result.concatenated_results
    assert await ends(house) == before


async def test_a_price_that_ended_before_its_account_plan_was_made_begins_again_with_its_restored_line(
    house: House,
) -> None:
    match = {"method": "POST", "path": "*/accountplans"}
    await house.sandbox.m3ter_control.fault("status", match=match, status=400, body={"message": "No"})
    record_id = await id_of(house, SEATS)
    await house.salesforce("PATCH", f"/sobjects/Opportunity/{record_id}", {"CloseDate": "2026-01-15"})
    await house.attempt(record_id)
    lines = await house.query(f"SELECT Id FROM OpportunityLineItem WHERE OpportunityId = '{record_id}'")
    ((price, end),) = [(each["id"], each.get("endDate")) for each in await house.all("pricings")]
    at = await delete(house, "OpportunityLineItem", str(lines[0]["Id"]))
    await house.attempt(record_id)
    assert [(each["id"], each.get("endDate")) for each in await house.all("pricings")] == [(price, at)]
    await house.sandbox.m3ter_control.clear_faults()
    await house.sandbox.salesforce_control.call("POST", "org/undelete", {"ids": [str(lines[0]["Id"])]})
    result = await house.attempt(record_id)
    assert result.sync_status == "Completed", result.concatenated_results
    assert [(each["id"], each.get("endDate")) for each in await house.all("pricings")] == [(price, end)]


async def end_of(house: House, line_id: str) -> str | None:
    plans = await house.all("accountplans", f"&includeall=true&account={await account_id(house)}")
    (end,) = [each.get("endDate") for each in plans if each["code"] == line_id]
    return str(end)


async def test_the_account_plan_of_a_deleted_line_ends_and_that_of_a_hidden_one_does_not(
    house: House,
) -> None:
    record_id = await long_since_won(house, TELEMETRY)
    lines = await house.query(f"SELECT Id FROM OpportunityLineItem WHERE OpportunityId = '{record_id}'")
    line_id, other = (str(each["Id"]) for each in lines)
    before = await end_of(house, line_id)
    at = await delete(house, "OpportunityLineItem", line_id)
    result = await house.attempt(record_id)
    assert result.success, result.concatenated_results
    assert [await end_of(house, each) for each in (line_id, other)] == [at, before]

    await house.sandbox.salesforce_control.call("POST", "org/undelete", {"ids": [line_id]})
    assert (await house.attempt(record_id)).success
    await house.sandbox.salesforce_control.call("POST", "org/hide", {"ids": [line_id]})
    assert (await house.attempt(record_id)).sync_status == "Partial Success"
    assert await end_of(house, line_id) == before


async def test_a_line_that_only_belongs_to_another_record_now_is_told_and_not_ended(house: House) -> None:
    former, now = await long_since_won(house, TELEMETRY), await long_since_won(house, SEATS)
    lines = await house.query(f"SELECT Id FROM OpportunityLineItem WHERE OpportunityId = '{now}'")
    moved = str(lines[0]["Id"])
    async with transaction(house.db) as tx:
        await record_parents.remember(tx, house.integration.integration_id, [(moved, former)])
    await house.sandbox.m3ter_control.clear_journal()
    result = await house.attempt(former)
    assert [each.object_name for each in result.object_results if not each.success][-1] == "AccountPlan"
    assert moved in result.concatenated_results
    assert await house.writes() == []


@pytest.mark.parametrize("kind", ["reset_before", "reset_after"])
@pytest.mark.parametrize("path", ["*/accountplans/*", "*/commitments/*", "*/enddatebillingentities"])
async def test_a_lost_answer_ends_it_once_all_the_same(house: House, kind: str, path: str) -> None:
    record_id = await long_since_won(house, SEATS)
    at = await delete(house, "Opportunity", record_id)
    await house.sandbox.m3ter_control.fault(kind, match={"method": "PUT", "path": path}, times=2)
    found: Any = None
    for _ in range(4):
        found = await house.attempt(record_id)
        if found.success:
            break
    assert found.success, found
    assert await ends(house) == {"contracts": [at[:10]], "commitments": [at[:10]], "accountplans": [at]}


async def test_what_m3ter_does_not_allow_is_told_with_its_own_words(house: House) -> None:
    record_id = await long_since_won(house, SEATS)
    await house.sandbox.m3ter_control.fault(
        "status",
        match={"method": "PUT", "path": "*/commitments/*"},
        status=400,
        body={"message": "No, by rule 7"},
    )
    await delete(house, "Opportunity", record_id)
    result = await house.attempt(record_id)
    assert result.sync_status == "Partial Success"
    failed = [each for each in result.object_results if not each.success]
    assert [each.object_name for each in failed] == ["Commitment"]
    assert "No, by rule 7" in failed[0].message
    assert failed[0].instruction
    assert [each.subject for each in await issues(house)] == [record_id]


@pytest.mark.parametrize("kind", ["Pricing", "AccountPlan"])
async def test_a_mapping_that_could_not_restore_the_billing_is_refused(kind: str) -> None:
    before, table, after = ENDS.partition(f"[objects.{kind}.fields]\n")
    after = re.sub(r"(?m)^endDate = .*\n", "", after, count=1)
    with pytest.raises(MappingInvalid, match=rf"objects\.{kind}\.fields: Must map endDate"):
        document.parse(before + table + after)
