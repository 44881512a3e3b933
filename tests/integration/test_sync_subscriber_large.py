"""An answer of the stream that is larger than what m3sync holds: its events are read again."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from connectors.salesforce import session
from daemon.to_m3ter import presets
from state.database import Pool
from state.models import Health
from state.rereads import RereadCause
from tests.acceptance import house as houses
from tests.acceptance.house import House, until
from tests.integration.listening import (
    LINES,
    OPPORTUNITIES,
    begun,
    heard_of,
    is_covered,
    listening,
    placed,
    reported,
    touch,
    windows,
)
from tests.sandboxes import LocalSandbox

CAP = 20_000  # bytes; the sandbox has a limit of its own


@pytest.fixture
async def house(sandbox: LocalSandbox, db: Pool, database_url: str, tmp_path: Path) -> AsyncIterator[House]:
    async with houses.built(sandbox, db, database_url, tmp_path, presets.text("opportunity")) as built:
        yield built


@pytest.fixture
async def deals(house: House) -> list[str]:
    return [str(each["Id"]) for each in await house.query("SELECT Id FROM Opportunity ORDER BY Id LIMIT 2")]


async def more_than_the_cap(house: House, deal: str) -> None:
    for number in range(CAP // 500):
        await touch(house, "Opportunity", deal, {"NextStep": f"{number} {'x' * 240}"})


async def test_a_backlog_in_one_answer_that_is_too_large_becomes_windows_and_the_stream_goes_on(
    house: House, deals: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "_LIMITS", replace(session._LIMITS, max_body=CAP))
    told: list[Health] = []

    async def is_told() -> bool:
        told.extend(filter(None, [await reported(house, "stream:", is_well=False)]))
        return bool(told)

    async with listening(house):
        await placed(house)
    await more_than_the_cap(house, deals[0])
    async with begun(house):
        await until(is_told)
        await until(lambda: is_covered(house, deals[0]), seconds=20)
        await until(lambda: reported(house, "stream:", is_well=True))
        await touch(house, "Opportunity", deals[1], {"NextStep": "after it"})
        await until(lambda: heard_of(house, deals[1]), seconds=20)
    found = {(each.cause, each.channel): each.detail for each in await windows(house)}
    assert set(found) == {(RereadCause.REPLAY_REFUSED, channel) for channel in (OPPORTUNITIES, LINES)}
    assert all(f"more than {CAP:,} bytes" in each for each in found.values())
    assert f"more than {CAP:,} bytes" in told[0].message
