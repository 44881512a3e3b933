"""The change stream in good weather: order, replay, back-pressure, stopping."""

import asyncio
from typing import Any

import pytest

from connectors.salesforce import rest
from connectors.salesforce.models import SalesforceCredential
from connectors.salesforce.stream import ChangeStream
from tests.integration.streams import ACCOUNTS, CONTACTS, Listener, listening, new_account
from tests.sandboxes import LocalSandbox


async def test_changes_of_all_channels_arrive_in_their_order(empty_sandbox: LocalSandbox) -> None:
    async with listening(empty_sandbox.salesforce, {ACCOUNTS: None, CONTACTS: None}) as listener:
        account_id = await new_account(listener.salesforce)
        created = await listener.event()
        assert (created.object_name, created.change_type, created.record_ids) == (
            "Account",
            "CREATE",
            (account_id,),
        )
        await listener.salesforce.create("Contact", {"LastName": "Doe"})
        assert (await listener.event()).channel == CONTACTS
        await listener.rename(account_id, "Acme Ltd")
        changed = await listener.event()
        assert changed.payload["Name"] == "Acme Ltd"
        assert "client=m3sync" in changed.change_origin
        assert int(changed.replay_id) > int(created.replay_id)
        assert changed.committed_at is not None


async def test_what_was_not_yet_durable_is_replayed_after_a_restart(empty_sandbox: LocalSandbox) -> None:
    async with listening(empty_sandbox.salesforce, {ACCOUNTS: None}) as listener:
        account_id = await new_account(listener.salesforce)
        durable = await listener.event()
        await listener.rename(account_id, "second")
        lost = await listener.event()  # taken, and never made durable
    async with listening(empty_sandbox.salesforce, {ACCOUNTS: durable.replay_id}) as listener:
        assert await listener.event() == lost
        await listener.rename(account_id, "third")
        assert (await listener.event()).payload["Name"] == "third"


async def test_all_that_is_retained_can_be_asked_for(empty_sandbox: LocalSandbox) -> None:
    async with rest.open(SalesforceCredential(**empty_sandbox.salesforce)) as salesforce:
        ids = [await new_account(salesforce, f"Acme {n}") for n in range(5)]
    async with listening(empty_sandbox.salesforce, {ACCOUNTS: "-2"}) as listener:
        batch = await listener.heard()
    assert [event.record_ids[0] for event in batch.events if hasattr(event, "record_ids")] == ids


async def test_nothing_is_polled_until_the_consumer_asks(empty_sandbox: LocalSandbox) -> None:
    """Back-pressure: a consumer at work holds no poll, so that nothing is delivered into the void."""

    def held() -> int:
        sessions = empty_sandbox.running.stream.cometd.sessions._sessions.values()
        return sum(session.is_held for session in sessions)

    async with listening(empty_sandbox.salesforce, {ACCOUNTS: None}) as listener:
        await new_account(listener.salesforce)
        await listener.event()
        await new_account(listener.salesforce)
        assert held() == 0
        await listener.event()


async def test_a_slow_consumer_loses_its_session_and_no_event(empty_sandbox: LocalSandbox) -> None:
    async with listening(empty_sandbox.salesforce, {ACCOUNTS: None}) as listener:
        account_id = await new_account(listener.salesforce)
        await listener.event()
        await empty_sandbox.salesforce_control.advance_clock(60)
        await listener.rename(account_id, "while we were away")
        assert (await listener.event()).payload["Name"] == "while we were away"
        assert listener.outages == []


async def test_stopping_interrupts_a_long_poll_and_says_goodbye(empty_sandbox: LocalSandbox) -> None:
    async with listening(empty_sandbox.salesforce, {ACCOUNTS: None}) as listener:
        waiting = asyncio.ensure_future(listener.next())
        await until_held(empty_sandbox)
        listener.stop.set()
        with pytest.raises(StopAsyncIteration):
            await waiting
        assert empty_sandbox.running.stream.cometd.sessions.count() == 0


async def test_stopping_during_an_outage_ends_the_stream(empty_sandbox: LocalSandbox) -> None:
    match: dict[str, Any] = {"path": "/cometd/*"}
    await empty_sandbox.salesforce_control.fault("status", match=match, status=503)
    async with rest.open(SalesforceCredential(**empty_sandbox.salesforce)) as salesforce:
        listener = Listener(salesforce)
        listener.begin({ACCOUNTS: None})
        waiting = asyncio.ensure_future(listener.next())
        while not listener.outages:  # noqa: ASYNC110 - the callback is plain
            await asyncio.sleep(0)
        listener.stop.set()
        with pytest.raises(StopAsyncIteration):
            await waiting


async def test_a_cancelled_stream_is_cancelled(empty_sandbox: LocalSandbox) -> None:
    async with rest.open(SalesforceCredential(**empty_sandbox.salesforce)) as salesforce:
        listener = Listener(salesforce)
        listener.begin({ACCOUNTS: None})
        await listener.next()
        waiting = asyncio.ensure_future(listener.next())
        await until_held(empty_sandbox)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        with pytest.raises(StopAsyncIteration):
            await listener.next()


async def test_a_stream_of_no_channel_is_a_mistake(empty_sandbox: LocalSandbox) -> None:
    async with rest.open(SalesforceCredential(**empty_sandbox.salesforce)) as salesforce:
        with pytest.raises(ValueError, match="no channel"):
            await anext(ChangeStream(salesforce).batches({}))


async def until_held(sandbox: LocalSandbox) -> None:
    """Until a connect waits at the server."""
    sessions = sandbox.running.stream.cometd.sessions
    async with asyncio.timeout(60):
        while not any(session.is_held for session in sessions._sessions.values()):  # noqa: ASYNC110 - as above
            await asyncio.sleep(0)
