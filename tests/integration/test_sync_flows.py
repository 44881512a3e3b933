"""Other flows than the plain agreement: accounts alone, orders, a criterion that fires once, hostile text."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest

from daemon.to_m3ter import presets
from state import inbox
from state.database import Pool
from state.models import Cause
from tests.acceptance import house as houses
from tests.acceptance.house import House, until
from tests.sandboxes import LocalSandbox

Build = Callable[[str], AbstractAsyncContextManager[House]]
SEATS = "Quillmark - editorial seats"


@pytest.fixture
def build(sandbox: LocalSandbox, db: Pool, database_url: str, tmp_path: Path) -> Build:
    return lambda text: houses.built(sandbox, db, database_url, tmp_path, text)


async def one(house: House, soql: str) -> dict[str, Any]:
    return (await house.query(soql))[0]


async def test_an_account_sync_makes_the_account_and_nothing_else(build: Build) -> None:
    async with build(presets.text("account")) as house:
        account = await one(house, "SELECT Id FROM Account WHERE Name = 'Quillmark Publishing'")
        async with houses.daemon(house):
            await house.salesforce("PATCH", f"/sobjects/Account/{account['Id']}", {"BillingCity": "Albany"})
            run = (await until(lambda: house.ended_runs(account["Id"])))[0]
        assert run.status == "COMPLETE"
        assert await house.census() == {**dict.fromkeys(houses.KINDS, 0), "Account": 1, "ExternalMapping": 1}


async def test_an_order_makes_the_same_six_objects(build: Build) -> None:
    async with build(presets.text("order")) as house:
        order = await one(house, "SELECT Id FROM Order LIMIT 1")
        result = await house.attempt(order["Id"])
        assert {each.object_name for each in result.object_results} >= {
            "Account",
            "Contract",
            "Plan",
            "AccountPlan",
        }
        assert result.sync_status == "Completed", result.concatenated_results


async def heard(house: House, record_id: str) -> None:
    """As the subscriber would put it."""
    integration_id = house.integration.integration_id
    await inbox.put(house.db, integration_id, "Opportunity", record_id, cause=Cause.CHANGE)


async def test_a_criterion_that_fires_on_becoming_true_fires_once_each_time(build: Build) -> None:
    text = presets.text("opportunity").replace('fires = "each change"', 'fires = "on becoming true"')
    async with build(text) as house:
        record_id = (await one(house, f"SELECT Id FROM Opportunity WHERE Name = '{SEATS}'"))["Id"]
        changes = [
            ({"NextStep": "still open"}, 0),
            ({"StageName": "Closed Won"}, 1),
            ({"NextStep": "won already"}, 1),
            ({"StageName": "Qualification"}, 1),
            ({"StageName": "Closed Won"}, 2),
        ]
        async with houses.daemon(house):
            for count, (fields, expected) in enumerate(changes, 1):
                await house.salesforce("PATCH", f"/sobjects/Opportunity/{record_id}", fields)
                await until(lambda: _is_through(house, record_id, count))  # noqa: B023 - awaited at once
                assert len(await house.ended_runs(record_id)) == expected, fields


async def _is_through(house: House, record_id: str, count: int) -> bool:
    """So many changes were heard, and what they put into the inbox (in one transaction) is done with."""
    heard = await house.db.fetchval("SELECT count(*) FROM change_events WHERE record_id = $1", record_id)
    assert heard <= count, "one change is one event"
    return heard == count and await inbox.find(house.db) == []


async def test_a_record_deleted_before_it_was_ever_synced_is_no_failure(build: Build) -> None:
    async with build(presets.text("opportunity")) as house:
        open_one = await one(house, f"SELECT Id FROM Opportunity WHERE Name = '{SEATS}'")
        async with houses.daemon(house):
            await house.salesforce("DELETE", f"/sobjects/Opportunity/{open_one['Id']}")
            await until(lambda: _was_heard(house, open_one["Id"]))
        assert await house.ended_runs(open_one["Id"]) == []


async def test_a_record_deleted_after_its_sync_is_told_and_leaves_m3ter_as_it_is(build: Build) -> None:
    async with build(presets.text("opportunity")) as house:
        record_id = (await one(house, f"SELECT Id FROM Opportunity WHERE Name = '{SEATS}'"))["Id"]
        assert (await house.attempt(record_id)).success
        before = await house.census()
        async with houses.daemon(house):
            await house.salesforce("DELETE", f"/sobjects/Opportunity/{record_id}")
            found = await until(lambda: _two_runs(house, record_id))
        assert "was deleted in Salesforce" in found[0].message
        assert await house.census() == before


async def _two_runs(house: House, record_id: str) -> list[Any]:
    found = await house.ended_runs(record_id)
    return found if len(found) > 1 else []


async def _was_heard(house: House, record_id: str) -> bool:
    count = await house.db.fetchval("SELECT count(*) FROM change_events WHERE record_id = $1", record_id)
    return bool(count) and await inbox.find(house.db) == []


@pytest.mark.parametrize(
    ("hostile", "kept"),
    [
        ("\u202e\x00\x07name\u2028\ttail", "\u202e name tail"),
        (
            "x' OR Name != '${7*7}\\u0000 {{x}} %00 \U0001f4a5",
            "x' OR Name != '${7*7}\\u0000 {{x}} %00 \U0001f4a5",
        ),
    ],
)
async def test_hostile_text_is_sent_as_text_without_its_control_characters(
    build: Build, hostile: str, kept: str
) -> None:
    async with build(presets.text("opportunity")) as house:
        record_id = (await one(house, f"SELECT Id FROM Opportunity WHERE Name = '{SEATS}'"))["Id"]
        await house.salesforce("PATCH", f"/sobjects/Opportunity/{record_id}", {"Name": hostile})
        assert (await one(house, f"SELECT Name FROM Opportunity WHERE Id = '{record_id}'"))["Name"] == hostile
        result = await house.attempt(record_id)
        assert result.sync_status == "Completed", result.concatenated_results
        assert [each["name"] for each in await house.all("contracts")] == [kept]
        assert [run.status for run in await house.ended_runs(record_id)] == ["COMPLETE"]


@pytest.mark.parametrize("hostile", ["x'); DROP TABLE runs; --", "<script>alert(1)</script>"])
async def test_text_that_m3ters_firewall_refuses_fails_its_object_with_the_reason(
    build: Build, hostile: str
) -> None:
    async with build(presets.text("opportunity")) as house:
        record_id = (await one(house, f"SELECT Id FROM Opportunity WHERE Name = '{SEATS}'"))["Id"]
        await house.salesforce("PATCH", f"/sobjects/Opportunity/{record_id}", {"Name": hostile})
        result = await house.attempt(record_id)
        assert result.sync_status == "Partial Success"
        actions = {each.object_name: (each.action, each.message) for each in result.object_results}
        refusal = "m3ter refuses this write although the token is good: Forbidden"
        assert actions["Contract"] == ("failed", refusal)
        assert {kind: action for kind, (action, _) in actions.items() if kind != "Contract"} == {
            "Account": "created",
            "Commitment": "not attempted",
            "Plan": "created",
            "Pricing": "created",
            "AccountPlan": "not attempted",
        }
        assert result.instruction
        assert await house.all("contracts") == []
        assert [run.status for run in await house.ended_runs(record_id)] == ["ERROR"]
