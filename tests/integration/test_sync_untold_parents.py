"""Events that do not tell where a line is now: Salesforce is asked, once for many of them."""

from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import unquote_plus

import pytest

from daemon.to_m3ter import presets
from state import inbox, record_parents
from state.database import Pool
from tests.acceptance import house as houses
from tests.acceptance.house import House, until
from tests.integration.listening import heard_of, listening, placed
from tests.integration.test_sync_moved_lines import moved, opportunity
from tests.integration.test_sync_worker import SEATS, TELEMETRY, working
from tests.sandboxes import LocalSandbox

LINE = "OpportunityLineItem"
GONE = "00kS900000795MNIAY"


@pytest.fixture
async def house(sandbox: LocalSandbox, db: Pool, database_url: str, tmp_path: Path) -> AsyncIterator[House]:
    async with houses.built(sandbox, db, database_url, tmp_path, presets.text("opportunity")) as built:
        yield built


async def told(house: House, change_type: str, *line_ids: str) -> set[tuple[str, str]]:
    """What the inbox has of a gap event of these lines."""
    async with listening(house):
        await placed(house)
        await house.sandbox.salesforce_control.clear_journal()
        gap = {"object": LINE, "change_type": change_type, "record_ids": line_ids}
        await house.sandbox.salesforce_control.fault("gap", **gap)
        await until(lambda: heard_of(house, line_ids[-1]))
        return {(row.object_name, row.record_id) for row in await inbox.find(house.db)}


async def questions(house: House) -> list[str]:
    """The queries about lines since the gap event."""
    paths = [unquote_plus(str(call)) for call in await house.sandbox.salesforce_control.journal()]
    return [path for path in paths if f"FROM {LINE} " in path]


async def test_a_moved_line_told_by_a_gap_leads_to_its_former_and_its_new_parent(house: House) -> None:
    (now, line_id), (former, _) = await opportunity(house, TELEMETRY), await opportunity(house, SEATS)
    await moved(house, line_id, former)
    assert await told(house, "GAP_UPDATE", line_id) == {("Opportunity", former), ("Opportunity", now)}
    assert await _is_remembered(house, line_id, now)


async def test_many_lines_told_by_a_gap_that_did_not_move_lead_to_their_parents_by_one_question(
    house: House,
) -> None:
    lines = await house.query(f"SELECT Id, OpportunityId FROM {LINE}")
    for line in lines:
        await moved(house, line["Id"], line["OpportunityId"])
    found = await told(house, "GAP_UPDATE", *(line["Id"] for line in lines))
    assert found == {("Opportunity", line["OpportunityId"]) for line in lines}
    assert len(lines) > len(found) > 1
    assert len(await questions(house)) == 1


@pytest.mark.parametrize("is_purged", [False, True])
async def test_a_deleted_line_told_by_a_gap_leads_to_the_parent_it_was_seen_with(
    house: House, is_purged: bool
) -> None:
    record_id, line_id = await opportunity(house, TELEMETRY)
    gone = GONE if is_purged else line_id
    await moved(house, gone, record_id)
    if not is_purged:
        await house.salesforce("DELETE", f"/sobjects/{LINE}/{gone}")
    assert await told(house, "GAP_DELETE", gone) == {("Opportunity", record_id)}


async def test_a_line_of_which_salesforce_does_not_answer_goes_in_itself_and_is_asked_for_later(
    house: House,
) -> None:
    (now, line_id), (former, _) = await opportunity(house, TELEMETRY), await opportunity(house, SEATS)
    await moved(house, line_id, former)
    refused = {"status": 400, "body": [{"errorCode": "INVALID_FIELD", "message": "No such column"}]}
    match = {"path": "*/queryAll", "query": f"*FROM {LINE}*"}
    await house.sandbox.salesforce_control.fault("status", match=match, **refused)
    assert await told(house, "GAP_UPDATE", line_id) == {("Opportunity", former), (LINE, line_id)}
    await house.sandbox.salesforce_control.clear_faults()
    async with working(house):
        await until(lambda: _is_remembered(house, line_id, now))
        await until(lambda: _is_empty(house))


async def _is_remembered(house: House, line_id: str, parent_id: str) -> bool:
    found = await record_parents.parents_of(house.db, house.integration.integration_id, [line_id])
    return found == {line_id: parent_id}


async def _is_empty(house: House) -> bool:
    return not await inbox.find(house.db)
