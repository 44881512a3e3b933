"""One integration hears a custom channel, a platform event and a PushTopic, each from its own place."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from daemon.to_m3ter import presets
from state import checkpoints, field_mappings
from state.checkpoints import Position
from state.database import Pool
from tests.acceptance import house as houses
from tests.acceptance.house import House, until
from tests.integration.listening import (
    begun,
    heard_of,
    is_covered,
    listening,
    reader,
    reported,
    rows,
    windows,
)
from tests.sandboxes import LocalSandbox

CUSTOM, EVENT, TOPIC = "/data/Deals__chn", "/event/Deal_Closed__e", "/topic/WonDeals"
CHANNELS = (CUSTOM, EVENT, TOPIC)
TABLE = """
[channels]
"/data/Deals__chn" = {}
"/event/Deal_Closed__e" = { object = "Opportunity", record_id = "Opportunity_Id__c" }
"/topic/WonDeals" = { object = "Opportunity" }
"""


@pytest.fixture
async def house(sandbox: LocalSandbox, db: Pool, database_url: str, tmp_path: Path) -> AsyncIterator[House]:
    fields = {"Opportunity_Id__c": {"type": "string", "length": 18}}
    members = [{"object": "Opportunity", "filter": "StageName != 'Closed Won'", "enriched_fields": ["Name"]}]
    sandbox.running.org.schema.declare({"Deal_Closed__e": {"fields": fields}})
    await sandbox.salesforce_control.fault("custom_channel", name="Deals__chn", members=members)
    text = presets.text("opportunity") + TABLE
    async with houses.built(sandbox, db, database_url, tmp_path, text) as built:
        query = "SELECT Id, StageName FROM Opportunity WHERE StageName = 'Closed Won'"
        topic = {"Name": "WonDeals", "Query": query, "ApiVersion": 67.0}
        await built.salesforce("POST", "/sobjects/PushTopic", topic)
        yield built


@pytest.fixture
async def deals(house: House) -> list[str]:
    soql = "SELECT Id FROM Opportunity WHERE StageName != 'Closed Won' ORDER BY Name LIMIT 6"
    return [str(each["Id"]) for each in await house.query(soql)]


async def act(house: House, channel: str, deal: str) -> None:
    """What is heard of this deal on this channel and on no other."""
    match channel:
        case "/data/Deals__chn":
            await house.salesforce("PATCH", f"/sobjects/Opportunity/{deal}", {"NextStep": "call"})
        case "/topic/WonDeals":
            await house.salesforce("PATCH", f"/sobjects/Opportunity/{deal}", {"StageName": "Closed Won"})
        case _:
            await house.salesforce("POST", "/sobjects/Deal_Closed__e", {"Opportunity_Id__c": deal})


async def act_on_all(house: House, deals: list[str]) -> None:
    for channel, deal in zip(CHANNELS, deals, strict=True):
        await act(house, channel, deal)


async def heard_on(house: House) -> dict[str, list[str]]:
    """Channel -> the records that were heard of on it, in order."""
    found = await house.db.fetch("SELECT channel, record_id FROM change_events ORDER BY change_event_id")
    return {name: [row["record_id"] for row in found if row["channel"] == name] for name in CHANNELS}


async def all_heard(house: House, deals: list[str]) -> bool:
    return all([await heard_of(house, deal) for deal in deals])


async def places(house: House) -> dict[str, Position]:
    return await checkpoints.get(house.db, reader(house), CHANNELS)


def last_of(house: House, channel: str) -> str:
    """The replay id of the last event of a channel, as Salesforce numbered it."""
    assert isinstance(house.sandbox, LocalSandbox)
    events = house.sandbox.running.stream.bus.after(0)
    return str([event.replay_id for event in events if channel in event.channels][-1])


async def subscribed(house: House) -> dict[str, Any]:
    """Channel -> the replay id with which it was asked for last."""
    asked: dict[str, Any] = {}
    for entry in await house.sandbox.salesforce_control.journal("path=/cometd/*&bodies=1"):
        for message in entry["request"] or ():
            if message["channel"] == "/meta/subscribe":
                asked |= message["ext"]["replay"]
    return asked


async def test_three_kinds_of_channels_are_heard_in_one_session_and_resumed_each_from_its_own_place(
    house: House, deals: list[str]
) -> None:
    async with listening(house):
        await act_on_all(house, deals[:3])
        await until(lambda: all_heard(house, deals[:3]))
        handshakes = await house.sandbox.salesforce_control.journal("path=/cometd/*&bodies=1")
        clients = {m["clientId"] for each in handshakes for m in each["request"] or () if "clientId" in m}
        assert len(clients) == 1
    first = await places(house)
    assert {name: each.replay_id for name, each in first.items()} == {
        name: last_of(house, name) for name in CHANNELS
    }
    assert len({each.replay_id for each in first.values()}) == 3
    await act_on_all(house, deals[3:])
    await house.sandbox.salesforce_control.clear_journal()
    async with listening(house):
        assert await subscribed(house) == {name: int(each.replay_id) for name, each in first.items()}
        await until(lambda: all_heard(house, deals))
    assert await heard_on(house) == {
        name: [one, other] for name, one, other in zip(CHANNELS, deals[:3], deals[3:], strict=True)
    }
    assert {row.record_id for row in await rows(house, 6)()} == set(deals)


async def test_a_refused_place_of_one_channel_leaves_the_places_of_the_others(
    house: House, deals: list[str]
) -> None:
    async with listening(house):
        await act_on_all(house, deals[:3])
        await until(lambda: all_heard(house, deals[:3]))
    await act_on_all(house, deals[3:])
    kept = await places(house)
    await house.db.execute("DELETE FROM rereads")
    await house.sandbox.salesforce_control.fault("refuse_replay", channel=TOPIC)
    async with listening(house):
        await until(lambda: windows(house, "replay refused"))
        await until(lambda: all_heard(house, [deals[3], deals[4]]))
        asked = await subscribed(house)
    assert asked == {CUSTOM: int(kept[CUSTOM].replay_id), EVENT: int(kept[EVENT].replay_id), TOPIC: -1}
    found = await windows(house)
    assert [(each.channel, each.object_name, str(each.cause)) for each in found] == [
        (TOPIC, "Opportunity", "replay refused")
    ]
    assert not await heard_of(house, deals[5]), "its notification is gone: the window holds it"


async def test_a_channel_that_is_refused_does_not_keep_the_others_from_being_heard(
    house: House, deals: list[str]
) -> None:
    async with listening(house):
        await act_on_all(house, deals[:3])
        await until(lambda: all_heard(house, deals[:3]))
    await house.salesforce("DELETE", f"/sobjects/PushTopic/{await topic_id(house)}")
    async with begun(house):
        said = await until(lambda: reported(house, "stream:", is_well=False))
        await act(house, CUSTOM, deals[3])
        await act(house, EVENT, deals[4])
        await until(lambda: all_heard(house, deals[:5]))
    assert f"The channel you requested to subscribe to doesn't exist {TOPIC}" in said.message


async def topic_id(house: House) -> str:
    return str((await house.query("SELECT Id FROM PushTopic WHERE Name = 'WonDeals'"))[0]["Id"])


@pytest.mark.parametrize("given", [None, "Q-1001"])
async def test_an_event_that_names_no_record_leaves_a_window_and_the_place_goes_on(
    house: House, deals: list[str], given: str | None
) -> None:
    async with listening(house):
        await house.salesforce("POST", "/sobjects/Deal_Closed__e", {"Opportunity_Id__c": given})
        [window] = await until(lambda: windows(house, "undecodable"))
        assert (window.object_name, window.channel) == ("Opportunity", EVENT)
        assert "Opportunity_Id__c" in window.detail
        assert (await places(house))[EVENT].replay_id == last_of(house, EVENT)
        await act(house, EVENT, deals[0])
        await until(lambda: heard_of(house, deals[0]))


async def test_what_a_platform_event_means_is_synced_by_the_whole_daemon(
    house: House, deals: list[str]
) -> None:
    async with houses.daemon(house):
        await until(lambda: _have_begun(house))
        await act(house, TOPIC, deals[0])
        await until(lambda: house.ended_runs(deals[0]))
        before = len(await house.ended_runs(deals[0]))
        await act(house, EVENT, deals[0])
        await until(lambda: _more_runs(house, deals[0], before))
    assert (await house.ended_runs(deals[0]))[0].sync_status == "Completed"


async def _have_begun(house: House) -> bool:
    return len(await places(house)) == len(CHANNELS)


async def _more_runs(house: House, deal: str, than: int) -> bool:
    return len(await house.ended_runs(deal)) > than


async def test_the_channels_follow_the_mapping(house: House, deals: list[str]) -> None:
    async with listening(house):
        await act_on_all(house, deals[:3])
        await until(lambda: all_heard(house, deals[:3]))
    # Changed while nobody listens: the channel that would have told of it is named no more.
    await act(house, CUSTOM, deals[4])
    await house.sandbox.salesforce_control.advance_clock(60)
    await house.db.execute("DELETE FROM rereads")
    changed = TABLE.replace('"/data/Deals__chn" = {}', '"/data/OpportunityChangeEvent" = {}')
    await field_mappings.save(house.db, "opportunity", presets.text("opportunity") + changed)
    await house.sandbox.salesforce_control.clear_journal()
    async with listening(house):
        assert set(await subscribed(house)) == {"/data/OpportunityChangeEvent", EVENT, TOPIC}
        assert await is_covered(house, deals[4])
        assert set(await places(house)) == {EVENT, TOPIC}
        await act(house, CUSTOM, deals[3])
        await until(lambda: heard_of(house, deals[3]))
    assert (await heard_on(house))[CUSTOM] == [deals[0]]
