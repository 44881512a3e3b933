"""The sandbox's CometD speaks Bayeux as Salesforce documents it."""

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest

from connectors import wire
from tests.bayeux import Bayeux, client_of
from tests.sandboxes import LocalSandbox, until

CHANNEL = "/data/ChangeEvents"


@pytest.fixture
async def client(empty_sandbox: LocalSandbox) -> AsyncIterator[Bayeux]:
    async with client_of(empty_sandbox) as bare:
        yield bare


def change(sandbox: LocalSandbox, name: str = "Ada Freight") -> str:
    return sandbox.running.org.create("Account", {"Name": name})


async def until_held(client: Bayeux, sandbox: LocalSandbox) -> None:
    session = sandbox.running.stream.cometd.sessions.find(client.client_id)
    assert session is not None
    await until(lambda: session.is_held)


async def test_a_handshake_says_what_salesforce_says(client: Bayeux) -> None:
    reply = await client.handshake()
    assert reply["successful"] is True
    assert reply["supportedConnectionTypes"] == ["long-polling"]
    assert (reply["version"], reply["minimumVersion"]) == ("1.0", "1.0")
    assert reply["ext"] == {"replay": True, "payload.format": True}
    assert reply["advice"] == {"reconnect": "retry", "interval": 0, "timeout": 110000}


async def test_the_first_connect_returns_at_once_with_advice(client: Bayeux) -> None:
    await client.handshake()
    [reply] = await client.connect()
    assert reply["advice"] == {"reconnect": "retry", "interval": 0, "timeout": 110000}


async def test_a_connect_is_held_until_an_event(client: Bayeux, empty_sandbox: LocalSandbox) -> None:
    await client.listening_to(CHANNEL)
    waiting = asyncio.create_task(client.connect())
    await until_held(client, empty_sandbox)
    assert not waiting.done()
    record_id = change(empty_sandbox)
    message, reply = await waiting
    assert message["channel"] == CHANNEL
    assert message["data"]["payload"]["ChangeEventHeader"]["recordIds"] == [record_id]
    assert reply["successful"] is True
    assert "advice" not in reply


async def test_a_held_connect_returns_empty_after_110_seconds(
    client: Bayeux, empty_sandbox: LocalSandbox
) -> None:
    await client.listening_to(CHANNEL)
    waiting = asyncio.create_task(client.connect())
    await until_held(client, empty_sandbox)
    await empty_sandbox.salesforce_control.advance_clock(109)
    assert not waiting.done()
    await empty_sandbox.salesforce_control.advance_clock(1)
    [reply] = await waiting
    assert reply["successful"] is True


async def test_a_newer_connect_takes_the_place_of_a_held_one(
    client: Bayeux, empty_sandbox: LocalSandbox
) -> None:
    await client.listening_to(CHANNEL)
    first = asyncio.create_task(client.connect())
    await until_held(client, empty_sandbox)
    second = asyncio.create_task(client.connect())
    assert len(await first) == 1
    change(empty_sandbox)
    assert len(await second) == 2


async def test_paths_with_trailing_parts_are_the_same_endpoint(client: Bayeux) -> None:
    [reply] = await client.post(
        {"channel": "/meta/handshake", "supportedConnectionTypes": ["long-polling"]},
        path="/cometd/60.0/handshake",
    )
    client.client_id = reply["clientId"]
    asked = {"channel": "/meta/connect", "connectionType": "long-polling", "clientId": client.client_id}
    [connected] = await client.post(asked, path="/cometd/60.0/connect")
    assert connected["successful"] is True


@pytest.mark.parametrize("replay", [None, -1])
async def test_only_new_events_come_unless_asked(
    client: Bayeux, empty_sandbox: LocalSandbox, replay: int | None
) -> None:
    change(empty_sandbox, "Before")
    await client.handshake()
    await client.subscribe(CHANNEL, replay)
    change(empty_sandbox, "After")
    assert [data["payload"]["Name"] for data in await client.events()] == ["After"]


async def test_replay_minus_two_gives_all_retained_events(
    client: Bayeux, empty_sandbox: LocalSandbox
) -> None:
    first, second = change(empty_sandbox, "One"), change(empty_sandbox, "Two")
    await client.handshake()
    await client.subscribe(CHANNEL, -2)
    events = await client.events()
    assert [data["payload"]["ChangeEventHeader"]["recordIds"] for data in events] == [[first], [second]]


async def test_replay_from_an_id_gives_what_came_after_it(
    client: Bayeux, empty_sandbox: LocalSandbox
) -> None:
    await client.listening_to(CHANNEL)
    for name in ("One", "Two", "Three"):
        change(empty_sandbox, name)
    one, two, three = await client.events()
    await client.handshake()
    assert (await client.subscribe(CHANNEL, one["event"]["replayId"]))["successful"] is True
    assert await client.events() == [two, three]


async def test_replay_ids_increase_with_holes(client: Bayeux, empty_sandbox: LocalSandbox) -> None:
    await client.listening_to(CHANNEL)
    for number in range(60):
        change(empty_sandbox, f"Customer {number}")
    ids = [data["event"]["replayId"] for data in await client.events()]
    assert ids == sorted(set(ids))
    assert len(ids) == 60
    assert ids[-1] - ids[0] > 60


