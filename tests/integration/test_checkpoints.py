"""Each integration has its own place on each channel, and a beginning that no trouble moves."""

import asyncio
from datetime import datetime, timedelta
from uuid import UUID

import pytest

from state import checkpoints, database, field_mappings, integrations
from state.checkpoints import Known, Position, Reader, Step
from state.database import Pool
from state.models import Integration
from tests.integration.state_rows import ORG, connected_elsewhere, new_integration

ACCOUNTS, ORDERS = "/data/AccountChangeEvent", "/data/OrderChangeEvent"
BOTH = [ACCOUNTS, ORDERS]
ENTITLEMENTS = "/data/EntitlementChangeEvent"
ELSEWHERE = "00D000000000002EAA"


@pytest.fixture
async def integration(db: Pool) -> Integration:
    return await new_integration(db)


@pytest.fixture
async def reader(db: Pool, integration: Integration) -> Reader:
    """One who has begun with both channels."""
    found = Reader(integration.integration_id, ORG)
    await checkpoints.begin(db, found, BOTH)
    return found


async def advance(db: Pool, reader: Reader, **positions: str) -> None:
    named = {"accounts": ACCOUNTS, "orders": ORDERS}
    async with database.transaction(db) as tx:
        steps = {named[name]: Step(replay_id) for name, replay_id in positions.items()}
        await checkpoints.advance(tx, reader, steps)


async def places(db: Pool, reader: Reader) -> dict[str, str]:
    return {name: each.replay_id for name, each in (await checkpoints.get(db, reader, BOTH)).items()}


async def begun(db: Pool, reader: Reader, channel: str = ACCOUNTS) -> Position:
    await checkpoints.begin(db, reader, [channel])
    return (await checkpoints.get(db, reader, [channel]))[channel]


async def live_at(db: Pool, integration_id: UUID) -> datetime | None:
    found: datetime | None = await db.fetchval(
        "SELECT live_at FROM integrations WHERE integration_id = $1", integration_id
    )
    return found


async def test_channels_advance_together_and_by_themselves(db: Pool, reader: Reader) -> None:
    assert await places(db, reader) == {ACCOUNTS: "-1", ORDERS: "-1"}
    await advance(db, reader, accounts="10", orders="20")
    await advance(db, reader, orders="21")
    assert await places(db, reader) == {ACCOUNTS: "10", ORDERS: "21"}
    assert set(await checkpoints.get(db, reader, [ORDERS])) == {ORDERS}


async def test_a_replay_id_means_nothing_to_another_integration_org_or_transport(
    db: Pool, reader: Reader
) -> None:
    other = (await new_integration(db, "Others")).integration_id
    strangers = [
        Reader(other, ORG),
        Reader(reader.integration_id, ELSEWHERE),
        Reader(reader.integration_id, ORG, "pubsub"),
    ]
    await advance(db, reader, accounts="10")
    for stranger in strangers:
        assert await places(db, stranger) == {}
        await checkpoints.begin(db, stranger, BOTH)
        await advance(db, stranger, accounts="77")
    assert (await places(db, reader))[ACCOUNTS] == "10"


async def test_a_replay_id_is_opaque_and_may_be_smaller_than_the_one_before(db: Pool, reader: Reader) -> None:
    await advance(db, reader, accounts="99999999999999999999")
    await advance(db, reader, accounts="AAAAAAAAABg=")
    assert (await places(db, reader))[ACCOUNTS] == "AAAAAAAAABg="


async def test_a_refused_place_is_none_from_then_on_and_what_is_complete_stays_so(
    db: Pool, reader: Reader
) -> None:
    await advance(db, reader, accounts="10", orders="20")
    before = (await checkpoints.get(db, reader, BOTH))[ACCOUNTS]
    async with database.transaction(db) as tx:
        await checkpoints.lose(tx, reader, ACCOUNTS)
    assert await places(db, reader) == {ACCOUNTS: checkpoints.NO_PLACE, ORDERS: "20"}
    after = (await checkpoints.get(db, reader, BOTH))[ACCOUNTS]
    assert (before.replay_id, after.replay_id) == ("10", checkpoints.NO_PLACE)
    assert (after.since, after.complete_until) == (before.since, before.complete_until)


async def test_a_channel_begins_complete_until_it_could_be_wanted_and_each_event_raises_that(
    db: Pool, reader: Reader
) -> None:
    begun = (await checkpoints.get(db, reader, BOTH))[ACCOUNTS]
    assert begun.complete_until == begun.since
    later = begun.since + timedelta(hours=1)
    async with database.transaction(db) as tx:
        await checkpoints.advance(tx, reader, {ACCOUNTS: Step("1", later)})
        await checkpoints.advance(tx, reader, {ACCOUNTS: Step("2", None)})
        await checkpoints.advance(tx, reader, {ACCOUNTS: Step("3", begun.since)})
        await checkpoints.advance(tx, reader, {})
    found = await checkpoints.get(db, reader, BOTH)
    assert (found[ACCOUNTS].replay_id, found[ACCOUNTS].complete_until) == ("3", later)
    assert found[ORDERS].complete_until == begun.since


async def test_a_silence_or_a_window_raises_up_to_when_channels_are_complete_and_never_lowers_it(
    db: Pool, reader: Reader
) -> None:
    since = (await checkpoints.get(db, reader, BOTH))[ACCOUNTS].since
    async with database.transaction(db) as tx:
        await checkpoints.complete(tx, reader, [ACCOUNTS], since + timedelta(hours=2))
        await checkpoints.complete(tx, reader, BOTH, since + timedelta(hours=1))
    found = await checkpoints.get(db, reader, BOTH)
    assert found[ACCOUNTS].complete_until == since + timedelta(hours=2)
    assert found[ORDERS].complete_until == since + timedelta(hours=1)


