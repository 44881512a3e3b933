"""The change stream over a wire that breaks: nothing hangs for ever, and nothing is lost by it.

Every kind of exchange (token, handshake, subscribe, first connect, held connect, goodbye) meets every kind of
silence: a request that is swallowed, an answer that never comes, comes by half, or comes byte by byte.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from connectors.exchange import Limits
from connectors.salesforce import rest, session
from connectors.salesforce.models import ChangeEvent, SalesforceCredential
from connectors.sandbox.salesforce import cometd, cometd_messages
from tests.integration import wires
from tests.integration.salesforce_calls import logged_in
from tests.integration.streams import ACCOUNTS, Listener, listening
from tests.integration.test_salesforce_stream import until_held
from tests.integration.wires import Break, Wire
from tests.sandboxes import LocalSandbox, until

PATIENCE = timedelta(seconds=1)
HASTY = Limits(answer=PATIENCE, connect=PATIENCE, attempts=1)
SILENCES = [Break.SWALLOW, Break.MUTE, Break.TORSO, Break.DRIBBLE]
# Where the wire breaks, and whether a token must be had first for that exchange to take place.
EXCHANGES = {
    "the token": "/services/oauth2/token",
    "the handshake": "/meta/handshake",
    "the subscription": "/meta/subscribe",
    "the connect": "/meta/connect",
}


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every deadline as it is, but short: an exchange without one still hangs here for ever.

    The server holds a poll for as long as its advice says, as Salesforce does for 110 seconds.
    """
    monkeypatch.setattr(session, "_LIMITS", replace(session._LIMITS, answer=PATIENCE, connect=PATIENCE))
    monkeypatch.setattr(session, "_MARGIN", PATIENCE)
    monkeypatch.setattr(cometd, "HOLD", PATIENCE)
    monkeypatch.setitem(cometd_messages.RETRY, "timeout", int(PATIENCE.total_seconds() * 1000))


@asynccontextmanager
async def wired(sandbox: LocalSandbox) -> AsyncIterator[tuple[Wire, Listener]]:
    """A listener that has an event, and whose wire may break from now on."""
    async with wires.to(sandbox.salesforce["url"]) as wire:
        login: dict[str, Any] = {**sandbox.salesforce, "url": wire.url}
        async with listening(login, {ACCOUNTS: None}, HASTY) as listener, logged_in(sandbox) as writer:
            await writer.create("Account", Name="first")
            assert (await listener.event()).payload["Name"] == "first"
            yield wire, listener


async def change(sandbox: LocalSandbox, name: str) -> None:
    async with logged_in(sandbox) as writer:
        await writer.create("Account", Name=name)


@pytest.mark.parametrize("how", [*SILENCES, Break.CUT])
@pytest.mark.parametrize("exchange", EXCHANGES)
async def test_nothing_is_lost_and_nothing_hangs_by(
    exchange: str, how: Break, empty_sandbox: LocalSandbox
) -> None:
    async with wired(empty_sandbox) as (wire, listener):
        if exchange == "the token":
            await empty_sandbox.salesforce_control.call("POST", "org/expire-sessions", {})
        elif exchange != "the connect":
            await empty_sandbox.salesforce_control.fault("drop_session")
        wire.breaks(how, EXCHANGES[exchange])
        await change(empty_sandbox, "second")
        assert (await listener.event()).payload["Name"] == "second"
        assert wire.left == 0, "it did break"
        await change(empty_sandbox, "third")
        assert (await listener.event()).payload["Name"] == "third"
        assert [each == "over" for each in listener.outages] == [False, True]


@pytest.mark.parametrize("how", SILENCES)
async def test_a_held_poll_that_falls_silent_is_given_up(how: Break, empty_sandbox: LocalSandbox) -> None:
    """No end of the connection is seen: only the server's own advice tells how long an answer may take."""
    async with wired(empty_sandbox) as (wire, listener):
        wire.breaks(how, "/meta/connect", times=2)
        hearing = asyncio.ensure_future(listener.event())
        await until(lambda: listener.outages != [])
        await change(empty_sandbox, "second")
        assert (await hearing).payload["Name"] == "second"


async def test_half_open_connections_are_left_for_new_ones(empty_sandbox: LocalSandbox) -> None:
    """The far machine has vanished: no reset, no answer, no new connection either, for a while."""
    async with wired(empty_sandbox) as (wire, listener):
        await change(empty_sandbox, "second")
        wire.goes_silent()
        hearing = asyncio.ensure_future(listener.heard())
        await until(lambda: listener.outages != [])
        await change(empty_sandbox, "third")
        wire.comes_back()
        heard = [event.payload["Name"] for event in (await hearing).events if isinstance(event, ChangeEvent)]
        assert heard == ["second", "third"]
        assert [each == "over" for each in listener.outages] == [False, True]


@pytest.mark.parametrize("how", [Break.SWALLOW, Break.TORSO])
async def test_a_goodbye_that_nobody_answers_ends_all_the_same(
    how: Break, empty_sandbox: LocalSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "_LIMITS", replace(session._LIMITS, answer=timedelta(hours=1)))
    login: dict[str, Any] = {**empty_sandbox.salesforce}
    async with wires.to(login["url"]) as wire, asyncio.timeout(10):
        async with listening({**login, "url": wire.url}, {ACCOUNTS: None}):
            wire.breaks(how, "/meta/disconnect")
        assert wire.left == 0


async def test_a_goodbye_does_not_wait_for_a_token(empty_sandbox: LocalSandbox) -> None:
    async with wires.to(empty_sandbox.salesforce["url"]) as wire:
        login = {**empty_sandbox.salesforce, "url": wire.url}
        async with rest.open(SalesforceCredential(**login)) as salesforce:
            async with session.Session(salesforce) as opened:
                await opened.open({ACCOUNTS: "-1"})
                assert opened.grant is not None
                await salesforce.auth.refused(opened.grant)
                wire.breaks(Break.SWALLOW, "/services/oauth2/token")
                async with asyncio.timeout(10):
                    await opened.leave()
            assert wire.left == 0


async def test_stopping_does_not_wait_for_what_hangs(empty_sandbox: LocalSandbox) -> None:
    async with wired(empty_sandbox) as (wire, listener):
        hearing = asyncio.ensure_future(listener.next())
        await until_held(empty_sandbox)
        wire.goes_silent()
        listener.stop.set()
        async with asyncio.timeout(10):
            with pytest.raises(StopAsyncIteration):
                await hearing