async def test_a_large_backlog_comes_in_chunks_complete_and_in_order(
    client: Bayeux, empty_sandbox: LocalSandbox
) -> None:
    for number in range(4_500):
        change(empty_sandbox, f"Customer {number}")
    await client.handshake()
    await client.subscribe(CHANNEL, -2)
    sizes, names = [], []
    while events := await client.events():
        sizes.append(len(events))
        names += [data["payload"]["Name"] for data in events]
    assert names == [f"Customer {number}" for number in range(4_500)]
    assert len(sizes) > 2
    assert max(sizes) <= 2_000


async def test_two_channels_of_one_session_are_read_in_replay_order(
    client: Bayeux, empty_sandbox: LocalSandbox
) -> None:
    await client.listening_to("/data/AccountChangeEvent", "/data/ContactChangeEvent")
    org = empty_sandbox.running.org
    org.create("Contact", {"LastName": "Hill"})
    account_id = change(empty_sandbox)
    org.create("Lead", {"LastName": "Woods", "Company": "None of ours"})
    org.create("Contact", {"LastName": "Dale", "AccountId": account_id})
    entities = [data["payload"]["ChangeEventHeader"]["entityName"] for data in await client.events()]
    assert entities == ["Contact", "Account", "Contact"]


async def test_one_message_may_subscribe_to_several_channels(
    client: Bayeux, empty_sandbox: LocalSandbox
) -> None:
    record_id = change(empty_sandbox)
    await client.handshake()
    channels = ["/data/AccountChangeEvent", "/data/Nothing__ChangeEvent", "/data/ContactChangeEvent"]
    asked = {"channel": "/meta/subscribe", "subscription": channels, "clientId": client.client_id}
    replies = await client.post({**asked, "ext": {"replay": {channels[0]: -2}}})
    heard = [(reply["subscription"], reply["successful"]) for reply in replies]
    assert heard == list(zip(channels, (True, False, True), strict=True))
    [event] = await client.events()
    assert event["payload"]["ChangeEventHeader"]["recordIds"] == [record_id]


async def test_an_unsubscribed_channel_is_quiet(client: Bayeux, empty_sandbox: LocalSandbox) -> None:
    await client.listening_to(CHANNEL)
    asked = {"channel": "/meta/unsubscribe", "subscription": CHANNEL, "clientId": client.client_id}
    [reply] = await client.post(asked)
    assert reply["successful"] is True
    change(empty_sandbox)
    assert await client.events() == []


async def test_a_disconnected_client_is_unknown(client: Bayeux) -> None:
    await client.listening_to(CHANNEL)
    [reply] = await client.post({"channel": "/meta/disconnect", "clientId": client.client_id})
    assert reply["successful"] is True
    [refused] = await client.connect()
    assert refused["error"] == "403::Unknown client"


async def test_several_messages_in_one_post_are_answered_in_order(client: Bayeux) -> None:
    await client.handshake()
    replies = await client.post(
        {"channel": "/meta/subscribe", "subscription": CHANNEL, "clientId": client.client_id, "id": "a"},
        {
            "channel": "/meta/connect",
            "connectionType": "long-polling",
            "clientId": client.client_id,
            "id": "b",
        },
        {
            "channel": "/meta/connect",
            "connectionType": "long-polling",
            "clientId": client.client_id,
            "id": "c",
        },
    )
    assert [(reply["id"], reply["successful"]) for reply in replies] == [
        ("a", True),
        ("b", True),
        ("c", True),
    ]


async def test_a_client_without_cookies_is_told_so(client: Bayeux, empty_sandbox: LocalSandbox) -> None:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as forgetful:
        bare = Bayeux(empty_sandbox.salesforce["url"], client.token, forgetful)
        await bare.handshake()
        reply = await bare.subscribe(CHANNEL)
    assert reply["successful"] is False
    assert reply["error"].startswith("400::Client ")
    assert reply["error"].endswith("no sfdc-stream cookie present")


async def test_a_body_over_32768_bytes_is_refused(client: Bayeux) -> None:
    status, text = await client.raw(wire.dumps([{"channel": "/meta/handshake", "ext": {"x": "y" * 32_768}}]))
    assert (status, text) == (413, "Maximum Request Size Exceeded")


@pytest.mark.parametrize(
    ("path", "start"), [("/cometd/36.0/", "Unsupported API version."), ("/cometd", "API version")]
)
async def test_api_versions_before_37_are_refused(client: Bayeux, path: str, start: str) -> None:
    status, text = await client.raw(b"[]", path=path)
    assert status == 400
    assert text.startswith(start)


@pytest.mark.parametrize("body", [b"nonsense", b"[]", b"[1]", b'"text"'])
async def test_what_is_no_bayeux_message_is_a_bad_request(client: Bayeux, body: bytes) -> None:
    status, _ = await client.raw(body)
    assert status == 400
