"""One object of a channel is not told while others are: it is found by itself, and what came late besides."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from connectors.salesforce.rest import Salesforce
from daemon.to_m3ter import presets
from state import checkpoints
from state.checkpoints import Position
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
from tests.sandboxes import LocalSandbox, Sandbox

DEALS, OWN = "/data/Deals__chn", "/data/OpportunityLineItemChangeEvent"
EVENT = "/event/Deal_Closed__e"
POINTED = {EVENT: 'object = "Opportunity", record_id = "Opportunity_Id__c"'}
PATIENT = timedelta(minutes=15)
HOUR = timedelta(hours=1)


async def members(sandbox: Sandbox, *names: str) -> None:
    """Set up the channel with these objects, or set it up anew."""
    await sandbox.salesforce_control.fault("custom_channel", name="Deals__chn", objects=names)


@pytest.fixture(params=[(DEALS,)], ids=["one channel"])
async def house(
    sandbox: LocalSandbox,
    db: Pool,
    database_url: str,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> AsyncIterator[House]:
    await members(sandbox, "Opportunity", "OpportunityLineItem")
    fields = {"Opportunity_Id__c": {"type": "string", "length": 18}}
    sandbox.running.org.schema.declare({"Deal_Closed__e": {"fields": fields}})
    table = "".join(f'"{name}" = {{ {POINTED.get(name, "")} }}\n' for name in request.param)
    text = presets.text("opportunity") + f"\n[channels]\n{table}"
    async with houses.built(sandbox, db, database_url, tmp_path, text) as built:
        yield built


@pytest.fixture
async def line(house: House) -> str:
    return str((await house.query("SELECT Id FROM OpportunityLineItem LIMIT 1"))[0]["Id"])


@pytest.fixture
async def deal(house: House) -> str:
    return str((await house.query("SELECT Id FROM Opportunity LIMIT 1"))[0]["Id"])


async def advance(house: House, wait: timedelta) -> None:
    await house.sandbox.salesforce_control.advance_clock(wait.total_seconds())


async def placed(house: House, deal: str, line: str) -> None:
    """Both objects were heard of, and that is forgotten."""
    await touch(house, "Opportunity", deal, {"NextStep": "for a place"})
    await touch(house, "OpportunityLineItem", line, {"Description": "for a place"})
    for record_id in (deal, line):
        await until(partial(heard_of, house, record_id))
    await house.db.execute("DELETE FROM inbox; DELETE FROM change_events; DELETE FROM rereads")


async def untold(house: House, deal: str, line: str) -> None:
    """Both had a place; the line is no member of the channel any more when it changes."""
    await placed(house, deal, line)
    await members(house.sandbox, "Opportunity")
    await advance(house, timedelta(minutes=1))
    await touch(house, "OpportunityLineItem", line, {"Description": "never told"})


async def position(house: House, channel: str = DEALS) -> Position:
    return (await checkpoints.get(house.db, reader(house), [channel]))[channel]


async def test_a_line_that_is_no_member_any_more_is_found_though_its_parents_are_heard(
    house: House, deal: str, line: str
) -> None:
    async with listening(house):
        await untold(house, deal, line)
        await advance(house, timedelta(minutes=1))
        await touch(house, "Opportunity", deal, {"NextStep": "heard"})
        await until(lambda: heard_of(house, deal))
        assert not await heard_of(house, line)
        assert await windows(house) == []
    async with listening(house, manner=DOUBTFUL):
        await advance(house, timedelta(minutes=5))
        [found] = await until(lambda: windows(house, "silent"))
        assert (found.object_name, found.channel) == ("OpportunityLineItem", DEALS)
        assert await is_covered(house, line, "OpportunityLineItem")


async def test_a_lost_place_is_read_from_where_each_object_was_known(
    house: House, sandbox: LocalSandbox, deal: str, line: str
) -> None:
    async with listening(house):
        await untold(house, deal, line)
        await advance(house, HOUR)
        house._tokens.clear()
        await touch(house, "Opportunity", deal, {"NextStep": "heard"})
        await until(lambda: heard_of(house, deal))
    await sandbox.salesforce_control.fault("refuse_replay", channel=DEALS)
    async with listening(house):
        found = {each.object_name: each for each in await until(lambda: windows(house, "replay refused"))}
        assert await is_covered(house, line, "OpportunityLineItem")
    begins = {name: each.from_at for name, each in found.items()}
    assert begins["Opportunity"] is not None
    assert begins["OpportunityLineItem"] is not None
    assert begins["Opportunity"] - begins["OpportunityLineItem"] > timedelta(minutes=40)


@pytest.mark.parametrize("house", [(DEALS, OWN)], indirect=True, ids=["a channel besides"])
async def test_an_object_that_is_told_on_a_channel_of_its_own_is_not_missed_on_another(
    house: House, sandbox: LocalSandbox, deal: str, line: str
) -> None:
    await members(sandbox, "Opportunity")
    async with listening(house, manner=DOUBTFUL):
        await placed(house, deal, line)
        for number in range(3):
            await touch(house, "OpportunityLineItem", line, {"Description": f"told {number}"})
            await until(partial(heard_so_often, house, line, number + 1))
            before = (await position(house)).complete_until
            await advance(house, timedelta(minutes=30))
            await until(partial(complete_beyond, house, before + timedelta(minutes=10)))
        assert await windows(house) == []


async def complete_beyond(house: House, moment: datetime, channel: str = DEALS) -> bool:
    return (await position(house, channel)).complete_until > moment


async def test_what_was_stamped_before_an_alarm_and_committed_after_its_window_was_read_is_read_once_more(
    house: House, deal: str, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with listening(house, manner=DOUBTFUL):
        await placed(house, deal, line)
        await committed_after_an_alarm(house, deal, monkeypatch, partial(has_shaken_hands, house))
        [found] = await until(lambda: windows(house, "silent"))
        assert await is_covered(house, deal)
        assert found.until_at is not None
        assert found.from_at is not None
        assert found.until_at - found.from_at < 3 * PATIENT
        await until(lambda: complete(house))
        assert "may have been committed" in found.detail, "the channel was called deaf already"
        assert len(await windows(house)) == 1, "it is read once more, and not again and again"


@pytest.mark.parametrize("house", [(DEALS, EVENT)], indirect=True, ids=["an event that never came"])
async def test_a_silent_object_is_not_trusted_because_a_channel_without_a_place_was_subscribed(
    house: House, deal: str, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with listening(house, manner=DOUBTFUL):
        await placed(house, deal, line)
        later = (await position(house, EVENT)).complete_until + timedelta(minutes=5)
        is_heard_anew = partial(complete_beyond, house, later, EVENT)
        await committed_after_an_alarm(house, deal, monkeypatch, is_heard_anew)
        await until(lambda: windows(house, "silent"))
        assert await is_covered(house, deal)


@pytest.mark.parametrize("house", [(DEALS,)], indirect=True, ids=["one channel of two objects"])
async def test_a_silent_object_is_not_trusted_because_an_event_of_its_channel_could_not_be_read(
    house: House, deal: str, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def is_unreadable() -> bool:
        await until(partial(has_shaken_hands, house))
        payload = {"ChangeEventHeader": "not a header"}
        await house.sandbox.salesforce_control.fault("publish", channel=DEALS, payload=payload)
        return len(await until(lambda: windows(house, "undecodable"))) == 2

    async with listening(house, manner=DOUBTFUL):
        await placed(house, deal, line)
        await committed_after_an_alarm(house, deal, monkeypatch, is_unreadable)
        await until(lambda: windows(house, "silent"))
        assert await is_covered(house, deal)


async def committed_after_an_alarm(
    house: House,
    deal: str,
    monkeypatch: pytest.MonkeyPatch,
    is_heard_anew: Callable[[], Awaitable[object]],
) -> None:
    """An Opportunity is told no more, and one change of it is found. Another, stamped before that was found,
    is committed once all that was opened then was read."""
    real, transaction = Salesforce.now, timedelta(minutes=8)
    control = house.sandbox.salesforce_control

    async def later(self: Salesforce) -> datetime | None:
        moment = await real(self)
        return moment and moment + transaction

    await advance(house, timedelta(seconds=2))
    await control.fault("tell_as", **{"as": "nothing", "times": 100})
    await control.clear_journal()
    await touch(house, "Opportunity", deal, {"NextStep": "never told"})
    monkeypatch.setattr(Salesforce, "now", later)
    await advance(house, timedelta(seconds=5))
    await until(lambda: windows(house, "silent"))
    await until(is_heard_anew)
    monkeypatch.undo()
    await house.db.execute("DELETE FROM rereads")  # it was read, and did not hold this:
    await touch(house, "Opportunity", deal, {"NextStep": "stamped eight minutes before, never told"})
    await advance(house, timedelta(minutes=50))


async def test_what_was_changed_between_an_alarm_and_its_being_heard_again_is_read(
    house: House, sandbox: LocalSandbox, deal: str, line: str
) -> None:
    other = str((await house.query("SELECT Id FROM OpportunityLineItem LIMIT 2"))[1]["Id"])
    async with listening(house, manner=DOUBTFUL):
        await untold(house, deal, line)
        await advance(house, timedelta(minutes=5))
        await until(lambda: windows(house, "silent"))
        await advance(house, timedelta(minutes=50))
        await until(lambda: complete(house))
    await house.db.execute("DELETE FROM rereads")
    async with listening(house):
        await touch(house, "OpportunityLineItem", other, {"Description": "not told either"})
        await members(sandbox, "Opportunity", "OpportunityLineItem")
        for number in range(2):
            await advance(house, timedelta(minutes=1))
            await touch(house, "OpportunityLineItem", line, {"Description": f"told again {number}"})
            await until(partial(heard_so_often, house, line, number + 1))
        [found] = await windows(house, "silent")
        assert found.object_name == "OpportunityLineItem"
        assert await is_covered(house, other, "OpportunityLineItem")
        assert not await is_covered(house, line, "OpportunityLineItem"), "it is trusted from then on"


async def heard_so_often(house: House, record_id: str, times: int) -> bool:
    found = await house.db.fetchval("SELECT count(*) FROM change_events WHERE record_id = $1", record_id)
    return bool(found == times)


async def has_shaken_hands(house: House) -> bool:
    entries = await house.sandbox.salesforce_control.journal("path=/cometd/*&bodies=1")
    return any("/meta/handshake" in str(each) for each in entries)


async def complete(house: House) -> bool:
    """Everything that the clock of Salesforce allows to be sure of."""
    moment = await house.db.fetchval("SELECT min(complete_until) FROM object_checkpoints")
    heard = await house.db.fetchval("SELECT max(event_at) FROM checkpoints")
    return bool(moment > heard + timedelta(minutes=30))
