"""Events that name no records, one after another: all known records are not asked for each time."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from daemon.to_m3ter import presets
from state.database import Pool
from state.rereads import RereadStory
from tests.acceptance import house as houses
from tests.acceptance.house import House, until
from tests.integration.listening import HASTY, OPPORTUNITIES, listening, placed, windows
from tests.sandboxes import LocalSandbox

DAY = timedelta(days=1)


@pytest.fixture
async def house(sandbox: LocalSandbox, db: Pool, database_url: str, tmp_path: Path) -> AsyncIterator[House]:
    async with houses.built(sandbox, db, database_url, tmp_path, presets.text("opportunity")) as built:
        yield built


async def unread(house: House, count: int = 1) -> None:
    """So many unreadable events, each in a batch of its own whose window has been begun before the next."""
    for _ in range(count):
        before = len(await windows(house, "undecodable"))
        payload = {"ChangeEventHeader": "not a header"}
        await house.sandbox.salesforce_control.fault("publish", channel=OPPORTUNITIES, payload=payload)
        await until(partial(more, house, before))
        await house.db.execute("UPDATE rereads SET started_at = now() WHERE cause = 'undecodable'")


async def more(house: House, before: int) -> bool:
    return len(await windows(house, "undecodable")) > before


def checks(found: list[RereadStory]) -> list[bool]:
    """The oldest first."""
    return [each.checks_missing for each in reversed(found)]


async def test_the_first_is_followed_by_a_look_up_and_the_others_by_one_a_day_after_the_last(
    house: House,
) -> None:
    async with listening(house):
        await placed(house)
        await unread(house, 4)
        assert checks(await windows(house, "undecodable")) == [True, False, False, False]
        [put_off] = await windows(house, "look-up")
        assert put_off.object_name == "Opportunity"
        assert put_off.due_at - datetime.now(UTC) > DAY - timedelta(minutes=5)
        await house.db.execute("UPDATE rereads SET due_at = due_at - interval '20 hours'")
        await unread(house)
        [again] = await windows(house, "look-up")
        assert (again.reread_id, again.due_at > put_off.due_at) == (put_off.reread_id, True)


async def test_while_they_go_on_there_is_one_a_day(house: House) -> None:
    async with listening(house):
        await placed(house)
        await unread(house, 2)
        await house.db.execute("UPDATE rereads SET opened_at = opened_at - interval '1 day'")
        await unread(house, 2)
        assert checks(await windows(house, "undecodable")) == [True, False, True, False]


async def test_whoever_has_the_time_looks_up_after_each(house: House) -> None:
    eager = replace(HASTY, listening=replace(HASTY.listening, look_up=timedelta(0)))
    async with listening(house, manner=eager):
        await placed(house)
        await unread(house, 2)
        assert checks(await windows(house, "undecodable")) == [True, True]
        assert await windows(house, "look-up") == []
