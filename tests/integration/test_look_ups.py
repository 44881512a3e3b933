"""A look-up asks for what should be there, not for records of another org nor for those known to be gone."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from daemon.to_m3ter import presets
from state import database, record_parents, record_states
from state.database import Pool
from state.models import RecordState
from state.rereads import RereadStory
from tests.acceptance import house as houses
from tests.acceptance.house import House, daemon, until
from tests.integration.rereaders import opened, stories, window
from tests.integration.state_rows import ORG, new_integration, record_id
from tests.sandboxes import LocalSandbox

OTHER_ORG = "00D000000000009EAA"


@pytest.fixture
async def agreements(db: Pool) -> UUID:
    return (await new_integration(db)).integration_id


async def looked_at(
    db: Pool, integration_id: UUID, number: int, org_id: str, *, is_gone: bool = False
) -> None:
    state = RecordState(integration_id, record_id(number), True, org_id=org_id, is_gone=is_gone)
    async with database.transaction(db) as tx:
        await record_states.put(tx, state)


async def remembered(db: Pool, integration_id: UUID, line: int, parent: int) -> None:
    async with database.transaction(db) as tx:
        await record_parents.remember(tx, integration_id, [(record_id(line, "00k"), record_id(parent))])


async def test_records_of_another_org_and_those_that_are_gone_are_not_asked_for(
    db: Pool, agreements: UUID
) -> None:
    for number, org_id in ((1, ORG), (2, OTHER_ORG), (3, "")):
        await looked_at(db, agreements, number, org_id)
        await remembered(db, agreements, number, number)
    await looked_at(db, agreements, 4, ORG, is_gone=True)
    assert await record_states.ids_after(db, agreements, ORG, "", 9) == [record_id(1), record_id(3)]
    lines = [record_id(number, "00k") for number in (1, 3)]
    assert await record_parents.ids_after(db, agreements, ORG, "", 9) == lines
    await looked_at(db, agreements, 4, "")  # it is back, and nothing is said of its org
    assert await record_states.ids_after(db, agreements, ORG, record_id(3), 9) == [record_id(4)]
    assert await record_states.ids_after(db, agreements, OTHER_ORG, record_id(3), 9) == []


async def test_a_line_without_which_its_parent_was_synced_is_not_asked_for(
    db: Pool, agreements: UUID
) -> None:
    await remembered(db, agreements, 1, 1)
    await looked_at(db, agreements, 1, ORG)
    assert await record_parents.ids_after(db, agreements, ORG, "", 9) == []
    await remembered(db, agreements, 1, 1)
    assert await record_parents.ids_after(db, agreements, ORG, "", 9) == [record_id(1, "00k")]


@pytest.fixture
async def house(sandbox: LocalSandbox, db: Pool, database_url: str, tmp_path: Path) -> AsyncIterator[House]:
    async with houses.built(sandbox, db, database_url, tmp_path, presets.text("opportunity")) as built:
        yield built


async def test_what_was_dealt_with_is_not_found_gone_again_by_every_look_up(house: House) -> None:
    soql = "SELECT Id, (SELECT Id FROM OpportunityLineItems) FROM Opportunity WHERE IsWon = {}"
    won = next(each for each in await house.query(soql.format("true")) if each["OpportunityLineItems"])
    line = won["OpportunityLineItems"]["records"][0]["Id"]
    never_won = (await house.query(soql.format("false")))[0]["Id"]
    async with daemon(house):
        for each in (won["Id"], never_won):
            await house.salesforce("PATCH", f"/sobjects/Opportunity/{each}", {"NextStep": "look"})
            await until(partial(settled, house, each))
        for name, each in (("OpportunityLineItem", line), ("Opportunity", never_won)):
            await house.salesforce("DELETE", f"/sobjects/{name}/{each}")
        await until(lambda: house.db.fetchval("SELECT count(*) FROM record_states WHERE is_gone"))
        await until(partial(settled, house, won["Id"]))
        gone = {"ids": [line, never_won]}
        await house.sandbox.salesforce_control.call("POST", "org/empty-bin", gone)
        await house.db.execute("DELETE FROM rereads")
        now = datetime.now(UTC)
        some: dict[str, Any] = {"from_at": now, "until_at": now, "checks_missing": True}
        await opened(house, window(**some), window("OpportunityLineItem", **some))
        found = await until(lambda: done(house))
    assert [each.records_put for each in found] == [0, 0]


async def settled(house: House, record: str) -> bool:
    """Synced, with all that was heard of it."""
    known = await record_states.get(house.db, house.integration.integration_id, record)
    waiting = await house.db.fetchval("SELECT count(*) FROM inbox")
    heard = await house.db.fetchval("SELECT count(*) FROM change_events")
    return known is not None and not waiting and heard > 0


async def done(house: House) -> list[RereadStory]:
    found = await stories(house)
    return found if len(found) == 2 and not any(each.is_open for each in found) else []
