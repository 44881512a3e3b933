"""Other flows than the plain agreement: accounts alone, orders, a criterion that fires once, hostile text."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest

from daemon.to_m3ter import presets
from state import inbox, record_states
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
            for fields, expected in changes:
                await house.salesforce("PATCH", f"/sobjects/Opportunity/{record_id}", fields)
                await until(lambda: _is_remembered(house, record_id, fields))  # noqa: B023  awaited at once
                assert len(await house.ended_runs(record_id)) == expected, fields


async def _is_remembered(house: House, record_id: str, fields: dict[str, Any]) -> bool:
    """The change was heard and looked at: its event is kept and the inbox is empty."""
    name = next(iter(fields))
    count = await house.db.fetchval(
        "SELECT count(*) FROM change_events WHERE record_id = $1 AND $2 = ANY(changed_fields)",
        record_id,
        name,
    )
    wanted = {"NextStep": 1, "StageName": 1}[name]
    return count >= wanted and await _is_settled(house, record_id)


async def _is_settled(house: House, record_id: str) -> bool:
    record = await one(house, f"SELECT StageName FROM Opportunity WHERE Id = '{record_id}'")
    state = await record_states.get(house.db, house.integration.integration_id, record_id)
    is_won = record["StageName"] == "Closed Won"
    return await inbox.find(house.db) == [] and state is not None and state.criterion_held is is_won


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
    ("field", "value"),
    [
        ("Name", "x'); DROP TABLE runs; --"),
        ("Name", "\u202e\u0000name\u2028"),
        ("NextStep", "<script>alert(1)</script>"),
    ],
)
async def test_hostile_text_ends_in_m3ter_or_in_a_clear_refusal(build: Build, field: str, value: str) -> None:
    async with build(presets.text("opportunity")) as house:
        record_id = (await one(house, f"SELECT Id FROM Opportunity WHERE Name = '{SEATS}'"))["Id"]
        await house.salesforce(
            "PATCH", f"/sobjects/Opportunity/{record_id}", {field: value.replace("\x00", "")}
        )
        result = await house.attempt(record_id)
        assert result.sync_status in ("Completed", "Partial Success"), result.message
        assert all(each.message for each in result.object_results)
        assert len(await house.ended_runs(record_id)) == 1
