"""Channels that hear nothing: is it quiet, or are they deaf? Salesforce is asked what has changed."""

import asyncio
import time
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog

from connectors.errors import SyncError
from daemon import waiting
from daemon.clients import Org
from daemon.to_m3ter import coverage, windows
from daemon.to_m3ter.intake import Watch
from daemon.to_m3ter.mapping import reread_soql
from daemon.to_m3ter.mapping.reread_soql import Span
from daemon.to_m3ter.windows import Measure
from state import checkpoints
from state.checkpoints import Position, Reader
from state.database import Db, transaction
from state.errors import DatabaseUnavailable

log = structlog.get_logger(__name__)

# What was changed later than that may still be on its way to us.
SETTLED = timedelta(minutes=2)
_INSTANT = timedelta(milliseconds=1)


@dataclass(slots=True)
class Quiet:
    """Since when each channel hears nothing, by a clock in seconds that is handed in."""

    patience: timedelta
    _since: dict[str, float] = field(default_factory=dict)

    def begin(self, channels: Iterable[str], now: float) -> None:
        """These are trusted for as long as `patience` from now on."""
        self._since.update(dict.fromkeys(channels, now))

    def heard(self, channels: Iterable[str], now: float) -> None:
        """Of channels that are watched; others are passed over."""
        self.begin((channel for channel in channels if channel in self._since), now)

    def due(self, now: float) -> list[str]:
        """The channels that have heard nothing for too long."""
        return [channel for channel in self._since if self._left(channel, now) <= 0]

    def rest(self, now: float) -> timedelta:
        """How long none of them is due."""
        shortest = min(
            (self._left(channel, now) for channel in self._since), default=self.patience.total_seconds()
        )
        return timedelta(seconds=max(0.0, shortest))

    def _left(self, channel: str, now: float) -> float:
        return self._since[channel] + self.patience.total_seconds() - now


@dataclass(frozen=True, slots=True)
class Listener:
    """Whose channels these are, and how much earlier than needed a window begins."""

    db: Db
    org: Org
    watched: Watch
    reader: Reader
    overlap: timedelta


@dataclass(slots=True)
class Doubt:
    """Watches the channels of one session.

    A channel that was quiet for long is asked for: when nothing has changed it is complete until `overlap`
    before now (what is stamped later may be of a transaction that goes on), so that the loss of its place
    costs little; what has changed unheard is read again, and the session is given up. Of channels that do not
    tell of every change, silence says nothing.
    """

    listener: Listener
    channels: Collection[str]
    quiet: Quiet

    def begin(self) -> None:
        """From now on all of them should hear."""
        told = [channel for channel in self.channels if channel not in self.listener.watched.pointers]
        self.quiet.begin(told, time.monotonic())

    def heard(self, channels: Iterable[str]) -> None:
        self.quiet.heard(channels, time.monotonic())

    async def run(self, ending: asyncio.Event) -> None:
        """Until `ending` is set, or until a channel was deaf; either way it is set then."""
        self.begin()
        try:
            while not ending.is_set():
                await waiting.pause(ending, self.quiet.rest(time.monotonic()))
                due = self.quiet.due(time.monotonic())
                if due and not ending.is_set() and await self._is_any_deaf(due):
                    return
        finally:
            ending.set()

    async def _is_any_deaf(self, due: Collection[str]) -> bool:
        """Each is asked for, and trusted again for a while, whatever the answer."""
        self.quiet.begin(due, time.monotonic())
        try:
            now = await coverage.now(self.listener.db, self.listener.org)
        except (SyncError, DatabaseUnavailable) as error:
            log.info("silent channels could not be asked for", channels=[*due], reason=str(error))
            return False
        deaf = []
        for channel in due:
            try:
                if await self._is_deaf(channel, now):
                    deaf.append(channel)
            except (SyncError, DatabaseUnavailable) as error:
                log.info("a silent channel could not be asked for", channel=channel, reason=str(error))
        return bool(deaf)

    async def _is_deaf(self, channel: str, now: datetime) -> bool:
        """Whether something changed on it and was not heard, up to a little before now."""
        known, settled = await self._position(self.listener.db, channel), now - SETTLED
        if known is None or known.complete_until >= settled:
            return False
        changed = await self._changed(channel, known.complete_until + _INSTANT, settled)
        reader = self.listener.reader
        async with transaction(self.listener.db) as tx:
            # By now it may have been heard.
            current = await self._position(tx, channel) or known
            unheard = [name for name, at in changed.items() if at > current.complete_until]
            if unheard:
                measure = Measure(now, self.listener.overlap)
                opened = windows.silent(self.listener.watched, channel, current, unheard, measure)
                await windows.record(tx, reader, opened)
            quiet_until = min(settled, now - self.listener.overlap)
            await checkpoints.complete(tx, reader, [channel], now if unheard else quiet_until)
        return bool(unheard)

    async def _position(self, db: Db, channel: str) -> Position | None:
        return (await checkpoints.get(db, self.listener.reader, [channel])).get(channel)

    async def _changed(self, channel: str, start: datetime, end: datetime) -> dict[str, datetime]:
        """Of each object of the channel the first change in between, if there is one; deletions count."""
        found: dict[str, datetime] = {}
        for name in self.listener.watched.objects[channel]:
            question = reread_soql.page(Span(name, start, end), None, 1)
            async for page in self.listener.org.salesforce.query(question, include_deleted=True):
                for record in page:
                    found[name] = datetime.fromisoformat(record["SystemModstamp"])
        return found
