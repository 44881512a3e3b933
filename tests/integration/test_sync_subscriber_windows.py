"""What was lost becomes a window to be read again, in the transaction that loses it, and nothing besides."""

import asyncio
from collections.abc import AsyncIterator, Collection
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from connectors.salesforce.models import to_id18
from daemon.to_m3ter import presets
from state import checkpoints, rereads
from state.checkpoints import Reader
from state.database import Connection, Pool
from state.errors import DatabaseUnavailable
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
    positions,
    rows,
    touch,
    windows,
)
from tests.sandboxes import LocalSandbox

HOUR = timedelta(hours=1)


@pytest.fixture
async def house(sandbox: LocalSandbox, db: Pool, database_url: str, tmp_path: Path) -> AsyncIterator[House]:
    async with houses.built(sandbox, db, database_url, tmp_path, presets.text("opportunity")) as built:
        yield built


async def new_deal(house: House) -> str:
    fields = {"Name": "New", "StageName": "Prospecting", "CloseDate": "2026-12-31"}
    return str((await house.salesforce("POST", "/sobjects/Opportunity", fields))["id"])


async def delete(house: House, record_id: str) -> None:
    await house.salesforce("DELETE", f"/sobjects/Opportunity/{record_id}")


async def is_found(house: House, record_id: str) -> bool:
    return await is_covered(house, record_id) or await heard_of(house, record_id)


async def test_a_refused_place_ends_in_a_window_of_what_was_changed_created_and_deleted_meanwhile(
    house: House, deal: str
) -> None:
    async with listening(house):
        await placed(house)
        gone = await new_deal(house)
        await until(lambda: heard_of(house, gone))
    await touch(house, "Opportunity", deal, {"NextStep": "meanwhile"})
    created = await new_deal(house)
    await delete(house, gone)
    await house.sandbox.salesforce_control.fault("purge")
    async with listening(house):
        found = await windows(house, "replay refused")
        assert {each.object_name for each in found} == {"Opportunity", "OpportunityLineItem"}
        assert all(each.checks_missing and "invalid" in each.detail for each in found)
        for record_id in (deal, created, gone):
            assert await is_covered(house, record_id)
        assert not await has_place(house), "until the next event"
        await touch(house, "Opportunity", deal, {"NextStep": "after it"})
        await until(lambda: heard_of(house, deal))
        assert await has_place(house)
    assert len(await windows(house)) == 2


async def test_what_changes_while_the_place_is_being_lost_is_heard_or_in_the_window(house: House) -> None:
    made: list[str] = []

    async def go_on_changing() -> None:
        while True:
            made.append(await new_deal(house))

    async with listening(house):
        await placed(house)
        changing = asyncio.create_task(go_on_changing())
        for _ in range(3):
            await until(partial(has_place, house))
            before = len(await windows(house, "replay refused"))
            await house.sandbox.salesforce_control.fault("purge")
            await house.sandbox.salesforce_control.fault("refuse_replay")
            await house.sandbox.salesforce_control.fault("drop_session")
            await until(partial(more_windows, house, before))
        changing.cancel()
        await asyncio.gather(changing, return_exceptions=True)
        for record_id in made:
            await until(partial(is_found, house, record_id))


async def has_place(house: House) -> bool:
    return (await positions(house))[OPPORTUNITIES].replay_id != checkpoints.NO_PLACE


async def more_windows(house: House, before: int) -> bool:
    """One that waits is widened, so that the place is lost once more when this holds after a deletion."""
    if len(await windows(house, "replay refused")) <= before:
        return False
    await house.db.execute("UPDATE rereads SET started_at = now()")  # its reader has begun
    return True


