"""Fifty thousand records are read again, and a live change does not wait for them."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from daemon.to_m3ter import presets
from state import rereads, runs
from state.database import Pool
from state.rereads import RereadCause, RereadStory
from tests.acceptance import house as houses
from tests.acceptance.commands import Commands
from tests.acceptance.house import House, daemon, until
from tests.sandboxes import SandboxProcess, sandbox_in_process

CROWD = 50_000
TARGET = timedelta(seconds=2)


@pytest.fixture
async def crowd() -> AsyncIterator[SandboxProcess]:
    async with sandbox_in_process("--scale", str(CROWD)) as running:
        yield running


@pytest.fixture
async def house(crowd: SandboxProcess, db: Pool, database_url: str, tmp_path: Path) -> AsyncIterator[House]:
    async with houses.built(
        crowd, db, database_url, tmp_path / "state", presets.text("opportunity")
    ) as built:
        yield built


@pytest.mark.alone
async def test_a_live_change_is_synced_within_two_seconds_meanwhile(house: House, tmp_path: Path) -> None:
    """While the windows are read, and while what they held is synced."""
    m3sync = Commands(tmp_path)
    m3sync.configure(house.settings.database_url)
    soql = "SELECT Id FROM Opportunity WHERE StageName = 'Qualification' ORDER BY Name LIMIT 12"
    ids = [str(each["Id"]) for each in await house.query(soql)]
    async with daemon(house):
        # As long as Salesforce takes for a page, so that there is a while in which it is read.
        await house.sandbox.salesforce_control.fault("latency", match={"path": "*/queryAll"}, seconds=0.2)
        await m3sync.done("sync", "--since", "30d", "--object", "Opportunity", "--no-wait", "--json")
        await until(lambda: _has_read(house, 2_000), seconds=60)
        lags = [await _lag(house, each) for each in ids[:6]]
        during = await _story(house)
        await until(lambda: _is_read(house), seconds=120)
        lags += [await _lag(house, each) for each in ids[6:]]
        story = await _story(house)
    assert during.is_open, f"it was over too soon to prove anything: {during}"
    assert story.records_read >= CROWD, story
    assert story.left > CROWD / 2, "there was nothing left to be overtaken"
    assert max(lags) < TARGET, lags


async def _has_read(house: House, count: int) -> bool:
    return (await _story(house)).records_read >= count


async def _is_read(house: House) -> bool:
    return not (await _story(house)).is_open


async def _story(house: House) -> RereadStory:
    (found,) = [each for each in await rereads.latest(house.db) if each.cause is RereadCause.BY_HAND]
    return found


async def _lag(house: House, record_id: str) -> timedelta:
    """From a change's commit in Salesforce to the end of its sync."""
    await house.salesforce("PATCH", f"/sobjects/Opportunity/{record_id}", {"StageName": "Closed Won"})

    async def synced() -> Any:
        found = await runs.latest(house.db, record_id=record_id)
        return next((run for run in found if run.success and run.completed_at), None)

    run = await until(synced, seconds=30)
    stamps = await house.query(f"SELECT SystemModstamp FROM Opportunity WHERE Id = '{record_id}'")
    lag: timedelta = run.completed_at - datetime.fromisoformat(stamps[0]["SystemModstamp"])
    return lag
