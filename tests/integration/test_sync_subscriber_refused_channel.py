"""Two channels tell apart of the same objects: what one of them hears says nothing of the other."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from daemon.to_m3ter import presets
from state.database import Pool
from tests.acceptance import house as houses
from tests.acceptance.house import House, until
from tests.integration.listening import (
    HASTY,
    begun,
    heard_of,
    is_covered,
    line_of,
    listening,
    reported,
    touch,
    windows,
)
from tests.sandboxes import LocalSandbox

EU, US = "/data/EU__chn", "/data/US__chn"
HOUR = timedelta(hours=1)
DOUBTFUL = replace(
    HASTY, listening=replace(HASTY.listening, silence=timedelta(milliseconds=100), refused=HOUR)
)
REFUSAL = "403::User not allowed to subscribe to this channel"


@pytest.fixture
async def house(sandbox: LocalSandbox, db: Pool, database_url: str, tmp_path: Path) -> AsyncIterator[House]:
    for name in ("EU__chn", "US__chn"):
        members = ["Opportunity", "OpportunityLineItem"]
        await sandbox.salesforce_control.fault("custom_channel", name=name, objects=members)
    text = presets.text("opportunity") + f'\n[channels]\n"{EU}" = {{}}\n"{US}" = {{}}\n'
    async with houses.built(sandbox, db, database_url, tmp_path, text) as built:
        yield built


async def has_places(house: House) -> bool:
    found = await house.db.fetchval("SELECT count(*) FROM checkpoints WHERE replay_id <> '-1'")
    return bool(found == 2)


async def is_complete(house: House) -> bool:
    """All objects are, up to long after anything was told of them."""
    moment = await house.db.fetchval("SELECT min(complete_until) FROM object_checkpoints")
    heard = await house.db.fetchval("SELECT max(event_at) FROM checkpoints")
    return bool(moment > heard + HOUR / 2)


async def test_the_quiet_of_an_object_does_not_move_a_channel_that_is_refused(
    house: House, deal: str
) -> None:
    control, line = house.sandbox.salesforce_control, await line_of(house, deal)
    found = await house.query(f"SELECT Id FROM Opportunity WHERE Id != '{deal}' LIMIT 1")
    async with listening(house):
        await touch(house, "OpportunityLineItem", line, {"Description": "for a place"})
        await until(partial(has_places, house))
    await house.db.execute("DELETE FROM inbox; DELETE FROM change_events; DELETE FROM rereads")
    await control.fault("refuse_subscription", channel=US, error=REFUSAL, times=None)
    async with begun(house, manner=DOUBTFUL):
        await until(lambda: reported(house, "stream:agreements", is_well=False))
        await control.fault("tell_as", **{"as": "nothing", "times": 1})  # told on the refused one alone
        await touch(house, "Opportunity", deal, {"NextStep": "in the US"})
        await control.advance_clock(60)
        await touch(house, "Opportunity", found[0]["Id"], {"NextStep": "in the EU"})
        await until(lambda: heard_of(house, found[0]["Id"]))
        await control.advance_clock(HOUR.total_seconds())
        await until(lambda: is_complete(house))
        assert await windows(house) == []
    await control.clear_faults()
    await control.fault("refuse_replay", channel=US)
    house._tokens.clear()
    async with listening(house):
        await until(lambda: windows(house, "replay refused"))
        assert await is_covered(house, deal)
