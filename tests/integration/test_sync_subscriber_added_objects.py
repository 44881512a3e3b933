"""An object is added to what is heard on a channel already: nothing of it is missed."""

from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest

from daemon.to_m3ter import presets
from daemon.to_m3ter.windows import AHEAD
from state import checkpoints, field_mappings
from state.checkpoints import Known
from state.database import Pool
from tests.acceptance import house as houses
from tests.acceptance.house import House, until
from tests.integration.listening import (
    DOUBTFUL,
    heard_of,
    is_covered,
    listening,
    reader,
    touch,
    windows,
)
from tests.sandboxes import LocalSandbox

ACCOUNTS = presets.text("account") + '\n[channels]\n"/data/ChangeEvents" = {}\n'
ADDED = '\n[lines.Opportunities]\nobject = "Opportunity"\nparent_field = "AccountId"\n'


@pytest.fixture
async def house(sandbox: LocalSandbox, db: Pool, database_url: str, tmp_path: Path) -> AsyncIterator[House]:
    async with houses.built(sandbox, db, database_url, tmp_path, ACCOUNTS) as built:
        yield built


@pytest.fixture
async def account(house: House) -> str:
    return str((await house.query("SELECT Id FROM Account LIMIT 1"))[0]["Id"])


async def change(house: House, account: str, said: str) -> None:
    """Change an Account that is heard of anew."""
    await house.db.execute("DELETE FROM change_events")
    await touch(house, "Account", account, {"Description": said})
    await until(partial(heard_of, house, account))


async def add(house: House, more: str = ADDED) -> None:
    await field_mappings.save(house.db, str(house.integration.field_mapping_name), ACCOUNTS + more)


async def test_what_changes_of_an_added_object_before_a_stream_goes_by_the_mapping_is_read_once(
    house: House, account: str, deal: str
) -> None:
    async with listening(house):
        await change(house, account, "for a place")
        await house.db.execute("DELETE FROM rereads")
        await house.sandbox.salesforce_control.advance_clock(600)
        await add(house)
        await touch(house, "Opportunity", deal, {"NextStep": "told and passed over"})
        await change(house, account, "after it")
    async with listening(house):
        [found] = await windows(house)
        assert (found.object_name, found.cause) == ("Opportunity", "first start")
        assert await is_covered(house, deal)
        known = (await checkpoints.objects(house.db, reader(house)))["Opportunity"]
        assert found.until_at is not None
        assert known == Known(found.until_at - AHEAD), "what is in the window is no reason for an alarm"
    await house.db.execute("DELETE FROM rereads")
    await add(house, ADDED + "# imported once more\n")
    async with listening(house):
        assert await windows(house) == []


async def test_an_object_that_a_process_with_an_older_mapping_forgot_is_known_again(
    house: House, account: str, deal: str
) -> None:
    await add(house)
    async with listening(house, manner=DOUBTFUL):
        await change(house, account, "for a place")
        await house.sandbox.salesforce_control.fault("tell_as", **{"as": "nothing", "times": 1})
        await touch(house, "Opportunity", deal, {"NextStep": "never told"})
        await house.db.execute(
            "DELETE FROM rereads; DELETE FROM object_checkpoints WHERE object_name = 'Opportunity'"
        )
        await until(lambda: is_covered(house, deal))
        assert "Opportunity" in await checkpoints.objects(house.db, reader(house))
