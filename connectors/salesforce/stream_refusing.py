"""What the streaming server refuses: phrase -> what it means for session, token and channel, as a table."""

from datetime import timedelta
from enum import Enum, auto
from typing import assert_never

from connectors.errors import AuthenticationError, RateLimited, RejectedError, SyncError, TransientError
from connectors.salesforce.bayeux import SUBSCRIBE, Reply


class ReplayRejected(RejectedError):  # noqa: N818 - reads as a state, as RateLimited does
    """The replay id of a channel is invalid or no longer retained: what changed since must be read again."""

    def __init__(self, channel: str, replay_id: str, said: str) -> None:
        super().__init__(
            f"Salesforce refuses to replay {channel} from {replay_id}: {said}",
            instruction="Events are kept for 72 hours: the records of this channel must be read again.",
            code="REPLAY_ID_REJECTED",
        )
        self.channels = (channel,)
        self.replay_id = replay_id


class PlacesLost(RejectedError):  # noqa: N818 - reads as a state, as RateLimited does
    """One answer tells more than can be held, and from the same places it would tell the same again: what
    changed on these channels must be read again."""

    def __init__(self, channels: tuple[str, ...], error: SyncError) -> None:
        super().__init__(
            error.message,
            instruction="What changed on these channels is read again; the stream goes on with new events.",
            code=error.code,
        )
        self.channels = channels


class ChannelRefused(RejectedError):  # noqa: N818 - reads as a state, as RateLimited does
    """A channel cannot be subscribed: it does not exist, or not for this user."""

    def __init__(self, channel: str, said: str) -> None:
        super().__init__(
            f"Salesforce refuses the subscription to {channel}: {said}",
            instruction=(
                "Select the object under Setup, Change Data Capture, and give the integration user View All "
                "for it (or View All Data)."
            ),
            code="CHANNEL_REFUSED",
        )
        self.channel = channel


class TokenRefused(AuthenticationError):  # noqa: N818 - reads as a state, as RateLimited does
    """The streaming server does not take the token: it may have expired."""


class SessionLost(TransientError):  # noqa: N818 - reads as a state, as RateLimited does
    """The server does not know the session any more: handshake and subscribe again."""


class _Meaning(Enum):
    BUSY = auto()
    LIMIT = auto()
    SESSION = auto()
    TOKEN = auto()
    REPLAY = auto()
    CHANNEL = auto()
    UNKNOWN = auto()


# The first phrase found counts (Streaming API guide, Streaming API Error Codes). The reason goes before the
# error, which may read "401::Authentication invalid" while the reason is that the server is busy.
_PHRASES: tuple[tuple[str, _Meaning], ...] = (
    ("server is too busy", _Meaning.BUSY),
    ("503::", _Meaning.BUSY),
    ("subscription limit exceeded", _Meaning.CHANNEL),  # of one topic: the others are not to wait for it
    ("limit exceeded", _Meaning.LIMIT),
    ("concurrency limit", _Meaning.LIMIT),
    ("dos limit", _Meaning.LIMIT),
    ("unknown client", _Meaning.SESSION),
    ("session_unknown", _Meaning.SESSION),
    ("402::", _Meaning.SESSION),
    ("cookie present", _Meaning.SESSION),
    ("the replayid", _Meaning.REPLAY),
    ("authentication invalid", _Meaning.TOKEN),
    ("request requires authentication", _Meaning.TOKEN),
    ("401::", _Meaning.TOKEN),
)

_BUSY_WAIT = timedelta(minutes=2)  # "retry after a few minutes"
_LIMIT_WAIT = timedelta(minutes=5)


def error_for(reply: Reply, channel: str = "", replay_id: str = "") -> SyncError:
    """The error that an unsuccessful reply amounts to; a subscribe asked for `channel` after `replay_id`."""
    said = reply.failure_reason or reply.error or "no reason given"
    match _meaning(reply):
        case _Meaning.BUSY:
            return _later(TransientError(f"Salesforce's streaming server is busy: {said}"), _BUSY_WAIT)
        case _Meaning.LIMIT:
            limited = RateLimited(
                f"Salesforce's streaming server is at a limit of the org: {said}",
                instruction="See Setup, Company Information, and how many streaming clients the org has.",
            )
            return _later(limited, _LIMIT_WAIT)
        case _Meaning.SESSION:
            return SessionLost(f"Salesforce has dropped the streaming session: {said}")
        case _Meaning.TOKEN:
            return TokenRefused(
                f"Salesforce's streaming server refuses the token: {said}",
                instruction="Check that the integration user may use the API and the Streaming API.",
            )
        case _Meaning.REPLAY:
            return ReplayRejected(channel, replay_id, said)
        case _Meaning.CHANNEL:
            return ChannelRefused(channel, said)
        case _Meaning.UNKNOWN:
            return TransientError(f"Salesforce's streaming server refuses {reply.channel}: {said}")
        case unreachable:
            assert_never(unreachable)


def _meaning(reply: Reply) -> _Meaning:
    for text in (reply.failure_reason.lower(), reply.error.lower()):
        for phrase, meaning in _PHRASES:
            if phrase in text:
                return meaning
    if reply.channel == SUBSCRIBE and reply.error.startswith(("400::", "403::", "404::")):
        return _Meaning.CHANNEL
    if reply.advice is not None and reply.advice.get("reconnect") == "handshake":
        return _Meaning.SESSION
    return _Meaning.UNKNOWN


def _later(error: TransientError, wait: timedelta) -> TransientError:
    error.retry_after = wait
    return error
