"""Every refusal that Salesforce documents, at each exchange where it may come, and what becomes of it.

The texts are those of the Streaming API guide (Streaming API Error Codes; Handling Errors).
TOKEN: a fresh token is had, and no outage told. SESSION: handshake and subscribe again.
AWAY: an outage that is waited out and told once at each end. The last two leave the token as it is.
The table is also the list of what other clients do wrong: one refusal taken for another, a page taken for
messages, a channel dropped silently.
"""

from enum import Enum, auto
from typing import Any

import pytest

from connectors.errors import RateLimited, SyncError
from connectors.salesforce.stream import ChannelRefused, ReplayRejected
from tests.integration import fake_server
from tests.integration.fake_server import Handler
from tests.integration.streams import ACCOUNTS, listening
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

PAGE = "<html><head><title>x</title></head><body><h1>Service Unavailable</h1></body></html>"
DENIED = "403::Handshake denied"
INVALID = "401::Authentication invalid"
BUSY = "503::Server is too busy.  Please try your request again later."
LIMIT = "403::Organization concurrent user limit exceeded"
DAILY = "403::Organization total events daily limit exceeded"


class Outcome(Enum):
    TOKEN = auto()
    SESSION = auto()
    AWAY = auto()
    PAGE_401 = auto()  # a fresh token at once, and an outage when that is answered in the same way


def refusal(channel: str, error: str, reason: str = "", reconnect: str = "none") -> Handler:
    reply: dict[str, Any] = {"channel": channel, "successful": False, "error": error}
    if channel == "/meta/subscribe":
        reply["subscription"] = ACCOUNTS
    else:
        reply["advice"] = {"reconnect": reconnect, "interval": 0}
    return fake_server.json([{**reply, "ext": {"sfdc": {"failureReason": reason}}} if reason else reply])


MESSAGES: list[tuple[str, str, str, str, Outcome]] = [
    ("handshake", DENIED, INVALID, "none", Outcome.TOKEN),
    ("handshake", DENIED, "401::Request requires authentication", "none", Outcome.TOKEN),
    ("handshake", DENIED, "concurrency limit", "none", Outcome.AWAY),
    ("handshake", DENIED, "DoS limit", "none", Outcome.AWAY),
    ("handshake", INVALID, BUSY, "none", Outcome.AWAY),
    ("handshake", LIMIT, "", "none", Outcome.AWAY),
    ("handshake", "403::handshake_denied", "", "none", Outcome.AWAY),
    ("connect", INVALID, "", "none", Outcome.TOKEN),
    ("connect", INVALID, BUSY, "none", Outcome.AWAY),
    ("connect", "403::Unknown client", "", "handshake", Outcome.SESSION),
    ("connect", "402::session_unknown", "", "handshake", Outcome.SESSION),
    ("connect", "401:abc:Unknown client", "", "handshake", Outcome.SESSION),
    ("connect", "400::Client abc no sfdc-stream cookie present", "", "handshake", Outcome.SESSION),
    ("connect", "something new", "", "handshake", Outcome.SESSION),
    ("connect", "something new", "", "none", Outcome.AWAY),
    ("connect", "something new", "", "retry", Outcome.AWAY),
    ("connect", DAILY, "", "none", Outcome.AWAY),
    ("subscribe", INVALID, "", "", Outcome.TOKEN),
    ("subscribe", "403::Unknown client", "", "", Outcome.SESSION),
    ("subscribe", INVALID, BUSY, "", Outcome.AWAY),
    ("subscribe", BUSY, "", "", Outcome.AWAY),
    ("subscribe", DAILY, "", "", Outcome.AWAY),
    ("subscribe", "404::message_deleted", BUSY, "", Outcome.AWAY),
]
PAGES: list[tuple[int, str, Outcome]] = [
    (200, PAGE, Outcome.AWAY),
    (302, "", Outcome.AWAY),
    (401, PAGE, Outcome.PAGE_401),
    (403, PAGE, Outcome.AWAY),
    (407, PAGE, Outcome.AWAY),
    (429, PAGE, Outcome.AWAY),
    (500, PAGE, Outcome.AWAY),
    (502, PAGE, Outcome.AWAY),
    (503, PAGE, Outcome.AWAY),
]
PLACES = {"handshake": 0, "subscribe": 1, "connect": 2}


