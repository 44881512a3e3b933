"""Change events become inbox rows with their replay ids; what cannot be heard is told, never passed over."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from daemon.to_m3ter import presets
from state import checkpoints, inbox
from state.checkpoints import Step
from state.database import Pool, transaction
from tests.acceptance import house as houses
from tests.acceptance.house import House, until
from tests.integration.listening import (
    LINES,
    OPPORTUNITIES,
    heard_of,
    listening,
    positions,
    reader,
    reported,
    rows,
    touch,
)
from tests.sandboxes import LocalSandbox


@pytest.fixture
async def house(sandbox: LocalSandbox, db: Pool, database_url: str, tmp_path: Path) -> AsyncIterator[House]:
    async with houses.built(sandbox, db, database_url, tmp_path, presets.text("opportunity")) as built:
        yield built


@pytest.fixture
async def opportunity(house: House) -> dict[str, Any]:
    fields = "Id, (SELECT Id FROM OpportunityLineItems)"
    return (
        await house.query(f"SELECT {fields} FROM Opportunity WHERE Name = 'Quillmark - editorial seats'")
    )[0]


async def test_many_changes_of_one_record_and_its_lines_become_one_row(
    house: House, opportunity: dict[str, Any]
) -> None:
    line_id = opportunity["OpportunityLineItems"]["records"][0]["Id"]
    async with listening(house):
        for number in range(5):
            await touch(house, "Opportunity", opportunity["Id"], {"NextStep": f"step {number}"})
        new = await house.salesforce(
            "POST", "/sobjects/OpportunityLineItem", await _line(house, opportunity["Id"])
        )
        await until(lambda: heard_of(house, new["id"]))
        found = await inbox.find(house.db)
        assert [(row.object_name, row.record_id) for row in found] == [("Opportunity", opportunity["Id"])]
        await touch(house, "OpportunityLineItem", line_id, {"Quantity": 7})
        both = await until(rows(house, 2))
    assert {row.record_id for row in both} == {opportunity["Id"], line_id}, "its parent was never seen"


async def _line(house: House, opportunity_id: str) -> dict[str, Any]:
    entry = (await house.query("SELECT Id FROM PricebookEntry LIMIT 1"))[0]
    return {"OpportunityId": opportunity_id, "PricebookEntryId": entry["Id"], "Quantity": 1, "UnitPrice": 3}


async def test_a_line_deleted_after_it_was_synced_leads_to_its_parent(
    house: House, opportunity: dict[str, Any]
) -> None:
    line_id = opportunity["OpportunityLineItems"]["records"][0]["Id"]
    assert (await house.attempt(opportunity["Id"])).success
    async with listening(house):
        await house.salesforce("DELETE", f"/sobjects/OpportunityLineItem/{line_id}")
        found = await until(rows(house, 1))
    assert [(row.object_name, row.record_id) for row in found] == [("Opportunity", opportunity["Id"])]


async def test_a_refused_replay_id_starts_over_with_all_that_is_retained_and_is_told(
    house: House, opportunity: dict[str, Any]
) -> None:
    async with listening(house):
        await touch(house, "Opportunity", opportunity["Id"], {"NextStep": "heard"})
        await until(rows(house, 1))
    async with transaction(house.db) as tx:
        await checkpoints.advance(tx, reader(house), {OPPORTUNITIES: Step("99999999")})
        await tx.execute("DELETE FROM inbox; DELETE FROM change_events; DELETE FROM health")
    async with listening(house):
        window = await until(lambda: reported(house, "window:", is_well=False))
        await until(rows(house, 1))
    assert window.subject == f"window:agreements:{OPPORTUNITIES}"
    assert "The replayId {99999999}" in window.message or "99999999" in window.message
    assert window.instruction
    assert (await positions(house))[OPPORTUNITIES].replay_id not in ("99999999", "-2")


OVERFLOW = {
    "ChangeEventHeader": {
        "entityName": "Opportunity",
        "recordIds": [],
        "changeType": "GAP_OVERFLOW",
        "transactionKey": "0Mc000000000001",
    }
}


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        ("overflow", {"object": "Opportunity"}),
        ("publish", {"channel": OPPORTUNITIES, "payload": OVERFLOW}),
        ("publish", {"channel": OPPORTUNITIES, "payload": {"ChangeEventHeader": "not a header"}}),
        ("gap", {"object": "Opportunity", "record_ids": ["006*"]}),
    ],
)
async def test_an_event_that_names_no_record_is_told_and_passed(
    house: House, opportunity: dict[str, Any], kind: str, more: dict[str, Any]
) -> None:
    async with listening(house):
        await house.sandbox.salesforce_control.fault(kind, **more)
        window = await until(lambda: reported(house, "window:", is_well=False))
        await touch(house, "Opportunity", opportunity["Id"], {"NextStep": "heard all the same"})
        found = await until(rows(house, 1))
    assert window.subject == f"window:agreements:{OPPORTUNITIES}"
    assert [row.record_id for row in found] == [opportunity["Id"]]


async def test_a_gap_event_leads_to_its_records(house: House, opportunity: dict[str, Any]) -> None:
    async with listening(house):
        await house.sandbox.salesforce_control.fault(
            "gap", object="Opportunity", record_ids=[opportunity["Id"]]
        )
        found = await until(rows(house, 1))
    assert [row.record_id for row in found] == [opportunity["Id"]]


async def test_a_refused_channel_is_told_while_the_others_are_heard_and_it_is_asked_for_again(
    house: House, opportunity: dict[str, Any]
) -> None:
    refusal = "403::User not allowed to subscribe CDC without View All Data permissions"
    await house.sandbox.salesforce_control.fault("refuse_subscription", channel=LINES, error=refusal, times=2)
    async with listening(house):
        assert await reported(house, "window:", is_well=False) is None
        await touch(house, "Opportunity", opportunity["Id"], {"NextStep": "heard"})
        await until(rows(house, 1))
        assert set(await positions(house)) == {OPPORTUNITIES, LINES}


async def test_an_outage_of_the_stream_is_told_and_ends(house: House, opportunity: dict[str, Any]) -> None:
    async with listening(house):
        await house.sandbox.salesforce_control.fault("status", match={"path": "/cometd/*"}, status=503)
        await house.sandbox.salesforce_control.fault("drop_session")
        await until(lambda: reported(house, "stream:", is_well=False))
        await touch(house, "Opportunity", opportunity["Id"], {"NextStep": "during the outage"})
        await house.sandbox.salesforce_control.clear_faults()
        await until(lambda: reported(house, "stream:", is_well=True))
        await until(rows(house, 1))
