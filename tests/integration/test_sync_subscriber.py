"""Change events become inbox rows with their replay ids; what cannot be heard is told, never passed over."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from connectors.salesforce.outages import Pace
from daemon.to_m3ter import presets
from daemon.to_m3ter.links import Links
from daemon.to_m3ter.subscriber import Timings
from daemon.to_m3ter.tasks import Tasks
from state import checkpoints, health, inbox, vault
from state.database import Pool, transaction
from state.models import Health, InboxRow
from tests.acceptance import house as houses
from tests.acceptance.house import House, until
from tests.sandboxes import LocalSandbox

OPPORTUNITIES, LINES = "/data/OpportunityChangeEvent", "/data/OpportunityLineItemChangeEvent"
SOON = timedelta(milliseconds=50)
HASTY = replace(
    houses.IMPATIENT,
    listening=Timings(houses.IMPATIENT.policy, Pace(first=SOON, longest=SOON), refused=SOON * 10),
)


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


@asynccontextmanager
async def listening(house: House) -> AsyncIterator[None]:
    """The subscriber alone: what it puts into the inbox stays there."""
    kept = vault.load_or_create_key(house.settings.vault_key_path)
    stop = asyncio.Event()
    async with Links(house.db, kept, houses.HURRIED) as links, asyncio.TaskGroup() as group:
        wanted = await Tasks(house.db, links, HASTY).wanted()
        subscriber = next(task for task in wanted if task.name.startswith("stream:"))
        group.create_task(subscriber.run(stop))
        try:
            await until(lambda: reported(house, "stream:salesforce", is_well=True))
            yield
        finally:
            stop.set()


async def reported(house: House, subject: str, *, is_well: bool) -> Health | None:
    found = [each for each in await health.all(house.db) if each.subject.startswith(subject)]
    return next((each for each in found if each.is_well is is_well), None)


def rows(house: House, count: int) -> Callable[[], Awaitable[list[InboxRow]]]:
    async def enough() -> list[InboxRow]:
        found = await inbox.find(house.db)
        return found if len(found) >= count else []

    return enough


async def touch(house: House, object_name: str, record_id: str, fields: dict[str, Any]) -> None:
    await house.salesforce("PATCH", f"/sobjects/{object_name}/{record_id}", fields)


async def positions(house: House) -> dict[str, str]:
    return await checkpoints.get(
        house.db, house.sandbox.salesforce["org_id"], "cometd", [OPPORTUNITIES, LINES]
    )


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
        await until(lambda: _heard_of(house, new["id"]))
        found = await inbox.find(house.db)
        assert [(row.object_name, row.record_id) for row in found] == [("Opportunity", opportunity["Id"])]
        await touch(house, "OpportunityLineItem", line_id, {"Quantity": 7})
        both = await until(rows(house, 2))
    assert {row.record_id for row in both} == {opportunity["Id"], line_id}, "its parent was never seen"


async def _line(house: House, opportunity_id: str) -> dict[str, Any]:
    entry = (await house.query("SELECT Id FROM PricebookEntry LIMIT 1"))[0]
    return {"OpportunityId": opportunity_id, "PricebookEntryId": entry["Id"], "Quantity": 1, "UnitPrice": 3}


async def _heard_of(house: House, record_id: str) -> bool:
    return bool(await house.db.fetchval("SELECT count(*) FROM change_events WHERE record_id = $1", record_id))


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
        org_id = house.sandbox.salesforce["org_id"]
        await checkpoints.advance(tx, org_id, "cometd", {OPPORTUNITIES: "99999999"})
        await tx.execute("DELETE FROM inbox; DELETE FROM change_events; DELETE FROM health")
    async with listening(house):
        window = await until(lambda: reported(house, "window:", is_well=False))
        await until(rows(house, 1))
    assert window.subject == f"window:salesforce:{OPPORTUNITIES}"
    assert "The replayId {99999999}" in window.message or "99999999" in window.message
    assert window.instruction
    assert (await positions(house))[OPPORTUNITIES] not in ("99999999", "-2")


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        ("overflow", {"object": "Opportunity"}),
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
    assert window.subject == f"window:salesforce:{OPPORTUNITIES}"
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


async def test_a_channel_that_never_had_an_event_misses_nothing_across_a_restart(
    house: House, opportunity: dict[str, Any]
) -> None:
    async with listening(house):
        pass
    await touch(house, "Opportunity", opportunity["Id"], {"NextStep": "while nobody listened"})
    async with listening(house):
        found = await until(rows(house, 1))
    assert opportunity["Id"] in {row.record_id for row in found}


async def test_an_outage_of_the_stream_is_told_and_ends(house: House, opportunity: dict[str, Any]) -> None:
    async with listening(house):
        await house.sandbox.salesforce_control.fault("status", match={"path": "/cometd/*"}, status=503)
        await house.sandbox.salesforce_control.fault("drop_session")
        await until(lambda: reported(house, "stream:", is_well=False))
        await touch(house, "Opportunity", opportunity["Id"], {"NextStep": "during the outage"})
        await house.sandbox.salesforce_control.clear_faults()
        await until(lambda: reported(house, "stream:", is_well=True))
        await until(rows(house, 1))
