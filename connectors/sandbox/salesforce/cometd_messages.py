"""The Bayeux messages that Salesforce sends: replies, refusals, advice, in its own words.

Texts: Streaming API Developer Guide, "Streaming API Error Codes" and "Handling Streaming API Errors".
"""

from typing import Any

Message = dict[str, Any]

HANDSHAKE = "/meta/handshake"
CONNECT = "/meta/connect"
SUBSCRIBE = "/meta/subscribe"
UNSUBSCRIBE = "/meta/unsubscribe"
DISCONNECT = "/meta/disconnect"

RETRY: Message = {"reconnect": "retry", "interval": 0, "timeout": 110_000}
HANDSHAKE_AGAIN: Message = {"reconnect": "handshake", "interval": 0}
GIVE_UP: Message = {"reconnect": "none", "interval": 0}
EXTENSIONS: Message = {"replay": True, "payload.format": True}

UNKNOWN_CLIENT = "403::Unknown client"
HANDSHAKE_DENIED = "403::Handshake denied"
AUTHENTICATION_INVALID = "401::Authentication invalid"
AUTHENTICATION_MISSING = "401::Request requires authentication"
TOO_BUSY = "503::Server is too busy.  Please try your request again later."
TOO_MANY_CLIENTS = "403::Organization concurrent user limit exceeded"
NO_SUBSCRIPTION = "400::Channel name not specified"
NO_LEADING_SLASH = "400::Channel subscriptions must start with a leading '/'"
PUBLISHING_REFUSED = "403::Publishing through CometD is not supported"
BODY_TOO_LARGE = "Maximum Request Size Exceeded"
VERSION_MISSING = "API version in the URI is mandatory. URI format: '/cometd/67.0'"
VERSION_UNSUPPORTED = (
    "Unsupported API version. Only API versions '37.0' and later are supported. URI format: '/cometd/67.0'"
)


def no_such_channel(channel: str) -> str:
    """A subscription to a channel that the org does not have."""
    return f"400::The channel you requested to subscribe to doesn't exist {channel}"


def replay_id_invalid(replay: object) -> str:
    """A replay id that was never issued or is no longer retained."""
    return (
        f"400::The replayId {replay} you provided was invalid.  "
        "Please provide a valid ID, -2 to replay all events, or -1 to replay only new events."
    )


def cookie_missing(client_id: str, cookie_name: str) -> str:
    """A session whose cookie did not come back."""
    return f"400::Client {client_id} has established a session, but no {cookie_name} cookie present"


def connection_type_invalid(connection_type: object) -> str:
    """Anything but long-polling."""
    return f"400::Invalid connection type {connection_type}"


def success(asked: Message, **more: Any) -> Message:
    """The reply to a message that was carried out."""
    return _reply(asked, {"successful": True, **more})


def refusal(asked: Message, error: str, *, advice: Message | None = None, reason: str = "") -> Message:
    """The reply to a message that was refused; `reason` is Salesforce's own failureReason in `ext`."""
    more: Message = {"successful": False, "error": error}
    if advice is not None:
        more["advice"] = advice
    if reason:
        more["ext"] = {"sfdc": {"failureReason": reason}, **EXTENSIONS}
    if asked.get("clientId") is not None and asked.get("channel") != HANDSHAKE:
        more["clientId"] = asked["clientId"]
    return _reply(asked, more)


def _reply(asked: Message, more: Message) -> Message:
    reply: Message = {"channel": asked.get("channel")}
    if asked.get("id") is not None:
        reply["id"] = asked["id"]
    return {**reply, **more}
