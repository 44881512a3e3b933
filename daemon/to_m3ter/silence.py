"""Objects of which nothing is heard: are they quiet, or not told? Salesforce is asked what has changed."""

import asyncio
import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog

from connectors.errors import SyncError
from daemon import waiting
from daemon.clients import Org
from daemon.to_m3ter import coverage, telling, windows
from daemon.to_m3ter.intake import Watch
from daemon.to_m3ter.mapping import reread_soql
from daemon.to_m3ter.mapping.reread_soql import Span
from daemon.to_m3ter.windows import Measure
from state import checkpoints
from state.checkpoints import Known, Position, Reader
from state.database import Connection, Db, transaction
from state.errors import DatabaseUnavailable

log = structlog.get_logger(__name__)

# What was changed later than that may still be on its way to us.
SETTLED = timedelta(minutes=2)
_INSTANT = timedelta(milliseconds=1)


@dataclass(slots=True)
class Quiet:
    """Since when nothing is heard of each object, by a clock in seconds that is handed in."""

    patience: timedelta
    _since: dict[str, float] = field(default_factory=dict)

    def begin(self, names: Iterable[str], now: float) -> None:
        """These are trusted for as long as `patience` from now on."""
        self._since.update(dict.fromkeys(names, now))

    def heard(self, names: Iterable[str], now: float) -> None:
        """Of objects that are watched; others are passed over."""
        self.begin((name for name in names if name in self._since), now)

    def due(self, now: float) -> list[str]:
        """The objects of which nothing was heard for too long."""
        return [name for name in self._since if self._left(name, now) <= 0]

    def rest(self, now: float) -> timedelta:
        """How long none of them is due."""
        shortest = min((self._left(name, now) for name in self._since), default=self.patience.total_seconds())
        return timedelta(seconds=max(0.0, shortest))

    def _left(self, name: str, now: float) -> float:
        return self._since[name] + self.patience.total_seconds() - now


@dataclass(frozen=True, slots=True)
class Listener:
    """Whose channels these are, and how much earlier than needed a window begins."""

    db: Db
    org: Org
    watched: Watch
    reader: Reader
    overlap: timedelta


async def heard_again(tx: Connection, reader: Reader, watched: Watch, told: Mapping[str, datetime]) -> None:
    """Of the objects of which something was told up to these times, some may have been found silent before:
    what may have been committed since they were read is read too. Then they are trusted again."""
    tellers, known = telling.tellers(watched), await checkpoints.objects(tx, reader)
    opened = [
        windows.late(name, tellers[name][0], was, at)
        for name, at in told.items()
        if (was := known.get(name)) and was.unsure_from and was.complete_until <= at
    ]
    if opened:
        await windows.record(tx, reader, opened)


@dataclass(slots=True)
class Doubt:
    """Watches the objects that the channels of one session tell of.

    One of which nothing was heard for long is asked for, whatever else its channel tells: it may have lost a
    permission, or its place on the channel. When nothing has changed it is complete until `overlap` before
    now (what is stamped later may be of a transaction that goes on), so that a lost place costs little; what
    has changed unheard is read again, and the session is given up. Of channels that do not tell of every
    change, silence says nothing.
    """

    listener: Listener
    channels: Collection[str]
    quiet: Quiet
    _tellers: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        owing = telling.tellers(self.listener.watched)
        told_on = {name: [each for each in found if each in self.channels] for name, found in owing.items()}
        self._tellers = {name: found[0] for name, found in told_on.items() if found}

    def begin(self) -> None:
        """From now on all of them should be heard."""
        self.quiet.begin(self._tellers, time.monotonic())

    def heard(self, names: Iterable[str]) -> None:
        self.quiet.heard(names, time.monotonic())

    async def run(self, ending: asyncio.Event) -> None:
        """Until `ending` is set, or until one was not told; either way it is set then."""
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
            log.info("silent objects could not be asked for", objects=[*due], reason=str(error))
            return False
        deaf = []
        for name in due:
            try:
                if await self._is_deaf(name, Measure(now, self.listener.overlap)):
                    deaf.append(name)
            except (SyncError, DatabaseUnavailable) as error:
                log.info("a silent object could not be asked for", object_name=name, reason=str(error))
        return bool(deaf)

    async def _is_deaf(self, name: str, measure: Measure) -> bool:
        """Whether it changed, up to a little before now, and that was not heard; or nobody knows."""
        listener, channel = self.listener, self._tellers[name]
        settled, over = measure.now - SETTLED, measure.now - measure.overlap
        known = (await checkpoints.objects(listener.db, listener.reader)).get(name)
        if known is None:
            return True  # an older mapping's process forgot it: it begins anew with the next session
        if known.complete_until >= settled:
            return False
        # Once everything is committed that was stamped before it was read again, that is asked for once more.
        start = known.sure_until if known.complete_until <= over else known.complete_until
        changed_at = await self._last_change(Span(name, start + _INSTANT, settled))
        async with transaction(listener.db) as tx:
            positions = await checkpoints.get(tx, listener.reader, listener.watched.channels)
            current = positions[channel].objects.get(name, known) if channel in positions else None
            if current is None:
                return False  # another process forgot the channel
            is_deaf = changed_at is not None and changed_at > current.complete_until  # by now it may be heard
            if is_deaf:
                window = windows.silent(name, channel, positions[channel], measure)
                await windows.record(tx, listener.reader, [window])
            elif changed_at is not None and current == known:
                await windows.record(
                    tx, listener.reader, [windows.late(name, channel, known, known.complete_until)]
                )
            until = measure.now if is_deaf else min(settled, over)
            late = max(over, positions[channel].since) if is_deaf else until
            unsure = late if is_deaf or current.unsure_from else None
            await self._complete(tx, positions, name, Known(until, unsure))
        return is_deaf

    async def _complete(
        self, tx: Connection, positions: Mapping[str, Position], name: str, known: Known
    ) -> None:
        """The object is; a channel of it that is heard is complete until the first of its objects is not."""
        reader, watched = self.listener.reader, self.listener.watched
        heard = telling.known_by_objects(watched).intersection(self.channels, positions)
        for channel in sorted(heard):
            names, every = watched.objects[channel], {**positions[channel].objects, name: known}
            if name in names and every.keys() >= set(names):
                least = min(every[each].complete_until for each in names)
                await checkpoints.complete(tx, reader, [channel], least)
        await checkpoints.complete_objects(tx, reader, {name: known.complete_until}, known.unsure_from)

    async def _last_change(self, span: Span) -> datetime | None:
        """Deletions count."""
        question = reread_soql.last(span)
        async for page in self.listener.org.salesforce.query(question, include_deleted=True):
            for record in page:
                return datetime.fromisoformat(record["SystemModstamp"])
        return None
