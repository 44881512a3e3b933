"""The event bus of the org: what was published, under which replay ids, for how long."""

import asyncio
import base64
import hashlib
import random
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from connectors import wire
from connectors.sandbox.clock import Clock

RETENTION = timedelta(hours=72)
NEW_EVENTS = -1
ALL_RETAINED = -2
EPOCH = datetime(2020, 1, 1, tzinfo=UTC)


class InvalidReplayIdError(Exception):
    """A replay id that was never issued, or whose event is no longer retained."""


@dataclass(frozen=True, slots=True)
class Event:
    """One published event; `data` is the `data` member of its Bayeux message, ready to be sent."""

    replay_id: int
    published_at: datetime
    channels: frozenset[str]
    data: bytes


class EventBus:
    """Every retained event in commit order, and whom to wake when there is a new one.

    Replay ids increase with holes, and start where a bus of an earlier process cannot have been: a stored
    replay id of another run is refused, as after an org migration.
    """

    def __init__(self, clock: Clock, *, retention: timedelta = RETENTION) -> None:
        self.clock = clock
        self.retention = retention
        self.waiting: set[asyncio.Event] = set()
        self._events: list[Event] = []
        self._ids: list[int] = []
        self._holes = random.Random(20200101)  # noqa: S311 - holes need no secrecy, only repeatability
        self._last_id = int((clock.now() - EPOCH).total_seconds())

    @property
    def last_id(self) -> int:
        """The replay id of the newest event, purged ones included; where `new events only` starts."""
        return self._last_id

    def publish(self, entity: str, channels: frozenset[str], payload: dict[str, Any]) -> Event:
        """Publish one event and wake the listeners."""
        self._last_id += 1 + min(int(self._holes.expovariate(0.7)), 9)
        body = {"schema": schema_id(entity), "payload": payload, "event": {"replayId": self._last_id}}
        event = Event(self._last_id, self.clock.now(), channels, wire.dumps(body))
        self._events.append(event)
        self._ids.append(event.replay_id)
        self.wake()
        return event

    def wake(self) -> None:
        """Let every held connect look again."""
        for listener in self.waiting:
            listener.set()

    def start(self, replay: int) -> int:
        """The replay id after which a subscription reads; raises InvalidReplayIdError."""
        if replay == NEW_EVENTS:
            return self._last_id
        self._forget_expired()
        if replay == ALL_RETAINED:
            return 0
        at = bisect_right(self._ids, replay)
        if at == 0 or self._ids[at - 1] != replay:
            raise InvalidReplayIdError(replay)
        return replay

    def after(self, replay_id: int) -> Iterator[Event]:
        """The retained events after a replay id, oldest first."""
        self._forget_expired()
        for index in range(bisect_right(self._ids, replay_id), len(self._events)):
            yield self._events[index]

    def purge(self) -> int:
        """Drop every retained event, as when the retention window has passed; returns how many."""
        dropped = len(self._events)
        self._events.clear()
        self._ids.clear()
        return dropped

    def _forget_expired(self) -> None:
        oldest_kept_at = self.clock.now() - self.retention
        if not self._events or self._events[0].published_at >= oldest_kept_at:
            return
        expired = bisect_left(self._events, oldest_kept_at, key=lambda event: event.published_at)
        del self._events[:expired]
        del self._ids[:expired]


def schema_id(entity: str) -> str:
    """A schema id as Salesforce forms them: 22 characters, one for each shape of event."""
    return base64.urlsafe_b64encode(hashlib.sha256(entity.encode()).digest()[:16]).decode().rstrip("=")
