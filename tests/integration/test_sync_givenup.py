"""Records that bring nothing but trouble: they are set aside, told once, and others go on."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from connectors.salesforce.models import Record
from daemon.to_m3ter import graph, presets
from state import inbox, insights
from state.database import Pool
from state.models import Cause, InboxStatus, RunStatus
from tests.acceptance import house as houses
from tests.acceptance.house import House, until
from tests.integration.test_sync_worker import FIRM, SEATS, TELEMETRY, ended, row_of, working
from tests.sandboxes import LocalSandbox

ENOUGH = FIRM.policy.max_attempts + 1


@pytest.fixture
async def house(sandbox: LocalSandbox, db: Pool, database_url: str, tmp_path: Path) -> AsyncIterator[House]:
    async with houses.built(sandbox, db, database_url, tmp_path, presets.text("opportunity")) as built:
        yield built


async def hear(house: House, object_name: str, record_id: str) -> None:
    integration_id = house.integration.integration_id
    await inbox.put(house.db, integration_id, object_name, record_id, cause=Cause.MANUAL)


async def id_of(house: House, name: str) -> str:
    return str((await house.query(f"SELECT Id FROM Opportunity WHERE Name = '{name}'"))[0]["Id"])


async def die_with(house: House, record_id: str, times: int) -> None:
    """A process takes the record up, dies, and its lease runs out; so many times."""
    ids = [house.integration.integration_id]
    for _ in range(times):
        claim = await inbox.claim(house.db, worker="died", lease=timedelta(seconds=60), integration_ids=ids)
        assert claim is not None
        assert claim.record_id == record_id
        await house.db.execute("UPDATE inbox SET lease_until = now() WHERE status = 'CLAIMED'")
        await house.db.execute("UPDATE leases SET lease_until = now()")


async def test_a_record_that_kills_the_process_is_set_aside_and_others_go_on(house: House) -> None:
    deadly, good = await id_of(house, SEATS), await id_of(house, TELEMETRY)
    await hear(house, "Opportunity", deadly)
    await die_with(house, deadly, ENOUGH)
    await hear(house, "Opportunity", good)
    async with working(house):
        await until(ended(house, deadly, RunStatus.ERROR))
        await until(ended(house, good, RunStatus.COMPLETE))
    row = await row_of(house, deadly)
    assert row.status is InboxStatus.SET_ASIDE
    assert f"ended {ENOUGH} times while Opportunity {deadly} was in hand" in row.error
    run = (await house.ended_runs(deadly))[0]
    assert run.sync_status == "Failed"
    assert run.instruction
    assert (await house.census())["Contract"] == 1
    await inbox.put(house.db, row.integration_id, row.object_name, deadly, cause=Cause.MANUAL)
    async with working(house):
        await until(ended(house, deadly, RunStatus.COMPLETE))


async def test_a_record_that_was_only_interrupted_some_times_is_synced(house: House) -> None:
    record_id = await id_of(house, SEATS)
    await hear(house, "Opportunity", record_id)
    await die_with(house, record_id, ENOUGH - 1)
    async with working(house):
        await until(ended(house, record_id, RunStatus.COMPLETE))
    assert await row_of(house, record_id) is None


async def issues(house: House) -> list[Any]:
    return [each for each in (await insights.statuses(house.db))[0].issues if each.subject.startswith("00k")]


async def test_a_line_whose_parent_cannot_be_asked_for_is_an_issue_until_it_can(house: House) -> None:
    record_id = await id_of(house, SEATS)
    query = f"SELECT Id FROM OpportunityLineItem WHERE OpportunityId = '{record_id}'"
    line_id = (await house.query(query))[0]["Id"]
    await hear(house, "OpportunityLineItem", line_id)
    body = [{"errorCode": "INVALID_FIELD", "message": "No such column 'OpportunityId'"}]
    match = {"method": "GET", "path": "*/query*"}
    await house.sandbox.salesforce_control.fault("status", match=match, status=400, body=body, times=1)
    async with working(house):
        await until(ended(house, line_id, RunStatus.ERROR))
    assert (await row_of(house, line_id)).status is InboxStatus.SET_ASIDE
    assert [(each.subject, each.kind) for each in await issues(house)] == [(line_id, "set aside")]
    await hear(house, "OpportunityLineItem", line_id)
    async with working(house):
        await until(ended(house, record_id, RunStatus.COMPLETE))
    assert await issues(house) == []
    assert await house.db.fetchval("SELECT count(*) FROM record_states WHERE record_id = $1", line_id) == 0


async def test_a_record_over_which_m3sync_itself_fails_keeps_whose_fault_it_is(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails(*_: object) -> Record:
        raise KeyError("Amount")

    monkeypatch.setattr(graph, "read", fails)
    record_id = await id_of(house, SEATS)
    await hear(house, "Opportunity", record_id)
    async with working(house):
        await until(ended(house, record_id, RunStatus.ERROR))
    row = await row_of(house, record_id)
    assert row.status is InboxStatus.SET_ASIDE
    assert row.error == "This is a fault of m3sync, KeyError: 'Amount'"