async def test_daemons_advancing_the_same_channels_do_not_deadlock(db: Pool, reader: Reader) -> None:
    one, other = {"accounts": "1", "orders": "1"}, {"orders": "2", "accounts": "2"}
    await asyncio.gather(*(advance(db, reader, **positions) for positions in (one, other) * 10))


async def test_an_integration_goes_live_once_when_it_is_first_enabled_and_connected(db: Pool) -> None:
    found = await new_integration(db, enabled=False)
    assert await live_at(db, found.integration_id) is None
    await integrations.enable(db, found.name)
    first = await live_at(db, found.integration_id)
    assert first is not None
    await integrations.disable(db, found.name)
    await integrations.enable(db, found.name)
    assert await live_at(db, found.integration_id) == first


async def test_a_channel_begins_when_the_integration_went_live_however_late_it_is_reached(
    db: Pool, integration: Integration
) -> None:
    first = await live_at(db, integration.integration_id)
    reader = Reader(integration.integration_id, ORG)
    ahead = timedelta(minutes=-7)
    await checkpoints.begin(db, reader, [ACCOUNTS], ahead)
    for _ in range(2):
        found = await begun(db, reader)
        assert first is not None
        assert (found.replay_id, found.since) == ("-1", first + ahead)


async def test_a_channel_that_the_mapping_needs_later_begins_with_its_import(
    db: Pool, integration: Integration
) -> None:
    reader = Reader(integration.integration_id, ORG)
    first = await begun(db, reader)
    await advance(db, reader, accounts="10")
    saved = await field_mappings.save(db, str(integration.field_mapping_name), "another text")
    later = await begun(db, reader, ORDERS)
    assert later.since == saved.updated_at > first.since
    assert (await begun(db, reader)).replay_id == "10", "the other goes on"


async def test_a_later_edit_does_not_move_the_beginning_of_what_an_earlier_one_wanted(
    db: Pool, integration: Integration
) -> None:
    reader, name = Reader(integration.integration_id, ORG), str(integration.field_mapping_name)
    await begun(db, reader)
    await follow(db, reader, integration.field_mapping_revision)
    wanting = await field_mappings.save(db, name, "names a channel")
    # Salesforce cannot be asked for its clock, so that nothing of it begins.
    edited = await field_mappings.save(db, name, "names a channel # and says why")
    await follow(db, reader, wanting.revision)  # by a stream that did not hear of the edit yet
    later = await begun(db, reader, ORDERS)
    assert later.since == wanting.updated_at < edited.updated_at
    await follow(db, reader, edited.revision)
    another = await field_mappings.save(db, name, "names one more")
    assert (await begun(db, reader, ENTITLEMENTS)).since == another.updated_at


async def follow(db: Pool, reader: Reader, revision: int | None) -> None:
    async with database.transaction(db) as tx:
        await checkpoints.followed(tx, reader, revision)


async def test_switching_it_off_and_on_does_not_move_its_beginning_in_another_org(
    db: Pool, integration: Integration
) -> None:
    await begun(db, Reader(integration.integration_id, ORG))
    moved = await connected_elsewhere(db, integration)
    await integrations.disable(db, integration.name)
    await integrations.enable(db, integration.name)
    later = await begun(db, Reader(integration.integration_id, ELSEWHERE))
    assert later.since == moved.updated_at


async def test_in_another_org_it_begins_when_it_was_connected_there(
    db: Pool, integration: Integration
) -> None:
    first = await begun(db, Reader(integration.integration_id, ORG))
    moved = await connected_elsewhere(db, integration)
    later = await begun(db, Reader(integration.integration_id, ELSEWHERE))
    assert later.since == moved.updated_at > first.since


async def test_connecting_it_once_more_to_the_same_org_does_not_move_its_beginning_there(
    db: Pool, integration: Integration
) -> None:
    await begun(db, Reader(integration.integration_id, ORG))
    moved = await connected_elsewhere(db, integration)
    credential_id = moved.salesforce_credential_id
    await integrations.connect(db, integration.name, salesforce_credential_id=credential_id)
    await integrations.connect(db, integration.name, m3ter_credential_id=integration.m3ter_credential_id)
    later = await begun(db, Reader(integration.integration_id, ELSEWHERE))
    assert later.since == moved.updated_at


async def test_an_object_that_was_silent_stays_so_when_it_is_read_until_something_is_heard_of_it(
    db: Pool, reader: Reader
) -> None:
    since, hour = (await begun(db, reader)).since, timedelta(hours=1)
    async with database.transaction(db) as tx:
        await checkpoints.follow_objects(tx, reader, {"Account": [ACCOUNTS], "Order": [ORDERS]})
        await checkpoints.complete_objects(tx, reader, {"Account": since + hour}, since)
        for number in (2, 3):
            until = since + number * hour
            await checkpoints.read_objects(tx, reader, ["Account", "Order"], until, until - hour)
            found = await checkpoints.objects(tx, reader)
            assert found == {"Account": Known(until, until - hour), "Order": Known(until)}
        await checkpoints.read_objects(tx, reader, ["Account"], since, since - hour)
        assert await checkpoints.objects(tx, reader) == found, "never lowered"
        await checkpoints.complete_objects(tx, reader, {"Account": since + 4 * hour})
        assert (await checkpoints.objects(tx, reader))["Account"] == Known(since + 4 * hour)