async def meets(where: str, answer: Handler, outcome: Outcome) -> None:
    """The answer comes once in the place of a good one; the next session is good, and no event is missed."""
    good = [shaken(), SUBSCRIBED, connected(9)]
    async with fake_server.serving() as fake:
        answers = [answer] * (2 if outcome is Outcome.PAGE_401 else 1)
        fake.on("POST", PATH, *good[: PLACES[where]], *answers, *good, quiet)
        async with listening(login(fake), {ACCOUNTS: "8"}) as listener:
            assert await replay_ids(listener) == ["9"]
        replayed = [each["ext"]["replay"][ACCOUNTS] for each in sent(fake) if "subscription" in each]
        assert set(replayed) == {8}
        assert len(replayed) == {"handshake": 1, "subscribe": len(answers) + 1, "connect": 2}[where]
        wants_token = outcome in (Outcome.TOKEN, Outcome.PAGE_401)
        assert len(fake.calls("/services/oauth2/token")) == (2 if wants_token else 1)
        if outcome in (Outcome.TOKEN, Outcome.SESSION):
            assert listener.outages == []
        else:
            began, ended = listener.outages
            assert isinstance(began, SyncError)
            assert ended == "over"


@pytest.mark.parametrize(
    ("where", "error", "reason", "reconnect", "outcome"),
    MESSAGES,
    ids=[f"{where}: {error}{reason and ' because of '}{reason}" for where, error, reason, _, _ in MESSAGES],
)
async def test_a_refusal_is_taken_for_what_it_is(
    where: str, error: str, reason: str, reconnect: str, outcome: Outcome
) -> None:
    await meets(where, refusal(f"/meta/{where}", error, reason, reconnect), outcome)


@pytest.mark.parametrize("where", PLACES)
@pytest.mark.parametrize(("status", "page", "outcome"), PAGES, ids=[str(status) for status, _, _ in PAGES])
async def test_a_page_in_place_of_messages_is_waited_out(
    status: int, page: str, outcome: Outcome, where: str
) -> None:
    await meets(where, fake_server.text(page, status), outcome)


@pytest.mark.parametrize("spaces", [" ", "  "])
async def test_a_refused_replay_id_is_known_by_its_words(spaces: str) -> None:
    said = f"400::The replayId {{8}} you provided was invalid.{spaces}Please provide a valid ID, -2 to replay"
    async with fake_server.serving() as fake:
        fake.on("POST", PATH, shaken(), refusal("/meta/subscribe", said))
        with pytest.raises(ReplayRejected) as caught:
            async with listening(login(fake), {ACCOUNTS: "8"}):
                pass
    assert (caught.value.channels, caught.value.replay_id) == ((ACCOUNTS,), "8")


@pytest.mark.parametrize(
    "said",
    [
        f"400::The channel you requested to subscribe to doesn't exist {ACCOUNTS}",
        "403::User not allowed to subscribe CDC without View All Data permissions",
        "403::Subscription limit exceeded for this topic",
    ],
)
async def test_a_refused_channel_is_not_waited_for(said: str) -> None:
    async with fake_server.serving() as fake:
        fake.on("POST", PATH, shaken(), refusal("/meta/subscribe", said))
        with pytest.raises(ChannelRefused) as caught:
            async with listening(login(fake), {ACCOUNTS: "8"}):
                pass
    assert caught.value.channel == ACCOUNTS


async def test_a_limit_is_told_as_one() -> None:
    async with fake_server.serving() as fake:
        refused = refusal("/meta/handshake", LIMIT)
        fake.on("POST", PATH, refused, shaken(), SUBSCRIBED, connected(9), quiet)
        async with listening(login(fake), {ACCOUNTS: "8"}) as listener:
            assert await replay_ids(listener) == ["9"]
            assert isinstance(listener.outages[0], RateLimited)
