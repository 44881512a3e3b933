"""The sandbox's CometD refuses in Salesforce's words, of itself and when told to."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.bayeux import Bayeux, client_of
from tests.sandboxes import LocalSandbox, until

CHANNEL = "/data/ChangeEvents"
INVALID_REPLAY = (
    "400::The replayId {} you provided was invalid.  "
    "Please provide a valid ID, -2 to replay all events, or -1 to replay only new events."
)


@pytest.fixture
async def client(empty_sandbox: LocalSandbox) -> AsyncIterator[Bayeux]:
    async with client_of(empty_sandbox) as bare:
        yield bare


async def one_replay_id(client: Bayeux, sandbox: LocalSandbox) -> int:
    await client.listening_to(CHANNEL)
    sandbox.running.org.create("Account", {"Name": "Ada Freight"})
    [data] = await client.events()
    replay_id: int = data["event"]["replayId"]
    return replay_id


@pytest.mark.parametrize("channel", ["/data/accountChangeEvent", "/data/Nothing__ChangeEvent", "/topic/X"])
async def test_a_channel_that_does_not_exist_is_refused(client: Bayeux, channel: str) -> None:
    await client.handshake()
    reply = await client.subscribe(channel)
    assert reply["error"] == f"400::The channel you requested to subscribe to doesn't exist {channel}"


async def test_a_channel_without_a_leading_slash_is_refused(client: Bayeux) -> None:
    await client.handshake()
    assert (await client.subscribe("data/ChangeEvents"))["error"].startswith(
        "400::Channel subscriptions must"
    )


@pytest.mark.parametrize("replay", [7, 0, -3, "text", 10**12, True])
async def test_a_replay_id_that_was_never_issued_is_refused(client: Bayeux, replay: object) -> None:
    await client.handshake()
    reply = await client.subscribe(CHANNEL, replay)
    assert (reply["successful"], reply["error"]) == (False, INVALID_REPLAY.format(replay))


async def test_a_replay_id_between_two_issued_ones_is_refused(
    client: Bayeux, empty_sandbox: LocalSandbox
) -> None:
    await client.listening_to(CHANNEL)
    for number in range(40):
        empty_sandbox.running.org.create("Account", {"Name": f"Customer {number}"})
    ids = {data["event"]["replayId"] for data in await client.events()}
    hole = next(each for each in range(min(ids), max(ids)) if each not in ids)
    assert (await client.subscribe(CHANNEL, hole))["error"] == INVALID_REPLAY.format(hole)


async def test_a_replay_id_is_refused_after_72_hours(client: Bayeux, empty_sandbox: LocalSandbox) -> None:
    replay_id = await one_replay_id(client, empty_sandbox)
    await empty_sandbox.salesforce_control.advance_clock(72 * 3600 - 60)
    client.token = empty_sandbox.running.org.sessions.open(empty_sandbox.running.org.actor.user_id).token
    await client.handshake()
    assert (await client.subscribe(CHANNEL, replay_id))["successful"] is True
    await empty_sandbox.salesforce_control.advance_clock(61)
    await client.handshake()
    assert (await client.subscribe(CHANNEL, replay_id))["error"] == INVALID_REPLAY.format(replay_id)


async def test_a_purged_replay_id_is_refused(client: Bayeux, empty_sandbox: LocalSandbox) -> None:
    replay_id = await one_replay_id(client, empty_sandbox)
    assert (await empty_sandbox.salesforce_control.fault("purge"))["purged"] == 1
    assert (await client.subscribe(CHANNEL, replay_id))["error"] == INVALID_REPLAY.format(replay_id)


async def test_a_session_ends_40_seconds_after_its_last_connect(
    client: Bayeux, empty_sandbox: LocalSandbox
) -> None:
    await client.listening_to(CHANNEL)
    await empty_sandbox.salesforce_control.advance_clock(39)
    assert await client.events() == []
    await empty_sandbox.salesforce_control.advance_clock(41)
    [reply] = await client.connect()
    assert (reply["successful"], reply["error"]) == (False, "403::Unknown client")
    assert reply["advice"] == {"reconnect": "handshake", "interval": 0}


async def test_a_dropped_session_is_an_unknown_client_at_once(
    client: Bayeux, empty_sandbox: LocalSandbox
) -> None:
    await client.listening_to(CHANNEL)
    session = empty_sandbox.running.stream.cometd.sessions.find(client.client_id)
    assert session is not None
    waiting = asyncio.create_task(client.connect())
    await until(lambda: session.is_held)
    assert (await empty_sandbox.salesforce_control.fault("drop_session"))["dropped"] == 1
    [reply] = await waiting
    assert reply["error"] == "403::Unknown client"


async def test_a_token_that_ends_ends_the_held_connect(client: Bayeux, empty_sandbox: LocalSandbox) -> None:
    await client.listening_to(CHANNEL)
    empty_sandbox.running.org.expire_sessions()
    [reply] = await client.connect()
    assert reply["error"] == "401::Authentication invalid"
    assert reply["advice"] == {"reconnect": "none", "interval": 0}


@pytest.mark.parametrize(
    ("token", "reason"),
    [("", "401::Request requires authentication"), ("made-up", "401::Authentication invalid")],
)
async def test_a_handshake_without_a_good_token_is_denied(client: Bayeux, token: str, reason: str) -> None:
    client.token = token
    reply = await client.handshake()
    assert (reply["successful"], reply["error"]) == (False, "403::Handshake denied")
    assert reply["ext"]["sfdc"]["failureReason"] == reason
    assert reply["advice"]["reconnect"] == "none"


async def test_only_long_polling_is_offered(client: Bayeux) -> None:
    reply = await client.handshake(supportedConnectionTypes=["websocket"])
    assert reply["error"] == "400::Invalid connection type websocket"


async def test_too_many_clients_are_denied(
    client: Bayeux, empty_sandbox: LocalSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connectors.sandbox.salesforce.cometd.LARGEST_ORG", 2)
    await client.handshake()
    await client.handshake()
    reply = await client.handshake()
    assert reply["ext"]["sfdc"]["failureReason"] == "403::Organization concurrent user limit exceeded"
    await empty_sandbox.salesforce_control.advance_clock(41)
    assert (await client.handshake())["successful"] is True


async def test_faults_refuse_the_next_messages_as_told(client: Bayeux, empty_sandbox: LocalSandbox) -> None:
    control = empty_sandbox.salesforce_control
    replay_id = await one_replay_id(client, empty_sandbox)
    await control.fault("refuse_replay")
    assert (await client.subscribe(CHANNEL, replay_id))["error"] == INVALID_REPLAY.format(replay_id)
    assert (await client.subscribe(CHANNEL, replay_id))["successful"] is True
    await control.fault("refuse_subscription", channel="/data/*", error="403::Subscription limit exceeded")
    assert (await client.subscribe(CHANNEL))["error"] == "403::Subscription limit exceeded"
    await control.fault("unauthorized")
    assert (await client.connect())[0]["error"] == "401::Authentication invalid"
    await control.fault("too_busy", on="handshake")
    reply = await client.handshake()
    assert reply["error"] == "401::Authentication invalid"
    assert reply["ext"]["sfdc"]["failureReason"].startswith("503::Server is too busy.")
    await control.fault("deny_handshake", error="403::To be told", times=None)
    assert (await client.handshake())["ext"]["sfdc"]["failureReason"] == "403::To be told"
    await control.clear_faults()
    assert (await client.handshake())["successful"] is True


async def test_an_unauthorized_fault_reaches_a_connect_that_is_held(
    client: Bayeux, empty_sandbox: LocalSandbox
) -> None:
    await client.listening_to(CHANNEL)
    session = empty_sandbox.running.stream.cometd.sessions.find(client.client_id)
    assert session is not None
    waiting = asyncio.create_task(client.connect())
    await until(lambda: session.is_held)
    await empty_sandbox.salesforce_control.fault("unauthorized")
    [reply] = await waiting
    assert reply["error"] == "401::Authentication invalid"


async def test_an_html_503_takes_the_place_of_a_reply(client: Bayeux, empty_sandbox: LocalSandbox) -> None:
    await empty_sandbox.salesforce_control.fault(
        "status", status=503, body="<html>Down for maintenance</html>", match={"path": "/cometd/*"}, times=1
    )
    assert await client.raw(b"[]") == (503, "<html>Down for maintenance</html>")


async def test_an_unknown_streaming_fault_is_refused(empty_sandbox: LocalSandbox) -> None:
    control = empty_sandbox.salesforce_control
    nothing = {"kind": "gap", "object": "Nothing", "record_ids": []}
    documents: list[object] = [{"kind": "gap"}, nothing, {"kind": "boo"}, []]
    for document in documents:
        async with control.session.post(f"{control.base_url}/sandbox/faults", json=document) as response:
            assert response.status == 400
            assert (await response.json())["message"]
