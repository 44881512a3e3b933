"""The change stream in bad weather: whatever breaks, no event is lost and an outage is told once."""

from dataclasses import replace
from typing import Any

import pytest

from connectors.errors import AuthenticationError, RateLimited, SyncError
from connectors.salesforce import session
from connectors.salesforce.stream import ChannelRefused, PlacesLost, ReplayRejected
from tests.integration.streams import ACCOUNTS, CONTACTS, Listener, listening, new_account
from tests.sandboxes import LocalSandbox

COMETD: dict[str, Any] = {"path": "/cometd/*"}
TOKEN: dict[str, Any] = {"path": "/services/oauth2/token"}


async def settled(listener: Listener) -> str:
    """An account whose creation has been taken, so that the stream has a place to return to."""
    account_id = await new_account(listener.salesforce)
    await listener.event()
    return account_id


BREAKS: dict[str, dict[str, Any]] = {
    "a reset before": {"kind": "reset_before"},
    "a lost answer": {"kind": "reset_after"},
    "a torso": {"kind": "truncate"},
    "a 503 page": {"kind": "status", "status": 503, "body": "<html><h1>Service Unavailable</h1></html>"},
    "a 200 page": {"kind": "status", "status": 200, "body": "<html>We will be back</html>"},
    "a 404": {"kind": "status", "status": 404, "body": "<html>Not Found</html>"},
    "no messages": {"kind": "status", "status": 200, "body": []},
    "a 500 after": {"kind": "status_after", "status": 500},
}


@pytest.mark.parametrize("fault", BREAKS.values(), ids=BREAKS.keys())
async def test_no_event_is_lost_or_doubled_by(fault: dict[str, Any], empty_sandbox: LocalSandbox) -> None:
    async with listening(empty_sandbox.salesforce, {ACCOUNTS: None}) as listener:
        account_id = await settled(listener)
        more = {key: value for key, value in fault.items() if key != "kind"}
        await empty_sandbox.salesforce_control.fault(fault["kind"], match=COMETD, times=2, **more)
        await listener.rename(account_id, "second")
        assert (await listener.event()).payload["Name"] == "second"
        await listener.rename(account_id, "third")
        assert (await listener.event()).payload["Name"] == "third"
        assert len(listener.outages) == 2
        assert isinstance(listener.outages[0], SyncError)
        assert listener.outages[1] == "over"


async def test_an_unknown_client_shakes_hands_and_subscribes_again(empty_sandbox: LocalSandbox) -> None:
    async with listening(empty_sandbox.salesforce, {ACCOUNTS: None, CONTACTS: None}) as listener:
        account_id = await settled(listener)
        await listener.salesforce.create("Contact", {"LastName": "Roe"})
        await listener.event()
        await empty_sandbox.salesforce_control.fault("drop_session")
        await listener.salesforce.create("Contact", {"LastName": "Doe"})
        await listener.rename(account_id, "second")
        channels = {event.channel for event in (await listener.heard()).events}
        if len(channels) == 1:
            channels |= {event.channel for event in (await listener.heard()).events}
        assert channels == {ACCOUNTS, CONTACTS}
        assert listener.outages == []  # a session is everyday life


async def test_a_new_session_is_told_before_it_is_polled(empty_sandbox: LocalSandbox) -> None:
    """A channel has no place until its first event: what it misses until the word is for others to find."""
    control = empty_sandbox.salesforce_control
    async with listening(empty_sandbox.salesforce, {ACCOUNTS: None}) as listener:
        for _ in range(2):
            await control.fault("drop_session")
            await new_account(listener.salesforce, "between two sessions")
            assert (await listener.next()).events == ()
        account_id = await new_account(listener.salesforce, "after the word")
        assert (await listener.event()).record_ids == (account_id,)
        await control.fault("drop_session")
        await listener.rename(account_id, "between two sessions again")
        assert (await listener.event()).payload["Name"] == "between two sessions again"


async def test_an_expired_token_is_renewed(empty_sandbox: LocalSandbox) -> None:
    async with listening(empty_sandbox.salesforce, {ACCOUNTS: None}) as listener:
        account_id = await settled(listener)
        for name in ("second", "third"):  # tokens expire again and again
            await empty_sandbox.salesforce_control.fault("unauthorized")
            await listener.rename(account_id, name)
            assert (await listener.event()).payload["Name"] == name
        assert listener.outages == []


async def test_a_token_endpoint_that_is_away_is_asked_until_it_is_back(empty_sandbox: LocalSandbox) -> None:
    async with listening(empty_sandbox.salesforce, {ACCOUNTS: None}) as listener:
        account_id = await settled(listener)
        await listener.rename(account_id, "second")
        await empty_sandbox.salesforce_control.fault(
            "status", match=TOKEN, status=503, body="<html>", times=9
        )
        await empty_sandbox.salesforce_control.fault("unauthorized")
        assert (await listener.event()).payload["Name"] == "second"
        began, ended = listener.outages
        assert "HTTP 503" in str(began)
        assert ended == "over"


