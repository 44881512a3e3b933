"""The event bus of the org: what was published, under which replay ids, for how long."""

import asyncio
import base64
import hashlib
import random
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from connectors import wire
from connectors.sandbox.clock import Clock

RETENTION = timedelta(hours=72)  # change events and high-volume platform events; nothing is kept longer
Body = dict[str, Any]
Variants = Mapping[str, Callable[[], list[Body]]]
NEW_EVENTS = -1
ALL_RETAINED = -2
EPOCH = datetime(2020, 1, 1, tzinfo=UTC)


class InvalidReplayIdError(Exception):
    """A replay id that was never issued, or whose event is no longer retained."""


@dataclass(frozen=True, slots=True)
class Event:
    """One published event; `data` is the `data` member of its Bayeux message, ready to be sent.

    `variants`: channels on which it looks otherwise, perhaps in several messages, made anew at each delivery.
    """

    replay_id: int
    published_at: datetime
    kept_until: datetime
    channels: frozenset[str]
    data: bytes
    variants: Mapping[str, Callable[[], list[bytes]]] = field(default_factory=dict)

    def on(self, channel: str) -> Sequence[bytes]:
        """What is delivered on this channel."""
        variant = self.variants.get(channel)
        return (self.data,) if variant is None else variant()


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

    def publish(
        self, entity: str, channels: frozenset[str], payload: Body, variants: Variants | None = None
    ) -> Event:
        """Publish one event with a schema; `variants` make the payloads of channels that differ."""

        def whole(payload: Body) -> Body:
            return {"schema": schema_id(entity), "payload": payload, "event": {}}

        def bodies(make: Callable[[], list[Body]]) -> Callable[[], list[Body]]:
            return lambda: [whole(each) for each in make()]

        different = {channel: bodies(make) for channel, make in (variants or {}).items()}
        return self.post(channels, whole(payload), variants=different)

    def post(
        self,
        channels: frozenset[str],
        data: Body,
        *,
        retention: timedelta | None = None,
        variants: Variants | None = None,
    ) -> Event:
        """Publish what has an `event` member, which gets the replay id, and wake the listeners."""
        self._last_id += 1 + min(int(self._holes.expovariate(0.7)), 9)
        replay_id, now = self._last_id, self.clock.now()

        def numbered(body: Body) -> bytes:
            return wire.dumps({**body, "event": {**body["event"], "replayId": replay_id}})

        def messages(make: Callable[[], list[Body]]) -> Callable[[], list[bytes]]:
            return lambda: [numbered(each) for each in make()]

        event = Event(
            replay_id,
            published_at=now,
            kept_until=now + min(retention or self.retention, self.retention),
            channels=channels,
            data=numbered(data),
            variants={channel: messages(make) for channel, make in (variants or {}).items()},
        )
        self._events.append(event)
        self._ids.append(event.replay_id)
        self.wake()
        return event

    def wake(self) -> None:
        """Let every held connect look again."""
        for listener in self.waiting:
            listener.set()

    def start(self, replay: int, channel: str) -> int:
        """The replay id after which a subscription reads; raises InvalidReplayIdError.

        Whether Salesforce takes the replay id of another channel is not documented: here it is refused, so
        that nobody comes to rely on it.
        """
        if replay == NEW_EVENTS:
            return self._last_id
        self._forget_expired()
        if replay == ALL_RETAINED:
            return 0
        at = bisect_right(self._ids, replay)
        found = self._events[at - 1] if at else None
        if found is None or found.replay_id != replay or not self._keeps(found):
            raise InvalidReplayIdError(replay)
        if channel not in found.channels:
            raise InvalidReplayIdError(replay)
        return replay

    def after(self, replay_id: int) -> Iterator[Event]:
        """The retained events after a replay id, oldest first."""
        self._forget_expired()
        for index in range(bisect_right(self._ids, replay_id), len(self._events)):
            if self._keeps(self._events[index]):
                yield self._events[index]

    def purge(self) -> int:
        """Drop every retained event, as when the retention window has passed; returns how many."""
        dropped = len(self._events)
        self._events.clear()
        self._ids.clear()
        return dropped

    def _keeps(self, event: Event) -> bool:
        return self.clock.now() <= event.kept_until

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
