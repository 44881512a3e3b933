"""What a sync left in m3ter is not forgotten: half made, of a record or of a line that is gone."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from daemon.to_m3ter import presets
from state import inbox, insights, record_states
from state.database import Pool
from state.models import Cause, RunStatus
from state.run_models import Run
from tests.acceptance import house as houses
from tests.acceptance.house import House, until
from tests.integration.test_sync_worker import FIRM, SEATS, TELEMETRY, working
from tests.sandboxes import LocalSandbox

# Time enough to change the record before its next attempt.
SLOW = replace(FIRM, policy=replace(FIRM.policy, first=timedelta(seconds=1), settle=timedelta(seconds=1)))
ENDED = "2026-06-01T00:00:00.000Z"


@pytest.fixture
async def house(sandbox: LocalSandbox, db: Pool, database_url: str, tmp_path: Path) -> AsyncIterator[House]:
    async with houses.built(sandbox, db, database_url, tmp_path, presets.text("opportunity")) as built:
        yield built


async def id_of(house: House, name: str) -> str:
    return str((await house.query(f"SELECT Id FROM Opportunity WHERE Name = '{name}'"))[0]["Id"])


async def hear(house: House, record_id: str) -> None:
    """As the subscriber would put it."""
    integration_id = house.integration.integration_id
    await inbox.put(house.db, integration_id, "Opportunity", record_id, cause=Cause.CHANGE)


async def is_empty(house: House) -> bool:
    return await inbox.find(house.db) == []


async def half_made(house: House, record_id: str, change: tuple[str, Any], **fault: Any) -> list[Run]:
    """Win it, let its sync break at the fault, change the record before the next attempt; gives its runs."""
    path = f"/sobjects/Opportunity/{record_id}"
    await house.salesforce("PATCH", path, {"StageName": "Closed Won"})
    await hear(house, record_id)
    await house.sandbox.m3ter_control.fault(times=1, **fault)
    async with working(house, SLOW):
        await until(lambda: house.ended_runs(record_id))
        await house.salesforce(change[0], path, change[1])
        await hear(house, record_id)
        await until(lambda: is_empty(house))
    return await house.ended_runs(record_id)


async def open_intents(house: House) -> int:
    return int(await house.db.fetchval("SELECT count(*) FROM intents WHERE status = 'OPEN'"))


LOST = {"kind": "reset_after", "match": {"method": "POST", "path": "*/commitments"}}
REFUSED = {"kind": "status", "match": {"method": "POST", "path": "*/commitments"}, "status": 503}
NO_PLAN = {"kind": "status", "match": {"method": "POST", "path": "*/plans"}, "status": 500}
NO_ACCOUNT = {"kind": "reset_before", "match": {"method": "POST", "path": "*/accounts"}}
LEAVES = ("PATCH", {"StageName": "Negotiation/Review"})
DELETED = ("DELETE", None)


@pytest.mark.parametrize(
    ("change", "said"), [(LEAVES, "does not meet the criterion"), (DELETED, "was deleted in Salesforce")]
)
@pytest.mark.parametrize(("fault", "commitments"), [(LOST, 1), (REFUSED, 0), (NO_PLAN, 1)])
async def test_a_record_that_leaves_half_way_is_told_with_what_is_in_m3ter(
    house: House, change: tuple[str, Any], said: str, fault: dict[str, Any], commitments: int
) -> None:
    record_id = await id_of(house, SEATS)
    found = await half_made(house, record_id, change, **fault)
    assert [run.status for run in found] == [RunStatus.ERROR, RunStatus.AWAITING_RETRY]
    assert said in found[0].message
    assert found[0].instruction
    contracts, made = await house.all("contracts"), await house.all("commitments")
    assert (len(contracts), len(made)) == (1, commitments)
    for kind, entity in [("Contract", contracts[0]), *(("Commitment", each) for each in made)]:
        assert f"{kind} {entity['id']}" in found[0].message
    assert await open_intents(house) == 0
    rows = await house.db.fetch("SELECT m3ter_id FROM external_mappings WHERE external_id = $1", record_id)
    assert {row["m3ter_id"] for row in rows} == {each["id"] for each in [*contracts, *made]}
    state = await record_states.get(house.db, house.integration.integration_id, record_id)
    assert state is not None
    assert (state.sync_status, state.criterion_held) == ("Failed", False)


async def test_what_is_told_once_is_not_told_at_each_change(house: House) -> None:
    record_id = await id_of(house, SEATS)
    before = await half_made(house, record_id, LEAVES, **LOST)
    await hear(house, record_id)
    async with working(house):
        await until(lambda: is_empty(house))
    assert await house.ended_runs(record_id) == before


async def test_the_record_that_meets_its_criterion_again_takes_up_what_is_there(house: House) -> None:
    record_id = await id_of(house, SEATS)
    await half_made(house, record_id, LEAVES, **LOST)
    await house.salesforce("PATCH", f"/sobjects/Opportunity/{record_id}", {"StageName": "Closed Won"})
    await hear(house, record_id)
    async with working(house):
        await until(lambda: is_empty(house))
    assert (await house.ended_runs(record_id))[0].status is RunStatus.COMPLETE
    assert await house.census() == dict.fromkeys(houses.KINDS, 1) | {"ExternalMapping": 6}


@pytest.mark.parametrize("change", [LEAVES, DELETED])
async def test_a_record_that_leaves_before_anything_was_made_is_no_failure(
    house: House, change: tuple[str, Any]
) -> None:
    found = await half_made(house, await id_of(house, SEATS), change, **NO_ACCOUNT)
    assert [run.status for run in found] == [RunStatus.AWAITING_RETRY]
    assert await open_intents(house) == 0


@pytest.mark.parametrize("change", [LEAVES, DELETED])
async def test_an_account_whose_create_was_lost_is_told_too(house: House, change: tuple[str, Any]) -> None:
    lost = {"kind": "reset_after", "match": {"method": "POST", "path": "*/accounts"}}
    found = await half_made(house, await id_of(house, SEATS), change, **lost)
    assert [run.status for run in found] == [RunStatus.ERROR, RunStatus.AWAITING_RETRY]
    assert f"Account {await account_id(house)}" in found[0].message
    assert await open_intents(house) == 0


async def test_a_deleted_record_is_an_issue_until_nothing_of_it_is_in_force(house: House) -> None:
    record_id = await long_since_won(house, SEATS)
    await house.salesforce("DELETE", f"/sobjects/Opportunity/{record_id}")
    contract = (await house.all("contracts"))[0]
    told = await house.attempt(record_id)
    assert told.sync_status == "Failed"
    assert f"Contract {contract['id']}" in told.message
    assert [each.subject for each in await issues(house)] == [record_id]
    body = {"endDate": ENDED, "billingEntities": ["CONTRACT", "ACCOUNTPLAN", "PREPAYMENT"]}
    await house.m3ter("PUT", f"/contracts/{contract['id']}/enddatebillingentities", body)
    over = await house.attempt(record_id)
    assert (over.sync_status, over.object_results) == ("Completed", ())
    assert await issues(house) == []


async def test_what_a_deleted_line_made_is_told_until_it_has_ended(house: House) -> None:
    record_id, line_id = await without_one_line(house)
    result = await house.attempt(record_id)
    assert result.sync_status == "Partial Success"
    failed = [each for each in result.object_results if not each.success]
    assert [each.object_name for each in failed] == ["Plan", "Pricing", "AccountPlan"]
    plans = [each for each in await house.all("accountplans") if each["code"] == line_id]
    assert failed[2].m3ter_id == plans[0]["id"]
    assert f"OpportunityLineItem {line_id} is gone" in failed[2].message
    assert plans[0]["id"] in failed[2].message
    assert failed[2].instruction
    assert [each.subject for each in await issues(house)] == [record_id]
    assert (await house.attempt(record_id)).sync_status == "Partial Success"

    names = ("accountId", "planId", "contractId", "code", "startDate", "version")
    body = {**{name: plans[0][name] for name in names}, "endDate": ENDED}
    await house.m3ter("PUT", f"/accountplans/{plans[0]['id']}", body)
    await house.sandbox.m3ter_control.clear_journal()
    assert (await house.attempt(record_id)).sync_status == "Completed"
    assert await house.writes() == []
    reads = await house.sandbox.m3ter_control.journal()
    about_the_line = [each for each in reads if each["path"].endswith(plans[0]["id"])]
    assert len(about_the_line) == 1
    assert await issues(house) == []


async def test_a_line_that_is_restored_is_told_no_more(house: House) -> None:
    record_id, line_id = await without_one_line(house)
    assert (await house.attempt(record_id)).sync_status == "Partial Success"
    await house.sandbox.salesforce_control.call("POST", "org/undelete", {"ids": [line_id]})
    result = await house.attempt(record_id)
    assert result.success
    assert len([each for each in result.object_results if each.salesforce_id == line_id]) == 3


async def test_the_lost_create_of_a_line_that_is_gone_is_settled_and_told(house: House) -> None:
    record_id = await id_of(house, TELEMETRY)
    match = {"method": "POST", "path": "*/accountplans"}
    await house.sandbox.m3ter_control.fault("reset_after", match=match, times=1)
    assert (await house.attempt(record_id)).sync_status == "Failed"
    made = (await house.all("accountplans", "&includeall=true&account=" + await account_id(house)))[0]
    await house.salesforce("DELETE", f"/sobjects/OpportunityLineItem/{made['code']}")
    result = await house.attempt(record_id)
    assert result.sync_status == "Partial Success"
    assert made["id"] in {each.m3ter_id for each in result.object_results if not each.success}
    assert await open_intents(house) == 0


async def account_id(house: House) -> str:
    return str((await house.all("accounts"))[0]["id"])


async def long_since_won(house: House, name: str) -> str:
    """An Opportunity in m3ter whose agreement began long ago."""
    record_id = await id_of(house, name)
    await house.salesforce("PATCH", f"/sobjects/Opportunity/{record_id}", {"CloseDate": "2026-01-15"})

    async def is_made() -> bool:  # more than once when an answer comes late
        return (await house.attempt(record_id)).success

    await until(is_made)
    return record_id


async def without_one_line(house: House) -> tuple[str, str]:
    """An Opportunity in m3ter of whose two lines one has been deleted since, and that line."""
    record_id = await long_since_won(house, TELEMETRY)
    lines = await house.query(f"SELECT Id FROM OpportunityLineItem WHERE OpportunityId = '{record_id}'")
    await house.salesforce("DELETE", f"/sobjects/OpportunityLineItem/{lines[0]['Id']}")
    return record_id, str(lines[0]["Id"])


async def issues(house: House) -> list[Any]:
    """What a person sees that concerns records."""
    found = (await insights.statuses(house.db))[0].issues
    return [each for each in found if each.subject.startswith("006")]
