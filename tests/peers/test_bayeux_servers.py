"""The CometD client against two Bayeux servers that nobody here wrote: cometd-nodejs-server and Faye."""

import asyncio
from collections.abc import AsyncIterator
from itertools import count
from typing import Any

import pytest

from connectors.salesforce import rest
from connectors.salesforce.models import ChangeEvent, SalesforceCredential
from connectors.salesforce.session import Session
from tests.integration.streams import ACCOUNTS, CONTACTS, Listener, listening
from tests.peers import bayeux_servers
from tests.peers.bayeux_servers import PROGRAMS, Peer
from tests.sandboxes import until

OVER = "over"
numbers = count(1)


@pytest.fixture(params=PROGRAMS)
async def peer(request: pytest.FixtureRequest) -> AsyncIterator[Peer]:
    async with bayeux_servers.serving(request.param) as running:
        yield running


def change(object_name: str = "Account", **more: Any) -> dict[str, Any]:
    """The `data` of one change event, with the next replay id."""
    header = {"entityName": object_name, "recordIds": ["001S90000010001IAA"], "changeType": "UPDATE"}
    return {"event": {"replayId": next(numbers)}, "payload": {"ChangeEventHeader": header, **more}}


async def names(listener: Listener, many: int) -> list[str]:
    """The names in the next `many` events, in their order."""
    found: list[str] = []
    while len(found) < many:
        for event in (await listener.heard()).events:
            assert isinstance(event, ChangeEvent), event
            found.append(event.payload["Name"])
    return found


async def test_it_shakes_hands_subscribes_and_receives_in_order(peer: Peer) -> None:
    async with listening(peer.login, {ACCOUNTS: None, CONTACTS: "17"}) as listener:
        await peer.subscribed(ACCOUNTS, CONTACTS)
        await peer.publish(CONTACTS, change("Contact", Name="first"))
        assert await names(listener, 1) == ["first"]
        said = [f"Acme {n}" for n in range(5000)]
        await peer.publish(ACCOUNTS, *(change(Name=name) for name in said))
        assert await names(listener, len(said)) == said
        assert listener.outages == []


async def test_a_held_poll_is_answered_when_something_happens(peer: Peer) -> None:
    async with listening(peer.login, {ACCOUNTS: None}) as listener:
        for name in ("first", "second", "third"):
            await peer.publish(ACCOUNTS, change(Name=name))
            assert await names(listener, 1) == [name]


async def test_it_survives_a_killed_and_restarted_server(peer: Peer) -> None:
    """A new server knows no session: a new handshake, and both subscriptions again."""
    async with listening(peer.login, {ACCOUNTS: None, CONTACTS: None}) as listener:
        await peer.subscribed(ACCOUNTS, CONTACTS)
        for name in ("first", "second"):
            hearing = asyncio.ensure_future(names(listener, 2))
            await peer.kill()
            await until(lambda: listener.outages[-1:] not in ([], [OVER]))
            await peer.start()
            await peer.subscribed(ACCOUNTS, CONTACTS)
            await peer.publish(ACCOUNTS, change(Name=name))
            await peer.publish(CONTACTS, change("Contact", Name=name))
            assert await hearing == [name, name]
        assert [str(each) == OVER for each in listener.outages] == [False, True] * 2


async def test_a_session_that_the_server_forgot_is_made_anew_and_is_no_outage(peer: Peer) -> None:
    """It says 402::session_unknown here, and 401:...:Unknown client there."""
    async with listening(peer.login, {ACCOUNTS: None}) as listener:
        await peer.subscribed(ACCOUNTS)
        await peer.publish(ACCOUNTS, change(Name="before"))
        assert await names(listener, 1) == ["before"]
        await peer.say(forget=True)
        hearing = asyncio.ensure_future(names(listener, 1))
        await peer.subscribed(ACCOUNTS)
        await peer.publish(ACCOUNTS, change(Name="after"))
        assert await hearing == ["after"]
        assert listener.outages == []


async def test_an_expired_token_is_renewed_and_the_session_goes_on(peer: Peer) -> None:
    async with listening(peer.login, {ACCOUNTS: None}) as listener:
        await peer.publish(ACCOUNTS, change(Name="before"))
        assert await names(listener, 1) == ["before"]
        await peer.say(expire=True)
        await peer.publish(ACCOUNTS, change(Name="after"))
        assert await names(listener, 1) == ["after"]
        assert await peer.told("token") == 1
        assert await peer.told("token") == 2
        assert listener.outages == []


async def test_a_token_endpoint_that_is_away_is_waited_out(peer: Peer) -> None:
    async with listening(peer.login, {ACCOUNTS: None}) as listener:
        await peer.publish(ACCOUNTS, change(Name="before"))
        assert await names(listener, 1) == ["before"]
        await peer.say(expire=True, closed=True)
        hearing = asyncio.ensure_future(names(listener, 1))
        await until(lambda: listener.outages != [])
        await peer.say(closed=False)
        await until(lambda: listener.outages[-1] == OVER)
        await peer.publish(ACCOUNTS, change(Name="after"))
        assert await hearing == ["after"]
        assert "503" in str(listener.outages[0])


async def test_every_exchange_of_a_session_carries_the_servers_cookie() -> None:
    """Without BAYEUX_BROWSER, this server takes each request for another browser."""
    async with bayeux_servers.serving("cometd") as peer, listening(peer.login, {ACCOUNTS: None}) as listener:
        await peer.publish(ACCOUNTS, change(Name="first"))
        assert await names(listener, 1) == ["first"]
        cookies = [await peer.told("cookies") for _ in ("handshake", "subscribe", "connect")]
        assert cookies == [[], ["BAYEUX_BROWSER"], ["BAYEUX_BROWSER"]]


async def test_a_session_that_was_let_expire_is_replaced() -> None:
    """A consumer slower than the server's patience: the server sweeps the session away by itself."""
    async with (
        bayeux_servers.serving("cometd", maxInterval=100) as peer,
        listening(peer.login, {ACCOUNTS: None}) as listener,
    ):
        await peer.publish(ACCOUNTS, change(Name="first"))
        assert await names(listener, 1) == ["first"]
        await peer.told("expired")
        hearing = asyncio.ensure_future(names(listener, 1))
        await peer.subscribed(ACCOUNTS)
        await peer.subscribed(ACCOUNTS)
        await peer.publish(ACCOUNTS, change(Name="second"))
        assert await hearing == ["second"]
        assert listener.outages == []


async def test_a_goodbye_is_understood(peer: Peer) -> None:
    async with rest.open(SalesforceCredential(**peer.login)) as salesforce, Session(salesforce) as session:
        await session.open({ACCOUNTS: "-1"})
        assert await session.poll() == []
        await session.leave()
        await peer.told("left")
