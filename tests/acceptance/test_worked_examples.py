"""The two worked examples of m3ter's Sync to m3ter action, by hand and by a change that the daemon hears."""

import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from daemon import outcomes
from daemon.outcomes import SyncResult
from daemon.to_m3ter import presets
from state import runs
from state.database import Pool
from state.models import RunStatus
from tests.acceptance import house as houses
from tests.acceptance.house import House, until
from tests.sandboxes import LocalSandbox

NAME = "Quillmark - editorial seats"
# The source's own logs, ids apart.
COMPLETED = """
Object: Account, Success: true
, Message: m3ter Identifier: M3TER, Salesforce ID: ACCOUNT
Object: Contract, Success: true
, Message: m3ter Identifier: M3TER, Salesforce ID: OPPORTUNITY
Object: Commitment, Success: true
, Message: m3ter Identifier: M3TER, Salesforce ID: OPPORTUNITY
Object: Plan, Success: true
, Message:m3ter Identifier: M3TER, Salesforce ID: LINE
Object: AccountPlan, Success: true
, Message: m3ter Identifier: M3TER, Salesforce ID: LINE
"""
PARTIAL_SUCCESS = """
Object: Account, Success: true
, Message: m3ter Identifier: M3TER, Salesforce ID: ACCOUNT
Object: Contract, Success: true
, Message: m3ter Identifier: M3TER, Salesforce ID: OPPORTUNITY
Object: Commitment, Success: false
, Message: Commitment would overlap with existing Commitment M3TER, Salesforce ID: OPPORTUNITY
Object: Plan, Success: false
, Message: The object plans
for
the record LINE was flagged to not sync., Salesforce ID: LINE
Object: Pricing, Success: false
, Message: The object pricings
for
the record LINE was flagged to not sync., Salesforce ID: LINE
Object: AccountPlan, Success: false
, Message: AccountPlan would overlap with AccountPlan M3TER
for
the same product M3TER, Salesforce ID: LINE
"""
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
Way = Callable[[House, dict[str, Any]], Awaitable[SyncResult]]


def without_pricing() -> str:
    """The shipped mapping, without its Pricing."""
    before, _, rest = presets.text("opportunity").partition("[objects.Pricing]")
    return before + "[objects.AccountPlan]" + rest.partition("[objects.AccountPlan]")[2]


async def agreement(house: House) -> dict[str, Any]:
    """An Opportunity with one product."""
    fields = "Id, AccountId, CloseDate, End_Date__c, Account.Name, (SELECT Id FROM OpportunityLineItems)"
    return (await house.query(f"SELECT {fields} FROM Opportunity WHERE Name = '{NAME}'"))[0]


def bare(text: str, record: dict[str, Any]) -> str:
    """Without white space, and with names in place of ids."""
    line_id = record["OpportunityLineItems"]["records"][0]["Id"]
    for record_id, name in (
        (record["AccountId"], "ACCOUNT"),
        (record["Id"], "OPPORTUNITY"),
        (line_id, "LINE"),
    ):
        text = text.replace(record_id, name)
    return re.sub(r"\s", "", UUID.sub("M3TER", text))


async def by_hand(house: House, record: dict[str, Any]) -> SyncResult:
    return await house.sync(record["Id"])


async def by_change(house: House, record: dict[str, Any]) -> SyncResult:
    async with houses.daemon(house):
        await house.salesforce("PATCH", f"/sobjects/Opportunity/{record['Id']}", {"StageName": "Closed Won"})
        run = (await until(lambda: house.ended_runs(record["Id"])))[0]
    objects = await runs.objects(house.db, [run.run_id])
    return outcomes.of_run(run, objects[run.run_id])


@pytest.fixture
def make(sandbox: LocalSandbox, db: Pool, database_url: str, tmp_path: Path) -> Callable[[str], Any]:
    return lambda text: houses.built(sandbox, db, database_url, tmp_path, text)


@pytest.mark.parametrize("way", [by_hand, by_change])
async def test_completed(make: Callable[[str], Any], way: Way) -> None:
    async with make(without_pricing()) as house:
        record = await agreement(house)
        result = await way(house, record)
        assert (result.success, result.sync_status) == (True, "Completed")
        assert result.message == "Sync process completed successfully"
        assert bare(result.concatenated_results, record) == bare(COMPLETED, record)
        assert {run.status for run in await house.ended_runs(record["Id"])} == {RunStatus.COMPLETE}


@pytest.mark.parametrize("way", [by_hand, by_change])
async def test_partial_success(make: Callable[[str], Any], way: Way) -> None:
    async with make(presets.text("opportunity_flags")) as house:
        record = await agreement(house)
        made_by_hand = await overlap(house, record)
        await flag(house, record)
        result = await way(house, record)
        assert (result.success, result.sync_status) == (False, "Partial Success")
        assert result.message == "Sync process completed successfully"
        assert bare(result.concatenated_results, record) == bare(PARTIAL_SUCCESS, record)
        for message, m3ter_id in made_by_hand.items():
            assert m3ter_id in next(each.message for each in result.object_results if message in each.message)
        assert {run.status for run in await house.ended_runs(record["Id"])} == {RunStatus.ERROR}


async def flag(house: House, record: dict[str, Any]) -> None:
    line_id = record["OpportunityLineItems"]["records"][0]["Id"]
    flags = {"m3ter_Do_Not_Sync_Plan__c": True, "m3ter_Do_Not_Sync_Pricing__c": True}
    await house.salesforce("PATCH", f"/sobjects/OpportunityLineItem/{line_id}", flags)


async def overlap(house: House, record: dict[str, Any]) -> dict[str, str]:
    """What somebody made in m3ter before: the account and its plan, and what the sync's own would overlap."""
    products = {each["code"]: each["id"] for each in await house.all("products")}
    template = next(each for each in await house.all("plantemplates") if each["code"] == "SEATS")
    account = {"name": "Quillmark", "code": record["AccountId"], "emailAddress": "billing@quillmark.example"}
    account_id = (await house.m3ter("POST", "/accounts", account))["id"]
    period = {"accountId": account_id, "startDate": record["CloseDate"], "endDate": "2099-10-10"}
    money = {"currency": "USD", "amount": 10, "amountPrePaid": 10, "productIds": [products["SEATS"]]}
    commitment = await house.m3ter("POST", "/commitments", {**period, **money, "billingInterval": 1})
    line_id = record["OpportunityLineItems"]["records"][0]["Id"]
    plan = {"planTemplateId": template["id"], "accountId": account_id, "bespoke": True}
    own = await house.m3ter("POST", "/plans", {**plan, "name": "Seats", "code": line_id})
    other = await house.m3ter("POST", "/plans", {**plan, "name": "Seats before", "code": "before"})
    start = f"{record['CloseDate']}T00:00:00.000Z"
    account_plan = await house.m3ter(
        "POST", "/accountplans", {"accountId": account_id, "planId": other["id"], "startDate": start}
    )
    assert own["id"] != other["id"]
    return {
        "overlap with existing Commitment": commitment["id"],
        "overlap with AccountPlan": account_plan["id"],
    }