async def test_a_token_that_stays_refused_ends_the_stream(empty_sandbox: LocalSandbox) -> None:
    async with listening(empty_sandbox.salesforce, {ACCOUNTS: None}) as listener:
        await empty_sandbox.salesforce_control.fault("unauthorized", times=None)
        with pytest.raises(AuthenticationError, match="Authentication invalid"):
            await listener.heard()


async def test_a_busy_server_is_not_taken_for_a_bad_token(empty_sandbox: LocalSandbox) -> None:
    """`error` says 401, failureReason says 503."""
    async with listening(empty_sandbox.salesforce, {ACCOUNTS: None}) as listener:
        account_id = await settled(listener)
        await empty_sandbox.salesforce_control.fault("too_busy", times=4)
        await empty_sandbox.salesforce_control.fault("too_busy", times=4, on="handshake")
        await empty_sandbox.salesforce_control.clear_journal()
        await listener.rename(account_id, "second")
        assert (await listener.event()).payload["Name"] == "second"
        assert "Server is too busy" in str(listener.outages[0])
        assert await empty_sandbox.salesforce_control.journal("path=*/token") == []


async def test_a_limit_of_the_org_is_waited_out(empty_sandbox: LocalSandbox) -> None:
    async with listening(empty_sandbox.salesforce, {ACCOUNTS: None}) as listener:
        account_id = await settled(listener)
        said = "403::Organization total events daily limit exceeded"
        await empty_sandbox.salesforce_control.fault("refuse_subscription", error=said, times=3)
        await empty_sandbox.salesforce_control.fault("drop_session")
        await listener.rename(account_id, "second")
        assert (await listener.event()).payload["Name"] == "second"
        assert isinstance(listener.outages[0], RateLimited)


async def test_a_refused_replay_id_is_named(empty_sandbox: LocalSandbox) -> None:
    with pytest.raises(ReplayRejected, match="replayId 7") as caught:
        async with listening(empty_sandbox.salesforce, {CONTACTS: None, ACCOUNTS: "7"}):
            pass
    assert (caught.value.channels, caught.value.replay_id) == ((ACCOUNTS,), "7")


async def test_a_replay_id_refused_on_the_way_is_not_dropped_silently(empty_sandbox: LocalSandbox) -> None:
    async with listening(empty_sandbox.salesforce, {ACCOUNTS: None}) as listener:
        await new_account(listener.salesforce)
        taken = await listener.event()
        await empty_sandbox.salesforce_control.fault("refuse_replay")
        await empty_sandbox.salesforce_control.fault("drop_session")
        with pytest.raises(ReplayRejected) as caught:
            await listener.heard()
        assert (caught.value.channels, caught.value.replay_id) == ((ACCOUNTS,), taken.replay_id)


async def test_an_answer_that_is_too_large_costs_the_places_of_all_channels(
    empty_sandbox: LocalSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the same places the same answer would come, until the events are no longer kept."""
    async with listening(empty_sandbox.salesforce, {ACCOUNTS: None}) as listener:
        await new_account(listener.salesforce)
        place = (await listener.event()).replay_id
        for number in range(20):
            await new_account(listener.salesforce, f"{number} {'x' * 200}")
    monkeypatch.setattr(session, "_LIMITS", replace(session._LIMITS, max_body=5_000))
    with pytest.raises(PlacesLost, match="more than 5,000 bytes") as caught:
        async with listening(empty_sandbox.salesforce, {CONTACTS: None, ACCOUNTS: place}) as listener:
            await listener.heard()
    assert set(caught.value.channels) == {ACCOUNTS, CONTACTS}


@pytest.mark.parametrize(
    "said",
    [
        "403::User not allowed to subscribe CDC without View All Data permissions",
        "400::The channel you requested to subscribe to doesn't exist /data/Limit_Exceeded__ChangeEvent",
    ],
)
async def test_a_refused_channel_is_named(said: str, empty_sandbox: LocalSandbox) -> None:
    await empty_sandbox.salesforce_control.fault("refuse_subscription", channel=CONTACTS, error=said)
    with pytest.raises(ChannelRefused, match=said[5:20]) as caught:
        async with listening(empty_sandbox.salesforce, {ACCOUNTS: None, CONTACTS: None}):
            pass
    assert caught.value.channel == CONTACTS


async def test_gaps_overflows_and_riddles_keep_their_place(empty_sandbox: LocalSandbox) -> None:
    control = empty_sandbox.salesforce_control
    async with listening(empty_sandbox.salesforce, {ACCOUNTS: None}) as listener:
        account_id = await settled(listener)
        await control.fault("gap", object="Account", record_ids=[account_id])
        assert (await listener.event()).change_type == "GAP_UPDATE"
        await control.fault("overflow", object="Account")
        assert (await listener.event()).change_type == "GAP_OVERFLOW"
        await control.fault("publish", channel=ACCOUNTS, payload={"ChangeEventHeader": {"entityName": "?"}})
        riddle = await listener.undecodable()
        assert riddle.channel == ACCOUNTS
        assert riddle.replay_id
        await listener.rename(account_id, "and on it goes")
        assert (await listener.event()).payload["Name"] == "and on it goes"
