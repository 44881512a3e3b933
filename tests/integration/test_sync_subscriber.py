"""Change events become inbox rows with their replay ids; a line's change leads to its parent."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from daemon import fingerprints
from daemon.to_m3ter import presets
from state import inbox
from state.database import Pool
from tests.acceptance import house as houses
from tests.acceptance.house import House, until
from tests.integration.listening import (
    LINES,
    OPPORTUNITIES,
    heard_of,
    line_of,
    listening,
    placed,
    positions,
    reported,
    rows,
    touch,
    windows,
)
from tests.sandboxes import LocalSandbox


@pytest.fixture
async def house(sandbox: LocalSandbox, db: Pool, database_url: str, tmp_path: Path) -> AsyncIterator[House]:
    async with houses.built(sandbox, db, database_url, tmp_path, presets.text("opportunity")) as built:
        yield built


async def test_many_changes_of_one_record_and_its_lines_become_one_row(house: House, deal: str) -> None:
    line_id = await line_of(house, deal)
    async with listening(house):
        for number in range(5):
            await touch(house, "Opportunity", deal, {"NextStep": f"step {number}"})
        new = await house.salesforce("POST", "/sobjects/OpportunityLineItem", await _line(house, deal))
        await until(lambda: heard_of(house, new["id"]))
        found = await inbox.find(house.db)
        assert [(row.object_name, row.record_id) for row in found] == [("Opportunity", deal)]
        await touch(house, "OpportunityLineItem", line_id, {"Quantity": 7})
        both = await until(rows(house, 2))
    assert {row.record_id for row in both} == {deal, line_id}, "its parent was never seen"


async def test_a_text_beyond_every_calendar_stops_no_event_after_it(house: House, deal: str) -> None:
    other = (await house.query(f"SELECT Id FROM Opportunity WHERE Id != '{deal}' LIMIT 1"))[0]
    async with listening(house):
        await touch(house, "Opportunity", deal, {"NextStep": "9999-12-31T23:59:59-08:00"})
        await touch(house, "Opportunity", other["Id"], {"NextStep": "next"})
        found = await until(rows(house, 2), seconds=20)
    assert {row.record_id for row in found} == {deal, other["Id"]}


async def test_a_fault_of_ours_in_comparing_one_event_stops_no_event(
    house: House, deal: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def faulty(object_name: str, payload: dict[str, Any]) -> dict[str, str | None]:
        if payload.get("NextStep") == "poison":
            raise ArithmeticError
        return of_event(object_name, payload)

    of_event = fingerprints.of_event
    monkeypatch.setattr(fingerprints, "of_event", faulty)
    other = (await house.query(f"SELECT Id FROM Opportunity WHERE Id != '{deal}' LIMIT 1"))[0]
    async with listening(house):
        await touch(house, "Opportunity", deal, {"NextStep": "poison"})
        await touch(house, "Opportunity", other["Id"], {"NextStep": "next"})
        found = await until(rows(house, 2), seconds=20)
    assert {row.record_id for row in found} == {deal, other["Id"]}


async def _line(house: House, opportunity_id: str) -> dict[str, Any]:
    entry = (await house.query("SELECT Id FROM PricebookEntry LIMIT 1"))[0]
    return {"OpportunityId": opportunity_id, "PricebookEntryId": entry["Id"], "Quantity": 1, "UnitPrice": 3}


async def test_a_line_deleted_after_it_was_synced_leads_to_its_parent(house: House, deal: str) -> None:
    line_id = await line_of(house, deal)
    assert (await house.attempt(deal)).success
    async with listening(house):
        await house.salesforce("DELETE", f"/sobjects/OpportunityLineItem/{line_id}")
        found = await until(rows(house, 1))
    assert [(row.object_name, row.record_id) for row in found] == [("Opportunity", deal)]


async def test_a_refused_channel_is_told_while_the_others_are_heard_and_it_is_asked_for_again(
    house: House, deal: str
) -> None:
    refusal = "403::User not allowed to subscribe CDC without View All Data permissions"
    await house.sandbox.salesforce_control.fault("refuse_subscription", channel=LINES, error=refusal, times=2)
    async with listening(house):
        assert {each.cause for each in await windows(house)} == {"first start"}
        await touch(house, "Opportunity", deal, {"NextStep": "heard"})
        await until(rows(house, 1))
        assert set(await positions(house)) == {OPPORTUNITIES, LINES}


async def test_an_outage_of_the_stream_is_told_and_ends(house: House, deal: str) -> None:
    async with listening(house):
        await placed(house)
        await house.sandbox.salesforce_control.fault("status", match={"path": "/cometd/*"}, status=503)
        await house.sandbox.salesforce_control.fault("drop_session")
        await until(lambda: reported(house, "stream:", is_well=False))
        await touch(house, "Opportunity", deal, {"NextStep": "during the outage"})
        await house.sandbox.salesforce_control.clear_faults()
        await until(lambda: reported(house, "stream:", is_well=True))
        await until(rows(house, 1))
