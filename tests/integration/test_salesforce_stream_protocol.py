"""The change stream against a scripted server: advice, deadlines, cookies, what is sent."""

import time
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import web

from connectors.salesforce import session
from tests.integration import fake_server
from tests.integration.fake_server import FakeServer, Handler
from tests.integration.streams import ACCOUNTS, Listener, listening

PATH = "/cometd/67.0/"


def shaken(**advice: Any) -> Handler:
    reply = {
        "channel": "/meta/handshake",
        "successful": True,
        "clientId": "c1",
        "advice": {"reconnect": "retry", "interval": 0, "timeout": 110_000, **advice},
    }
    return fake_server.json([reply], headers={"Set-Cookie": "sfdc-stream=abc; Path=/cometd"})


SUBSCRIBED = fake_server.json([{"channel": "/meta/subscribe", "successful": True, "subscription": ACCOUNTS}])


def connected(*replay_ids: int, **more: Any) -> Handler:
    header = {"entityName": "Account", "recordIds": ["001S90000010001IAA"], "changeType": "UPDATE"}
    events = [
        {"channel": ACCOUNTS, "data": {"event": {"replayId": n}, "payload": {"ChangeEventHeader": header}}}
        for n in replay_ids
    ]
    return fake_server.json([*events, {"channel": "/meta/connect", "successful": True, **more}])


async def quiet(request: web.Request) -> web.StreamResponse:
    """Holds every connect, and answers a goodbye."""
    if b"/meta/connect" in await request.read():
        return await fake_server.hang()(request)
    return await fake_server.json([{"channel": "/meta/disconnect", "successful": True}])(request)


def login(fake: FakeServer) -> dict[str, Any]:
    token = {"access_token": "t", "instance_url": fake.url}
    fake.on("POST", "/services/oauth2/token", fake_server.json(token))
    return {"url": fake.url, "client_id": "c", "client_secret": "s"}


def sent(fake: FakeServer) -> list[dict[str, Any]]:
    return [message for call in fake.calls(PATH) for message in call.json]


async def replay_ids(listener: Listener) -> list[str]:
    return [event.replay_id for event in (await listener.heard()).events]


async def test_the_messages_are_bayeux_with_replay_and_cookies_come_back() -> None:
    async with fake_server.serving() as fake:
        fake.on("POST", PATH, shaken(), SUBSCRIBED, connected(8), quiet)
        async with listening(login(fake), {ACCOUNTS: "7"}) as listener:
            assert await replay_ids(listener) == ["8"]
        handshake, subscribe, connect = sent(fake)[:3]
        assert handshake["supportedConnectionTypes"] == ["long-polling"]
        assert handshake["ext"] == {"replay": True}
        assert subscribe["ext"] == {"replay": {ACCOUNTS: 7}}
        assert connect["connectionType"] == "long-polling"
        calls = fake.calls(PATH)
        assert all(call.headers["Authorization"] == "Bearer t" for call in calls)
        assert "Cookie" not in calls[0].headers
        assert all("sfdc-stream=abc" in call.headers["Cookie"] for call in calls[1:])


async def test_the_interval_of_the_advice_is_in_milliseconds() -> None:
    async with fake_server.serving() as fake:
        fake.on("POST", PATH, shaken(interval=150), SUBSCRIBED, connected(1), connected(2), quiet)
        async with listening(login(fake), {ACCOUNTS: None}) as listener:
            assert await replay_ids(listener) == ["1"]
            began = time.monotonic()
            assert await replay_ids(listener) == ["2"]
            assert 0.14 < time.monotonic() - began < 5


async def test_a_poll_that_outlasts_its_advice_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "_MARGIN", timedelta(milliseconds=50))
    async with fake_server.serving() as fake:
        again = [shaken(), SUBSCRIBED, connected(5), quiet]
        fake.on("POST", PATH, shaken(timeout=50), SUBSCRIBED, connected(4), quiet, *again)
        async with listening(login(fake), {ACCOUNTS: None}) as listener:
            assert await replay_ids(listener) == ["4"]
            assert await replay_ids(listener) == ["5"]
            assert "no answer" in str(listener.outages[0])
        positions = [
            message["ext"]["replay"][ACCOUNTS] for message in sent(fake) if "subscription" in message
        ]
        assert positions == [-1, 4]


async def test_events_on_the_back_of_a_subscribe_are_kept() -> None:
    both = fake_server.json(
        [
            {"channel": "/meta/subscribe", "successful": True, "subscription": ACCOUNTS},
            {"channel": ACCOUNTS, "data": {"event": {"replayId": 3}, "payload": {}}},
        ]
    )
    async with fake_server.serving() as fake:
        fake.on("POST", PATH, shaken(), both, connected(4), quiet)
        async with listening(login(fake), {ACCOUNTS: None}) as listener:
            assert await replay_ids(listener) == ["3", "4"]


async def test_advice_to_shake_hands_again_is_taken() -> None:
    async with fake_server.serving() as fake:
        restart = connected(1, advice={"reconnect": "handshake", "interval": 0})
        again = [shaken(), SUBSCRIBED, connected(2), quiet]
        fake.on("POST", PATH, shaken(), SUBSCRIBED, restart, *again)
        async with listening(login(fake), {ACCOUNTS: None}) as listener:
            assert await replay_ids(listener) == ["1"]
            assert await replay_ids(listener) == ["2"]
            assert listener.outages == []


async def test_a_refusal_after_refusal_slows_down_and_is_an_outage() -> None:
    """cometd #2480: 403::Unknown client right after each handshake."""
    unknown = fake_server.json(
        [
            {
                "channel": "/meta/connect",
                "successful": False,
                "error": "403::Unknown client",
                "advice": {"reconnect": "handshake", "interval": 0},
            }
        ]
    )
    rounds = [shaken(), SUBSCRIBED, unknown] * 4
    async with fake_server.serving() as fake:
        fake.on("POST", PATH, *rounds, shaken(), SUBSCRIBED, connected(9), quiet)
        async with listening(login(fake), {ACCOUNTS: None}) as listener:
            assert await replay_ids(listener) == ["9"]
            assert "Unknown client" in str(listener.outages[0])
            assert listener.outages[1:] == ["over"]


async def test_a_meta_answer_with_an_http_error_status_is_still_read() -> None:
    denied = {"channel": "/meta/connect", "successful": False, "error": "401::Authentication invalid"}
    async with fake_server.serving() as fake:
        unauthorized = fake_server.json([{**denied, "advice": {"reconnect": "none"}}], status=401)
        again = [shaken(), SUBSCRIBED, connected(2), quiet]
        fake.on("POST", PATH, shaken(), SUBSCRIBED, connected(1), unauthorized, *again)
        async with listening(login(fake), {ACCOUNTS: None}) as listener:
            assert await replay_ids(listener) == ["1"]
            assert await replay_ids(listener) == ["2"]
        assert len(fake.calls("/services/oauth2/token")) == 2
