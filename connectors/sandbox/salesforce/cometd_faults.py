"""Streaming faults: what only the event stream can suffer, posted as the other faults are."""

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from connectors.sandbox.salesforce import cometd_messages

Subject = Literal["handshake", "connect", "subscribe"]


class StreamFault(BaseModel):
    """A refusal for the next `times` messages (null: until cleared) of one kind.

    refuse_replay       a subscribe from a stored replay id is refused as invalid (channel: glob)
    refuse_subscription a subscribe is refused with `error` (channel: glob)
    unauthorized        a connect is refused: 401::Authentication invalid, advice none
    too_busy            401::Authentication invalid whose failureReason is 503::Server is too busy
    deny_handshake      403::Handshake denied, `error` as its failureReason
    """

    model_config = ConfigDict(extra="forbid")
    kind: Literal["refuse_replay", "refuse_subscription", "unauthorized", "too_busy", "deny_handshake"]
    times: int | None = Field(default=1, ge=1)
    channel: str = "*"
    error: str = ""
    on: Literal["handshake", "connect"] = "connect"


@dataclass(frozen=True, slots=True)
class Denial:
    """How a message is refused."""

    error: str
    reason: str = ""
    advice: cometd_messages.Message | None = None


@dataclass(slots=True)
class _Pending:
    fault: StreamFault
    left: int | None


class StreamFaults:
    """The refusals that wait for their message."""

    def __init__(self) -> None:
        self._pending: list[_Pending] = []

    def add(self, document: dict[str, Any]) -> StreamFault:
        """Let one begin; raises pydantic's ValidationError."""
        fault = StreamFault.model_validate(document)
        self._pending.append(_Pending(fault, fault.times))
        return fault

    def clear(self) -> None:
        """Let all end."""
        self._pending.clear()

    def denial(self, subject: Subject, *, channel: str = "", replay: int | None = None) -> Denial | None:
        """The refusal that this message meets, if any; counts it."""
        for pending in self._pending:
            found = _denial(pending.fault, subject, channel, replay)
            if found is not None:
                if pending.left is not None:
                    pending.left -= 1
                    if pending.left == 0:
                        self._pending.remove(pending)
                return found
        return None


def _denial(fault: StreamFault, subject: Subject, channel: str, replay: int | None) -> Denial | None:
    is_channel = subject == "subscribe" and fnmatchcase(channel, fault.channel)
    match fault.kind:
        case "refuse_replay" if is_channel and replay is not None and replay >= 0:
            return Denial(fault.error or cometd_messages.replay_id_invalid(replay))
        case "refuse_subscription" if is_channel:
            return Denial(fault.error or cometd_messages.no_such_channel(channel))
        case "unauthorized" if subject == "connect":
            return Denial(cometd_messages.AUTHENTICATION_INVALID, advice=cometd_messages.GIVE_UP)
        case "too_busy" if subject == fault.on:
            error = cometd_messages.AUTHENTICATION_INVALID
            return Denial(error, reason=cometd_messages.TOO_BUSY, advice=cometd_messages.GIVE_UP)
        case "deny_handshake" if subject == "handshake":
            reason = fault.error or cometd_messages.AUTHENTICATION_INVALID
            return Denial(cometd_messages.HANDSHAKE_DENIED, reason=reason, advice=cometd_messages.GIVE_UP)
    return None
