"""Bayeux messages: what is sent on the meta channels, and what an answer of the streaming server holds."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal, TypeAlias

from connectors.errors import TransientError
from connectors.wire import Json

Reconnect: TypeAlias = Literal["retry", "handshake", "none"]

HANDSHAKE = "/meta/handshake"
CONNECT = "/meta/connect"
SUBSCRIBE = "/meta/subscribe"
UNSUBSCRIBE = "/meta/unsubscribe"
DISCONNECT = "/meta/disconnect"

NEW_ONLY = "-1"

# Salesforce takes request bodies up to 32,768 bytes; a subscribe message has some 300.
_SUBSCRIPTIONS_AT_ONCE = 40
_LONGEST_ADVICE = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Advice:
    """How the server wants to be met: when to come back, and how long it may hold a connect.

    On the wire both are milliseconds.
    """

    reconnect: Reconnect = "retry"
    interval: timedelta = timedelta(0)
    timeout: timedelta = timedelta(seconds=110)

    def revised(self, given: Any) -> "Advice":
        """This advice with what the server now says; what it leaves out or garbles stays."""
        if not isinstance(given, dict):
            return self
        reconnect = given.get("reconnect")
        return Advice(
            reconnect if reconnect in ("retry", "handshake", "none") else self.reconnect,
            _milliseconds(given.get("interval"), self.interval),
            _milliseconds(given.get("timeout"), self.timeout),
        )


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to one meta message. `failure_reason` is Salesforce's own and truer than `error`."""

    channel: str
    successful: bool
    error: str = ""
    failure_reason: str = ""
    client_id: str = ""
    message_id: str = ""
    subscription: str = ""
    advice: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer: replies to meta messages, and the (channel, data) of events, in order."""

    replies: tuple[Reply, ...] = ()
    events: tuple[tuple[str, Any], ...] = field(default=(), repr=False)

    def reply_to(self, channel: str) -> Reply:
        for reply in self.replies:
            if reply.channel == channel:
                return reply
        raise TransientError(f"Salesforce's streaming server does not answer to {channel}.")

    def reply_to_subscription(self, channel: str) -> Reply:
        """What became of one subscription of several: a reply without a name refuses all of them."""
        replies = [reply for reply in self.replies if reply.channel == SUBSCRIBE]
        for reply in replies:
            if channel in (reply.message_id, reply.subscription):
                return reply
        for reply in replies:
            if not (reply.successful or reply.message_id or reply.subscription):
                return reply
        raise TransientError(f"Salesforce's streaming server does not answer the subscription to {channel}.")

    @property
    def ends_subscriptions(self) -> bool:
        """Whether the server takes back, unasked, what it had granted."""
        return any(
            reply.channel in (DISCONNECT, UNSUBSCRIBE)
            or (reply.channel == SUBSCRIBE and not reply.successful)
            for reply in self.replies
        )


def is_bayeux(body: Json) -> bool:
    """Whether an answer is the streaming server's own, whatever its HTTP status."""
    return isinstance(body, list) and bool(body) and all(_is_message(message) for message in body)


def read(body: Json) -> Answer:
    """Raises TransientError for what is no list of messages."""
    if not isinstance(body, list) or not is_bayeux(body):
        raise TransientError("Salesforce's streaming server answers with something other than messages.")
    replies = [_reply(message) for message in body if message["channel"].startswith("/meta/")]
    events = [
        (message["channel"], message.get("data"))
        for message in body
        if not message["channel"].startswith("/meta/")
    ]
    return Answer(tuple(replies), tuple(events))


def handshake() -> dict[str, Any]:
    return {
        "channel": HANDSHAKE,
        "version": "1.0",
        "minimumVersion": "1.0",
        "supportedConnectionTypes": ["long-polling"],
        "ext": {"replay": True},
    }


def connect(client_id: str, *, is_first: bool) -> dict[str, Any]:
    """The first connect asks not to be held: its answer proves the session."""
    message = {"channel": CONNECT, "clientId": client_id, "connectionType": "long-polling"}
    return {**message, "advice": {"timeout": 0}} if is_first else message


def disconnect(client_id: str) -> dict[str, Any]:
    return {"channel": DISCONNECT, "clientId": client_id}


def subscribes(client_id: str, positions: Mapping[str, str]) -> Iterator[list[dict[str, Any]]]:
    """Subscribe messages for channel -> replay id, in portions that fit a request; the id is the channel."""
    messages = [
        {
            "channel": SUBSCRIBE,
            "clientId": client_id,
            "subscription": channel,
            "id": channel,
            "ext": {"replay": {channel: _number(replay_id)}},
        }
        for channel, replay_id in positions.items()
    ]
    for start in range(0, len(messages), _SUBSCRIPTIONS_AT_ONCE):
        yield messages[start : start + _SUBSCRIPTIONS_AT_ONCE]


def _is_message(message: Any) -> bool:
    return isinstance(message, dict) and isinstance(message.get("channel"), str)


def _reply(message: dict[str, Any]) -> Reply:
    extension = message.get("ext")
    own = extension.get("sfdc") if isinstance(extension, dict) else None
    advice = message.get("advice")
    return Reply(
        channel=message["channel"],
        successful=message.get("successful") is True,
        error=_text(message.get("error")),
        failure_reason=_text(own.get("failureReason")) if isinstance(own, dict) else "",
        client_id=_text(message.get("clientId")),
        message_id=_text(message.get("id")),
        subscription=_text(message.get("subscription")),
        advice=advice if isinstance(advice, dict) else None,
    )


def _text(given: Any) -> str:
    return given if isinstance(given, str) else ""


def _milliseconds(given: Any, otherwise: timedelta) -> timedelta:
    if not isinstance(given, int) or isinstance(given, bool) or given < 0:
        return otherwise
    return min(timedelta(milliseconds=min(given, 10**9)), _LONGEST_ADVICE)


def _number(replay_id: str) -> int | str:
    """Replay ids are opaque to us; on the wire those of CometD are numbers."""
    return int(replay_id) if replay_id.removeprefix("-").isdigit() else replay_id
