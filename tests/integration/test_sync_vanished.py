"""An entity that m3ter seems to have lost: one 404 is no proof, and a second create needs one."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from daemon.outcomes import SyncResult
from daemon.to_m3ter import presets
from state import runs
from state.database import Pool
from tests.acceptance import house as houses
from tests.acceptance.house import House
from tests.integration.test_sync_adoption import let_minutes_pass
from tests.sandboxes import LocalSandbox

KINDS = {
    "Account": "accounts",
    "Contract": "contracts",
    "Commitment": "commitments",
    "Plan": "plans",
    "Pricing": "pricings",
    "AccountPlan": "accountplans",
}


@pytest.fixture
async def house(sandbox: LocalSandbox, db: Pool, database_url: str, tmp_path: Path) -> AsyncIterator[House]:
    async with houses.built(sandbox, db, database_url, tmp_path, presets.text("opportunity")) as built:
        yield built


@pytest.fixture
async def synced(house: House, deal: str) -> str:
    """The id of an Opportunity that is in m3ter."""
    assert (await house.attempt(deal)).success
    await house.sandbox.m3ter_control.clear_journal()
    return deal


async def known(house: House) -> dict[str, str]:
    rows = await house.db.fetch("SELECT m3ter_entity, m3ter_id FROM external_mappings")
    return {row["m3ter_entity"]: row["m3ter_id"] for row in rows}


async def hide(house: House, collection: str, times: int | None, **more: Any) -> None:
    """Let m3ter answer 404 in its own words when one entity is read."""
    match = {"method": "GET", "path": rf"^.*/{collection}/[^/]+$"}
    body = {"message": "not found"}
    await house.sandbox.m3ter_control.fault("status", match=match, times=times, status=404, body=body, **more)


@pytest.mark.parametrize("kind", KINDS)
async def test_an_entity_that_m3ter_does_not_show_for_a_moment_is_never_made_again(
    house: House, synced: str, kind: str
) -> None:
    before, census = await known(house), await house.census()
    await let_minutes_pass(house)
    await hide(house, KINDS[kind], times=2)
    result = await house.attempt(synced)
    assert result.sync_status == "Failed"
    assert f"The {kind} {before[kind]} is not found in m3ter, and yet in its list" in result.message
    assert await house.writes() == []
    assert await known(house) == before
    await house.sandbox.m3ter_control.clear_faults()
    assert {each.action for each in (await house.attempt(synced)).object_results} == {"unchanged"}
    assert await house.census() == census


async def test_an_entity_just_made_is_waited_for_though_neither_read_nor_list_shows_it(
    house: House, synced: str
) -> None:
    before = await known(house)
    await hide(house, "commitments", times=None)
    empty: dict[str, Any] = {"data": [], "nextToken": None}
    match = {"method": "GET", "path": "*/commitments"}
    await house.sandbox.m3ter_control.fault("status", match=match, status=200, body=empty)
    assert "was just created and is not visible in m3ter yet" in (await house.attempt(synced)).message
    assert await house.writes() == []
    assert await known(house) == before
    await house.sandbox.m3ter_control.clear_faults()
    assert (await house.attempt(synced)).success


async def test_an_entity_that_is_gone_is_made_again_through_an_intent_and_the_run_names_the_old(
    house: House, synced: str
) -> None:
    before = await known(house)
    await house.m3ter("DELETE", f"/commitments/{before['Commitment']}")
    await let_minutes_pass(house)
    result = await house.attempt(synced)
    assert {each.object_name: each.action for each in result.object_results}["Commitment"] == "created"
    assert (await known(house))["Commitment"] not in ("", before["Commitment"])
    notes = await notes_of(house, synced)
    assert any(before["Commitment"] in note and "is gone from m3ter" in note for note in notes)
    done = await house.db.fetchval(
        "SELECT count(*) FROM intents WHERE m3ter_entity = 'Commitment' AND status = 'DONE'"
    )
    assert done == 2


async def test_what_is_known_of_a_vanished_entity_stays_until_another_is_in_its_place(
    house: House, synced: str
) -> None:
    before = await known(house)
    await house.m3ter("DELETE", f"/commitments/{before['Commitment']}")
    await let_minutes_pass(house)
    match = {"method": "POST", "path": "*/commitments"}
    await house.sandbox.m3ter_control.fault("reset_after", match=match, times=1)
    assert (await house.attempt(synced)).sync_status == "Failed"
    assert await known(house) == before
    done: SyncResult = await house.attempt(synced)
    assert {each.object_name: each.action for each in done.object_results}["Commitment"] == "adopted"
    assert (await known(house))["Commitment"] == (await house.all("commitments"))[0]["id"]
    assert (await house.census())["Commitment"] == 1


async def notes_of(house: House, record_id: str) -> list[str]:
    """The notes of its latest run."""
    run = (await house.ended_runs(record_id))[0]
    lines = (await runs.log(house.db, [run.run_id]))[run.run_id]
    return [str(line.detail["text"]) for line in lines if line.kind == "note"]
