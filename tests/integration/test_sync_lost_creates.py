"""A create whose answer was lost stays in mind until it is found, whatever comes between."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from daemon.outcomes import SyncResult
from daemon.to_m3ter import presets
from state import intents
from state.database import Pool
from state.models import IntentStatus
from tests.acceptance import house as houses
from tests.acceptance.house import House
from tests.sandboxes import LocalSandbox

CREATES = {"method": "POST", "path": "*/commitments"}
LISTS = {"method": "GET", "path": "*/commitments"}
EMPTY: dict[str, Any] = {"data": [], "nextToken": None}


@pytest.fixture
async def house(sandbox: LocalSandbox, db: Pool, database_url: str, tmp_path: Path) -> AsyncIterator[House]:
    async with houses.built(sandbox, db, database_url, tmp_path, presets.text("opportunity")) as built:
        yield built


async def creates(house: House) -> int:
    """How often a Commitment was to be made since the journal was cleared."""
    return sum(each.endswith("/commitments") for each in await house.writes())


def action(result: SyncResult) -> str:
    return {each.object_name: each.action.value for each in result.object_results}["Commitment"]


async def statuses(house: House) -> list[str]:
    found = await house.db.fetch("SELECT status FROM intents WHERE m3ter_entity = 'Commitment'")
    return [row["status"] for row in found]


@pytest.mark.parametrize(("status", "ends_as"), [(401, "Failed"), (403, "Partial Success")])
async def test_a_refusal_does_not_make_forget_a_create_whose_answer_was_lost(
    house: House, deal: str, status: int, ends_as: str
) -> None:
    control = house.sandbox.m3ter_control
    await control.fault("reset_after", match=CREATES, times=1)
    assert (await house.attempt(deal)).sync_status == "Failed"
    assert (await house.census())["Commitment"] == 1
    # m3ter's list does not show it yet, and its next answer is that this credential may not.
    await control.fault("status", match=LISTS, status=200, body=EMPTY)
    await control.fault("status", match=CREATES, status=status, body={"message": "not for you"})
    assert (await house.attempt(deal)).sync_status == ends_as
    assert [each.status for each in await intents.of_records(house.db, [deal])] == [IntentStatus.OPEN]
    await control.clear_faults()
    await control.clear_journal()
    result = await house.attempt(deal)
    assert (result.success, action(result)) == (True, "adopted")
    assert await creates(house) == 0
    assert (await house.census())["Commitment"] == 1
    assert await statuses(house) == ["DONE"]


async def test_a_first_create_that_the_credential_was_refused_for_leaves_nothing_in_mind(
    house: House, deal: str
) -> None:
    await house.sandbox.m3ter_control.fault("status", match=CREATES, status=401, body={"message": "no"})
    assert (await house.attempt(deal)).sync_status == "Failed"
    assert await statuses(house) == ["REFUSED"]
    await house.sandbox.m3ter_control.clear_faults()
    assert action(await house.attempt(deal)) == "created"
