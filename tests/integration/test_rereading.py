"""Windows are read again page by page: all of them, once, from where a dead reader left off."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from connectors.salesforce.models import to_id18
from daemon.to_m3ter import presets
from state import inbox
from state.database import Pool
from state.models import Cause
from state.rereads import PRIORITIES, RereadCause
from tests.acceptance import house as houses
from tests.acceptance.house import House, until
from tests.integration.rereaders import HASTY, opened, pages, read, rereading, waiting, window
from tests.sandboxes import LocalSandbox

SMALL = replace(HASTY, page_size=3)


@pytest.fixture
async def house(sandbox: LocalSandbox, db: Pool, database_url: str, tmp_path: Path) -> AsyncIterator[House]:
    async with houses.built(sandbox, db, database_url, tmp_path, presets.text("opportunity")) as built:
        yield built


@pytest.fixture
async def opportunities(house: House) -> list[dict[str, Any]]:
    return await house.query("SELECT Id, SystemModstamp FROM Opportunity ORDER BY SystemModstamp, Id")


async def test_every_record_of_the_window_goes_into_the_inbox_behind_live_changes(
    house: House, opportunities: list[dict[str, Any]]
) -> None:
    await opened(house, window())
    async with rereading(house, SMALL):
        (story,) = await read(house)
    assert await waiting(house) == {each["Id"] for each in opportunities}
    assert (story.records_read, story.records_put, story.total) == (len(opportunities),) * 3
    rows = await inbox.find(house.db)
    assert {row.priority for row in rows} == {PRIORITIES[Cause.REREAD]}
    assert {row.reread_id for row in rows} == {story.reread_id}


async def test_only_the_window_is_read(house: House, opportunities: list[dict[str, Any]]) -> None:
    for each in opportunities[:3]:
        await house.sandbox.salesforce_control.advance_clock(3600)
        await house.salesforce("PATCH", f"/sobjects/Opportunity/{each['Id']}", {"NextStep": "later"})
    stamps = await house.query("SELECT Id, SystemModstamp FROM Opportunity WHERE NextStep = 'later'")
    first, second, third = sorted(stamps, key=lambda each: str(each["SystemModstamp"]))
    bounds = [datetime.fromisoformat(each["SystemModstamp"]) for each in (first, second)]
    await opened(house, window(from_at=bounds[0], until_at=bounds[1]))
    async with rereading(house):
        (story,) = await read(house)
    assert story.records_read == 2
    assert await waiting(house) == {first["Id"], second["Id"]}, f"{third['Id']} was changed later"


async def test_records_of_one_moment_are_told_apart_by_their_ids(house: House, sandbox: LocalSandbox) -> None:
    ids = sandbox.running.org.load(
        "Opportunity",
        ({"Name": f"Tie {n}", "StageName": "Closed Won", "CloseDate": "2026-01-01"} for n in range(5_000)),
    )
    org = sandbox.running.org
    assert len({org.table("Opportunity").rows[each]["SystemModstamp"] for each in ids}) == 1
    await opened(house, window())
    async with rereading(house, replace(HASTY, page_size=700)):
        (story,) = await read(house)
    assert set(ids) <= await waiting(house)
    assert story.records_read == story.records_put == story.total


async def test_a_line_leads_to_the_parent_that_it_names_and_to_the_one_it_had(house: House) -> None:
    line = (await house.query("SELECT Id, OpportunityId FROM OpportunityLineItem LIMIT 1"))[0]
    other = await house.query(f"SELECT Id FROM Opportunity WHERE Id != '{line['OpportunityId']}' LIMIT 1")
    statement = "INSERT INTO record_parents (integration_id, record_id, parent_id) VALUES ($1, $2, $3)"
    await house.db.execute(statement, house.integration.integration_id, line["Id"], other[0]["Id"])
    await opened(house, window("OpportunityLineItem"))
    async with rereading(house, SMALL):
        await read(house)
    assert {line["OpportunityId"], other[0]["Id"]} <= await waiting(house)
    assert not await waiting(house, "OpportunityLineItem")


async def test_what_is_in_the_recycle_bin_is_read_too(
    house: House, opportunities: list[dict[str, Any]]
) -> None:
    gone = opportunities[0]["Id"]
    await house.salesforce("DELETE", f"/sobjects/Opportunity/{gone}")
    await opened(house, window())
    async with rereading(house):
        await read(house)
    assert gone in await waiting(house)


async def test_what_is_deleted_for_good_is_found_by_what_is_known(
    house: House, opportunities: list[dict[str, Any]]
) -> None:
    parent, line = opportunities[0]["Id"], to_id18("00kS90000999999")
    await _known(house, *(each["Id"] for each in opportunities))
    statement = "INSERT INTO record_parents (integration_id, record_id, parent_id) VALUES ($1, $2, $3)"
    await house.db.execute(statement, house.integration.integration_id, line, opportunities[1]["Id"])
    await _known(house, to_id18("801S90000999999"))  # of a field mapping that was about Orders once
    await house.salesforce("DELETE", f"/sobjects/Opportunity/{parent}")
    await house.sandbox.salesforce_control.call("POST", "org/empty-bin", {"ids": [parent]})
    now = datetime.fromisoformat(opportunities[-1]["SystemModstamp"]) + timedelta(days=1)
    some: dict[str, Any] = {"from_at": now, "until_at": now, "checks_missing": True}
    await opened(house, window(**some), window("OpportunityLineItem", **some))
    async with rereading(house):
        await read(house)
    assert await waiting(house) == {parent, opportunities[1]["Id"]}


async def _known(house: House, *ids: str) -> None:
    statement = "INSERT INTO record_states (integration_id, record_id, criterion_held) VALUES ($1, $2, true)"
    await house.db.executemany(statement, [(house.integration.integration_id, each) for each in ids])


async def test_the_first_look_at_everything_spends_no_sync_on_what_was_never_wanted(
    house: House,
) -> None:
    stages = await house.query("SELECT Id, StageName FROM Opportunity")
    won = {each["Id"] for each in stages if each["StageName"] == "Closed Won"}
    known, bare = [each["Id"] for each in stages if each["StageName"] != "Closed Won"][:2]
    await _known(house, known)
    await opened(house, window(cause=RereadCause.INITIAL, from_at=None))
    async with rereading(house, SMALL):
        (story,) = await read(house)
    assert await waiting(house) == won | {known}, f"{bare} was not to be synced"
    assert story.records_read == len(stages)
    assert {row.priority for row in await inbox.find(house.db)} == {PRIORITIES[Cause.INITIAL]}


async def test_a_record_changed_while_it_is_read_is_not_passed_over(
    house: House, opportunities: list[dict[str, Any]]
) -> None:
    """It moves behind the cursor, and is met there: the window ends a minute after it was begun."""
    control = house.sandbox.salesforce_control
    await control.fault("hang_before", match={"path": "*/queryAll"}, skip=3, times=1)
    await opened(house, window())
    async with rereading(house, SMALL):
        await until(lambda: _holds(house))
        await house.salesforce(
            "PATCH", f"/sobjects/Opportunity/{opportunities[0]['Id']}", {"NextStep": "now"}
        )
        await house.salesforce(
            "PATCH", f"/sobjects/Opportunity/{opportunities[-1]['Id']}", {"NextStep": "now"}
        )
        await control.clear_faults()
        await read(house)
    assert await waiting(house) == {each["Id"] for each in opportunities}


async def _holds(house: House) -> bool:
    return any(each["holding"] for each in await house.sandbox.salesforce_control.faults())


async def test_a_look_up_asks_for_the_records_that_are_known_and_for_no_changes(house: House) -> None:
    soql = "SELECT Id FROM Opportunity WHERE IsWon = false"
    gone, there = [each["Id"] for each in (await house.query(soql))[:2]]
    await _known(house, gone, there)
    await house.salesforce("DELETE", f"/sobjects/Opportunity/{gone}")
    await house.sandbox.salesforce_control.call("POST", "org/empty-bin", {"ids": [gone]})
    await house.sandbox.salesforce_control.clear_journal()
    await opened(house, window(cause=RereadCause.LOOK_UP, checks_missing=True))
    async with rereading(house):
        [found] = await read(house)
    assert (found.records_read, found.records_put) == (0, 1)
    assert await waiting(house) == {gone}
    assert await pages(house) == []
