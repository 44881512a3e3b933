"""CometD sessions: who is connected, to which channels, and how far each has been read."""

import asyncio
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from aiohttp import web

from connectors import wire
from connectors.sandbox.clock import Clock
from connectors.sandbox.salesforce.events import EventBus

SESSION_LIFETIME = timedelta(seconds=40)
REPLY_EVENTS = 2_000
REPLY_BYTES = 2 * 1024 * 1024


@dataclass(eq=False)
class Session:
    """One handshake. `positions`: per channel the replay id up to which it was read.

    `is_deaf`: its connects are answered and it is given no event, as Salesforce has been seen to do.
    """

    client_id: str
    cookie: str
    token: str
    seen_at: datetime
    positions: dict[str, int] = field(default_factory=dict)
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    has_connected: bool = False
    held_by: web.Request | None = None
    is_deaf: bool = False

    @property
    def is_held(self) -> bool:
        """Whether a connect is waiting right now, its client still there."""
        holder = self.held_by
        return holder is not None and holder.transport is not None and not holder.transport.is_closing()

    def read(self, bus: EventBus) -> list[bytes]:
        """The next messages of all its channels in replay order, encoded; bounded, so perhaps not all."""
        if not self.positions or self.is_deaf:
            return []
        messages: list[bytes] = []
        size = 0
        read_to = start = min(self.positions.values())
        for event in bus.after(start):
            if len(messages) >= REPLY_EVENTS or size >= REPLY_BYTES:
                break
            read_to = event.replay_id
            for channel, position in self.positions.items():
                if channel in event.channels and event.replay_id > position:
                    for data in event.on(channel):
                        message = b'{"data":' + data + b',"channel":' + wire.dumps(channel) + b"}"
                        messages.append(message)
                        size += len(message)
        for channel, position in self.positions.items():
            self.positions[channel] = max(position, read_to)
        return messages


class Sessions:
    """All sessions of the org; those not connected for 40 seconds are forgotten."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._sessions: dict[str, Session] = {}

    def open_session(self, token: str) -> Session:
        """A new session for an authenticated client."""
        made = Session(secrets.token_hex(14), secrets.token_urlsafe(16), token, self._clock.now())
        self._sessions[made.client_id] = made
        return made

    def find(self, client_id: object) -> Session | None:
        """The session of a client id, unless it has expired."""
        self._forget_expired()
        return self._sessions.get(client_id) if isinstance(client_id, str) else None

    def count(self) -> int:
        """How many clients are connected."""
        self._forget_expired()
        return len(self._sessions)

    def close(self, session: Session) -> None:
        """End one session; a connect that it holds returns."""
        self._sessions.pop(session.client_id, None)
        session.wake.set()

    def drop_all(self) -> int:
        """End every session, as a restart of the server does; returns how many there were."""
        dropped = list(self._sessions.values())
        for session in dropped:
            self.close(session)
        return len(dropped)

    def deafen_all(self) -> int:
        """Give no more events to the sessions that there are; returns how many those are."""
        for session in self._sessions.values():
            session.is_deaf = True
        return len(self._sessions)

    def _forget_expired(self) -> None:
        oldest_seen_at = self._clock.now() - SESSION_LIFETIME
        for session in list(self._sessions.values()):
            if session.seen_at < oldest_seen_at and not session.is_held:
                del self._sessions[session.client_id]
