"""What one session must get right: which reply is whose, what is taken back, long polls, large answers.

Where the defects of aiosfstream and aiocometd (which cannot be used here) are each proved not to be ours:
a token endpoint that says no   test_a_credential_refused_for_a_while..., ..._weather (a 503 of it)
a channel dropped silently      test_each_channel_gets_its_own_reply, test_what_the_server_takes_back...
advice.interval in seconds      ..._protocol, test_an_interval_is_asked_for_before_the_next_session
a client that cannot reopen     test_a_stream_that_has_ended_can_be_read_again
pages of HTML, extra log-ins    ..._refused
duplicates under back-pressure  test_salesforce_stream, test_sync_subscriber_backpressure
a cancelled wait loses events   test_salesforce_stream (not durable: replayed)
a place kept before its work    test_salesforce_stream, test_sync_subscriber_trouble
a replay id of 0 taken for none test_the_replay_id_0_is_a_place
no deadline                     ..._holes
cookies for addresses           ..._protocol
"""

import asyncio
from contextlib import aclosing
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import web

from connectors.errors import AuthenticationError, TransientError
from connectors.salesforce import rest, session
from connectors.salesforce.models import SalesforceCredential
from connectors.salesforce.stream import ChangeStream, ChannelRefused
from tests.integration import fake_server
from tests.integration.streams import ACCOUNTS, CONTACTS, QUICK, listening, new_account
from tests.integration.test_salesforce_stream import until_held
from tests.integration.test_salesforce_stream_protocol import (
    PATH,
    SUBSCRIBED,
    connected,
    login,
    quiet,
    replay_ids,
    sent,
    shaken,
)
from tests.sandboxes import LocalSandbox

BOTH = {ACCOUNTS: "7", CONTACTS: "7"}
GOOD = {"channel": "/meta/subscribe", "successful": True}
NO_CHANNEL = {"channel": "/meta/subscribe", "successful": False, "error": "400::The channel doesn't exist"}


@pytest.mark.parametrize("name", ["id", "subscription"])
async def test_each_channel_gets_its_own_reply(name: str) -> None:
    """In whatever order they come, and whether the server repeats the id or not."""
    replies = fake_server.json([{**NO_CHANNEL, name: CONTACTS}, {**GOOD, name: ACCOUNTS}])
    async with fake_server.serving() as fake:
        fake.on("POST", PATH, shaken(), replies)
        with pytest.raises(ChannelRefused) as caught:
            async with listening(login(fake), BOTH):
                pass
    assert caught.value.channel == CONTACTS


@pytest.mark.parametrize(
    "replies", [[GOOD, GOOD], [{**GOOD, "id": ACCOUNTS}], []], ids=["without names", "one of two", "none"]
)
async def test_a_subscription_without_a_reply_is_not_taken_for_granted(replies: list[Any]) -> None:
    both = fake_server.json([{**GOOD, "id": channel} for channel in BOTH])
    answer = fake_server.json(replies)
    async with fake_server.serving() as fake:
        fake.on("POST", PATH, shaken(), answer, shaken(), both, connected(8), quiet)
        async with listening(login(fake), BOTH) as listener:
            assert await replay_ids(listener) == ["8"]
            assert len(listener.outages) == 2


@pytest.mark.parametrize(
    "taken_back",
    [
        {"channel": "/meta/disconnect", "successful": True},
        {"channel": "/meta/unsubscribe", "successful": True, "subscription": ACCOUNTS},
        {
            "channel": "/meta/subscribe",
            "successful": False,
            "subscription": ACCOUNTS,
            "error": "403::no more",
        },
    ],
    ids=lambda reply: str(reply["channel"]),
)
async def test_what_the_server_takes_back_unasked_is_subscribed_again(taken_back: dict[str, Any]) -> None:
    """A subscription must not die and look alive. What came with it is heard all the same."""
    header = {"entityName": "Account", "recordIds": ["001S90000010001IAA"], "changeType": "UPDATE"}
    event = {
        "channel": ACCOUNTS,
        "data": {"event": {"replayId": 8}, "payload": {"ChangeEventHeader": header}},
    }
    with_event = fake_server.json([event, taken_back, {"channel": "/meta/connect", "successful": True}])
    async with fake_server.serving() as fake:
        fake.on("POST", PATH, shaken(), SUBSCRIBED, with_event, shaken(), SUBSCRIBED, connected(9), quiet)
        async with listening(login(fake), {ACCOUNTS: "7"}) as listener:
            assert await replay_ids(listener) == ["8"]
            assert await replay_ids(listener) == ["9"]
            assert listener.outages == []
        assert [each["ext"]["replay"] for each in sent(fake) if "subscription" in each] == [
            {ACCOUNTS: 7},
            {ACCOUNTS: 8},
        ]


async def test_an_interval_is_asked_for_before_the_next_session() -> None:
    advice = {"reconnect": "handshake", "interval": 1234}
    unknown = {"channel": "/meta/connect", "successful": False, "error": "403::Unknown client"}
    async with fake_server.serving() as fake:
        fake.on("POST", PATH, shaken(), SUBSCRIBED, fake_server.json([{**unknown, "advice": advice}]), quiet)
        async with (
            rest.open(SalesforceCredential(**login(fake))) as salesforce,
            session.Session(salesforce) as opened,
        ):
            await opened.open({ACCOUNTS: "7"})
            with pytest.raises(TransientError) as caught:
                await opened.poll()
    assert caught.value.retry_after == timedelta(milliseconds=1234)