async def test_a_crash_between_the_subscription_and_its_window_loses_nothing(
    house: House, deal: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with listening(house):
        await placed(house)
    await touch(house, "Opportunity", deal, {"NextStep": "meanwhile"})
    await house.sandbox.salesforce_control.fault("purge")
    opening, real = asyncio.Event(), checkpoints.complete

    async def crash(tx: Connection, reader: Reader, channels: Collection[str], moment: Any) -> None:
        await real(tx, reader, channels, moment)
        opening.set()
        raise DatabaseUnavailable("killed", "before the commit")

    monkeypatch.setattr(checkpoints, "complete", crash)
    async with begun(house):
        await opening.wait()
    assert await windows(house) == []
    assert not await has_place(house)
    monkeypatch.undo()
    async with listening(house):
        assert await is_covered(house, deal)


async def test_a_session_lost_before_the_first_event_of_its_channels_is_made_up_for(
    house: House, deal: str
) -> None:
    async with listening(house):
        await house.db.execute("DELETE FROM rereads")
        await house.sandbox.salesforce_control.fault("drop_session")
        await touch(house, "Opportunity", deal, {"NextStep": "between two sessions"})
        await until(lambda: is_found(house, deal))
        assert not await heard_of(house, deal)


HEADER = {"entityName": "Opportunity", "transactionKey": "0Mc000000000001", "changeType": "UPDATE"}


@pytest.mark.parametrize(
    ("kind", "more", "cause"),
    [
        ("overflow", {"object": "Opportunity"}, "overflow"),
        (
            "publish",
            {"payload": {"ChangeEventHeader": {**HEADER, "recordIds": []}}, "channel": OPPORTUNITIES},
            "gap",
        ),
        (
            "publish",
            {"payload": {"ChangeEventHeader": "not a header"}, "channel": OPPORTUNITIES},
            "undecodable",
        ),
        ("gap", {"object": "Opportunity", "record_ids": ["006*"]}, "gap"),
        ("tell_as", {"as": "overflow"}, "overflow"),
        ("tell_as", {"as": "wildcard"}, "gap"),
        ("tell_as", {"as": "undecodable"}, "undecodable"),
    ],
)
async def test_an_event_that_names_no_record_leaves_a_window_open_to_the_end_and_is_passed(
    house: House, deal: str, kind: str, more: dict[str, Any], cause: str
) -> None:
    async with listening(house):
        await placed(house)
        before = (await positions(house))[OPPORTUNITIES]
        await house.sandbox.salesforce_control.fault(kind, **more)
        if kind == "tell_as":
            await touch(house, "Opportunity", deal, {"NextStep": "told without a name"})
        [found] = await until(lambda: windows(house))
        assert (found.cause, found.object_name, found.channel) == (cause, "Opportunity", OPPORTUNITIES)
        assert found.until_at is None
        assert found.from_at == max(before.since, before.complete_until - timedelta(minutes=15))
        assert (await positions(house))[OPPORTUNITIES].replay_id != before.replay_id
        await touch(house, "Opportunity", deal, {"NextStep": "heard all the same"})
        [row] = await until(rows(house, 1))
    assert row.record_id == deal


async def test_of_many_events_that_cannot_be_read_each_window_begins_where_the_one_before_was_opened(
    house: House,
) -> None:
    control = house.sandbox.salesforce_control
    async with listening(house):
        await placed(house)
        for number in (1, 2):
            await house.db.execute("UPDATE rereads SET started_at = now()")  # its reader has begun
            await control.advance_clock((2 * HOUR).total_seconds())
            payload = {"ChangeEventHeader": "not a header"}
            await control.fault("publish", channel=OPPORTUNITIES, payload=payload)
            await until(partial(as_many_windows, house, number))
        later, earlier = await windows(house, "undecodable")
    assert earlier.from_at is not None
    assert later.from_at is not None
    assert later.from_at - earlier.from_at > HOUR


async def as_many_windows(house: House, count: int) -> bool:
    return len(await windows(house, "undecodable")) == count


async def test_a_window_is_open_or_the_place_did_not_move(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, failing, tried = rereads.open_windows, True, asyncio.Event()

    async def fail(*given: Any) -> Any:
        opened = await real(*given)
        if failing:
            tried.set()
            raise DatabaseUnavailable("killed", "before the commit")
        return opened

    async with listening(house):
        await placed(house)
        before = await positions(house)
        monkeypatch.setattr(rereads, "open_windows", fail)
        await house.sandbox.salesforce_control.fault("overflow", object="Opportunity")
        await tried.wait()
        assert (await windows(house), await positions(house)) == ([], before)
        failing = False
        await until(lambda: windows(house, "overflow"))
        assert (await positions(house))[OPPORTUNITIES] != before[OPPORTUNITIES]


async def test_a_gap_that_names_its_records_puts_them_into_the_inbox_and_is_recorded(
    house: House, deal: str
) -> None:
    other = await new_deal(house)
    async with listening(house):
        await placed(house)
        await house.sandbox.salesforce_control.fault(
            "gap", object="Opportunity", record_ids=[deal, to_id18(other)]
        )
        found = await until(rows(house, 2))
        [told] = await until(lambda: windows(house))
    assert {row.record_id for row in found} == {deal, other}
    assert (told.cause, told.object_name, told.records_read, told.is_open) == ("gap", "Opportunity", 2, False)


async def test_events_of_objects_that_are_not_watched_only_move_the_place(house: House) -> None:
    async with listening(house):
        await placed(house)
        before = (await positions(house))[LINES]
        header = {**HEADER, "entityName": "Contact", "recordIds": ["003S90000012oZ5IAI"]}
        payload = {"ChangeEventHeader": {**header, "changeType": "GAP_OVERFLOW"}}
        await house.sandbox.salesforce_control.fault("publish", channel=LINES, payload=payload)
        await until(lambda: moved(house, before.replay_id))
        assert await windows(house) == []
        assert await house.db.fetchval("SELECT count(*) FROM change_events") == 0


async def moved(house: House, replay_id: str) -> bool:
    return (await positions(house))[LINES].replay_id != replay_id
