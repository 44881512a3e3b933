"""An outage of the stream, of however many failures: one line when it begins, one when it ends."""

from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from daemon.to_m3ter import presets
from state.database import Pool
from tests.acceptance import house as houses
from tests.acceptance.house import House, until
from tests.integration.listening import heard_of, listening, placed, reported, touch
from tests.sandboxes import LocalSandbox

AWAY = 12  # failures


@pytest.fixture
async def house(sandbox: LocalSandbox, db: Pool, database_url: str, tmp_path: Path) -> AsyncIterator[House]:
    async with houses.built(sandbox, db, database_url, tmp_path, presets.text("opportunity")) as built:
        yield built


async def test_an_outage_is_two_lines_of_the_log(house: House) -> None:
    deal = (await house.query("SELECT Id FROM Opportunity LIMIT 1"))[0]["Id"]
    async with listening(house):
        await placed(house)
        with capture_logs() as lines:
            control = house.sandbox.salesforce_control
            await control.fault("status", match={"path": "/cometd/*"}, status=503, body="<html>", times=AWAY)
            await touch(house, "Opportunity", deal, {"NextStep": "during the outage"})
            await until(partial(reported, house, "stream:", is_well=False))
            await until(partial(heard_of, house, deal))
            await until(partial(reported, house, "stream:", is_well=True))
        assert sum(fault["hits"] for fault in await control.faults()) == AWAY
    told = [line for line in lines if line["log_level"] in ("warning", "error") or "outage" in line["event"]]
    assert [line["event"] for line in told] == ["outage began", "outage ended"]
    assert "503" in told[0]["reason"]