async def test_the_replay_id_0_is_a_place() -> None:
    async with fake_server.serving() as fake:
        rounds = [shaken(), SUBSCRIBED, connected(0), fake_server.reset()]
        fake.on("POST", PATH, *rounds, shaken(), SUBSCRIBED, connected(1), quiet)
        async with listening(login(fake), {ACCOUNTS: "0"}) as listener:
            assert await replay_ids(listener) == ["0"]
            assert await replay_ids(listener) == ["1"]
        assert [each["ext"]["replay"] for each in sent(fake) if "subscription" in each] == [{ACCOUNTS: 0}] * 2


async def test_five_thousand_events_come_in_one_answer() -> None:
    async with fake_server.serving() as fake:
        fake.on("POST", PATH, shaken(), SUBSCRIBED, connected(*range(5_000)), connected(5_000), quiet)
        async with listening(login(fake), {ACCOUNTS: "7"}) as listener:
            assert await replay_ids(listener) == [str(n) for n in range(5_000)]
            assert await replay_ids(listener) == ["5000"]


async def test_many_channels_fit_the_requests_that_salesforce_takes() -> None:
    """Up to 32,768 bytes each; the names of custom channels have up to 40 characters and a namespace."""
    channels = {f"/data/namespace_of_15__{'x' * 36}{n:04d}__chn": f"{10**15 + n}" for n in range(200)}

    async def grant_all(request: web.Request) -> web.StreamResponse:
        asked = await request.json()
        if asked[0]["channel"] != "/meta/subscribe":
            return await quiet(request)
        return await fake_server.json([{**GOOD, "id": each["id"]} for each in asked])(request)

    async with fake_server.serving() as fake:
        fake.on("POST", PATH, shaken(), grant_all)
        async with listening(login(fake), channels):
            pass
        assert {each["subscription"] for each in sent(fake) if "subscription" in each} == set(channels)
        assert max(len(call.body) for call in fake.calls(PATH)) <= 32_768


async def test_a_poll_may_last_as_long_as_the_server_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """110 seconds by Salesforce's advice, whatever the limit of other exchanges."""
    monkeypatch.setattr(session, "_LIMITS", replace(session._LIMITS, answer=timedelta(milliseconds=50)))

    async def late(request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(0.3)
        return await connected(8)(request)

    async with fake_server.serving() as fake:
        fake.on("POST", PATH, shaken(), SUBSCRIBED, late, quiet)
        async with listening(login(fake), {ACCOUNTS: "7"}) as listener:
            assert await replay_ids(listener) == ["8"]
            assert listener.outages == []


async def test_a_poll_that_is_held_in_vain_is_followed_by_the_next(empty_sandbox: LocalSandbox) -> None:
    async with listening(empty_sandbox.salesforce, {ACCOUNTS: None}) as listener:
        hearing = asyncio.ensure_future(listener.event())
        for _ in range(3):
            await until_held(empty_sandbox)
            await empty_sandbox.salesforce_control.advance_clock(110)
        await until_held(empty_sandbox)
        account_id = await new_account(listener.salesforce)
        assert (await hearing).record_ids == (account_id,)
        assert listener.outages == []
    asked = await empty_sandbox.salesforce_control.journal("path=/cometd/*&bodies=1")
    assert sum("/meta/handshake" in str(each) for each in asked) == 1


async def test_a_credential_refused_for_a_while_is_taken_up_again() -> None:
    """The stream ends and says why; read again, it asks for a token again and goes on from its place."""
    async with fake_server.serving() as fake:
        fake.on("POST", PATH, shaken(), SUBSCRIBED, connected(8), quiet)
        given = SalesforceCredential(**login(fake))
        inactive = fake_server.json({"error": "invalid_grant", "error_description": "inactive user"}, 400)
        fake.answers["POST", "/services/oauth2/token"].insert(0, inactive)
        async with rest.open(given) as salesforce:
            stream = ChangeStream(salesforce, pace=QUICK)
            with pytest.raises(AuthenticationError, match="inactive user"):
                await anext(stream.batches({ACCOUNTS: "7"}))
            async with aclosing(stream.batches({ACCOUNTS: "7"})) as batches:
                assert (await anext(batches)).events == ()
                assert [event.replay_id for event in (await anext(batches)).events] == ["8"]


async def test_a_stream_that_has_ended_can_be_read_again(empty_sandbox: LocalSandbox) -> None:
    async with rest.open(SalesforceCredential(**empty_sandbox.salesforce)) as salesforce:
        stream = ChangeStream(salesforce, pace=QUICK)
        for _ in range(2):
            async with aclosing(stream.batches({ACCOUNTS: None})) as batches:
                assert (await anext(batches)).events == ()
                await new_account(salesforce)
                assert len((await anext(batches)).events) == 1
