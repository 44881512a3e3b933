"""A line's change that leads nowhere for now: Salesforce is asked why it does not show the line."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from daemon.to_m3ter import presets
from state import inbox, record_parents
from state.database import Pool
from state.models import Cause, InboxStatus, RunStatus
from tests.acceptance import house as houses
from tests.acceptance.house import House, until
from tests.integration.test_sync_moved_lines import opportunity
from tests.integration.test_sync_worker import TELEMETRY, ended, row_of, working
from tests.sandboxes import LocalSandbox

LINE = "OpportunityLineItem"
GONE = "00kS900000795MNIAY"


@pytest.fixture
async def house(sandbox: LocalSandbox, db: Pool, database_url: str, tmp_path: Path) -> AsyncIterator[House]:
    async with houses.built(sandbox, db, database_url, tmp_path, presets.text("opportunity")) as built:
        yield built


async def hear(house: House, line_id: str) -> None:
    await inbox.put(house.db, house.integration.integration_id, LINE, line_id, cause=Cause.CHANGE)


async def is_empty(house: House) -> bool:
    return not await inbox.find(house.db)


async def parents(house: House, line_id: str) -> dict[str, str]:
    return await record_parents.parents_of(house.db, house.integration.integration_id, [line_id])


async def answer_once(house: House, *records: dict[str, Any]) -> None:
    """Where a line is asked for the first time, Salesforce gives these records."""
    body = {"totalSize": len(records), "done": True, "records": records}
    match = {"path": "*/queryAll", "query": f"*FROM {LINE}*"}
    await house.sandbox.salesforce_control.fault("status", match=match, status=200, body=body, times=1)


async def test_a_line_hidden_from_the_integration_user_is_set_aside_until_it_is_shown(house: House) -> None:
    record_id, line_id = await opportunity(house, TELEMETRY)
    await house.sandbox.salesforce_control.call("POST", "org/hide", {"ids": [line_id]})
    await hear(house, line_id)
    async with working(house):
        await until(ended(house, line_id, RunStatus.ERROR))
    row = await row_of(house, line_id)
    assert row.status is InboxStatus.SET_ASIDE
    assert f"The {LINE} {line_id} cannot be read: insufficient access" in row.error
    assert "Give the integration user read access to it" in row.error
    await house.sandbox.salesforce_control.call("POST", "org/show", {"ids": [line_id]})
    await hear(house, line_id)
    async with working(house):
        await until(lambda: is_empty(house))
    assert await parents(house, line_id) == {line_id: record_id}


@pytest.mark.parametrize("is_deleted", [False, True])
async def test_a_line_that_is_not_shown_for_a_moment_is_asked_for_again(
    house: House, is_deleted: bool
) -> None:
    record_id, line_id = await opportunity(house, TELEMETRY)
    if is_deleted:
        await house.salesforce("DELETE", f"/sobjects/{LINE}/{line_id}")
    await answer_once(house)
    await hear(house, line_id)
    async with working(house):
        await until(lambda: is_empty(house))
    assert await parents(house, line_id) == {line_id: record_id}
    (run,) = await house.ended_runs(line_id)
    assert run.status is RunStatus.AWAITING_RETRY
    assert "was not found at first" in run.message


async def test_a_line_that_is_gone_for_good_leads_nowhere_and_is_no_issue(house: House) -> None:
    await hear(house, GONE)
    async with working(house):
        await until(lambda: is_empty(house))
    assert await house.ended_runs(GONE) == []


async def test_a_line_that_has_no_parent_leads_nowhere_and_is_no_issue(house: House) -> None:
    _, line_id = await opportunity(house, TELEMETRY)
    await answer_once(house, {"Id": line_id, "OpportunityId": None})
    await hear(house, line_id)
    async with working(house):
        await until(lambda: is_empty(house))
    assert await house.ended_runs(line_id) == []
    assert await parents(house, line_id) == {}
