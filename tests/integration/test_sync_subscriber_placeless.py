"""Channels without a place, subscribed again and again: nothing is missed, and little is asked for."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from daemon.to_m3ter import presets
from state import checkpoints
from state.checkpoints import Step
from state.database import Pool, transaction
from tests.acceptance import house as houses
from tests.acceptance.house import House, until
from tests.integration.listening import (
    OPPORTUNITIES,
    heard_of,
    is_covered,
    listening,
    positions,
    reader,
    touch,
    windows,
)
from tests.sandboxes import LocalSandbox


@pytest.fixture
async def house(sandbox: LocalSandbox, db: Pool, database_url: str, tmp_path: Path) -> AsyncIterator[House]:
    async with houses.built(sandbox, db, database_url, tmp_path, presets.text("opportunity")) as built:
        yield built


async def test_a_place_that_another_process_got_says_nothing_of_what_this_one_did_not_hear(
    house: House, deal: str
) -> None:
    async with listening(house):
        await another_process_got_a_place(house)
        await house.db.execute("DELETE FROM rereads")
        await house.sandbox.salesforce_control.fault("drop_session")
        await touch(house, "Opportunity", deal, {"NextStep": "between two sessions"})
        await until(lambda: is_covered(house, deal))
        assert not await heard_of(house, deal)


async def another_process_got_a_place(house: House) -> None:
    async with transaction(house.db) as tx:
        await checkpoints.advance(tx, reader(house), {OPPORTUNITIES: Step("1", datetime.now(UTC))})


async def test_a_channel_that_a_process_with_an_older_mapping_forgot_misses_nothing(
    house: House, deal: str
) -> None:
    async with listening(house):
        await house.db.execute("DELETE FROM rereads")
        await house.db.execute("DELETE FROM checkpoints WHERE channel = $1", OPPORTUNITIES)
        await house.sandbox.salesforce_control.fault("drop_session")
        await touch(house, "Opportunity", deal, {"NextStep": "between two sessions"})
        await until(lambda: is_covered(house, deal))
        await touch(house, "Opportunity", deal, {"NextStep": "heard"})
        await until(partial(has_place, house))


async def test_known_records_are_looked_up_once_a_day_and_once_the_channel_has_a_place(
    house: House, deal: str
) -> None:
    async with listening(house):
        assert await look_ups(house) == {"Opportunity": 1, "OpportunityLineItem": 1}
        for _ in range(3):
            await renewed(house)
        assert await look_ups(house) == {"Opportunity": 1, "OpportunityLineItem": 1}
        await house.db.execute("UPDATE rereads SET opened_at = opened_at - interval '1 day'")
        await renewed(house)
        assert await look_ups(house) == {"Opportunity": 2, "OpportunityLineItem": 2}
        await touch(house, "Opportunity", deal, {"NextStep": "nothing is owed"})
        await until(partial(has_place, house))
        assert await look_ups(house) == {"Opportunity": 2, "OpportunityLineItem": 2}


async def test_a_look_up_that_was_left_out_is_made_up_for_with_the_first_event(
    house: House, deal: str
) -> None:
    async with listening(house):
        await renewed(house)
        await touch(house, "Opportunity", deal, {"NextStep": "the first"})
        await until(partial(has_place, house))
        assert await look_ups(house) == {"Opportunity": 2, "OpportunityLineItem": 1}
        await touch(house, "Opportunity", deal, {"NextStep": "the second"})
        await until(lambda: heard_twice(house, deal))
        assert await look_ups(house) == {"Opportunity": 2, "OpportunityLineItem": 1}


async def test_a_lost_place_is_looked_up_however_short_ago_that_was_done(house: House, deal: str) -> None:
    async with listening(house):
        await touch(house, "Opportunity", deal, {"NextStep": "for a place"})
        await until(partial(has_place, house))
        await house.sandbox.salesforce_control.fault("purge")
        await house.sandbox.salesforce_control.fault("refuse_replay")
        await house.sandbox.salesforce_control.fault("drop_session")
        found = await until(lambda: windows(house, "replay refused"))
    assert [each.checks_missing for each in found] == [True]


async def renewed(house: House) -> None:
    """The session is lost, and subscribed anew."""
    await house.db.execute("UPDATE rereads SET started_at = now()")  # their reader has begun
    before = len(await windows(house))
    await house.sandbox.salesforce_control.fault("drop_session")
    await until(lambda: more(house, before))


async def more(house: House, before: int) -> bool:
    return len(await windows(house)) >= before + 2


async def look_ups(house: House) -> dict[str, int]:
    found: dict[str, int] = {}
    for each in await windows(house):
        if each.checks_missing:
            found[each.object_name] = found.get(each.object_name, 0) + 1
    return found


async def has_place(house: House) -> bool:
    return (await positions(house))[OPPORTUNITIES].replay_id != checkpoints.NO_PLACE


async def heard_twice(house: House, record_id: str) -> bool:
    count = await house.db.fetchval("SELECT count(*) FROM change_events WHERE record_id = $1", record_id)
    return bool(count == 2)


async def test_what_is_looked_up_with_the_first_event_is_no_second_first_start(
    house: House, deal: str
) -> None:
    async with listening(house):
        await renewed(house)
        before = len(await windows(house, "first start"))
        await touch(house, "Opportunity", deal, {"NextStep": "the first"})
        await until(partial(has_place, house))
        [found] = await windows(house, "look-up")
        assert len(await windows(house, "first start")) == before
    assert (found.object_name, found.checks_missing) == ("Opportunity", True)


async def test_an_unreadable_event_of_a_channel_that_was_forgotten_is_in_the_window_of_its_new_beginning(
    house: House, deal: str
) -> None:
    async with listening(house):
        await touch(house, "Opportunity", deal, {"NextStep": "for a place"})
        await until(partial(has_place, house))
        await house.db.execute("DELETE FROM rereads")
        await house.db.execute("DELETE FROM checkpoints WHERE channel = $1", OPPORTUNITIES)
        await house.sandbox.salesforce_control.fault("tell_as", **{"as": "undecodable"})
        await touch(house, "Opportunity", deal, {"NextStep": "told and not understood"})
        await until(lambda: is_covered(house, deal))
        await touch(house, "Opportunity", deal, {"NextStep": "heard"})
        await until(partial(has_place, house))
