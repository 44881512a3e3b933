"""Follows windows that the daemon reads again: a bar on a terminal, lines elsewhere, until all is synced."""

import asyncio
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Protocol, Self
from uuid import UUID

from rich.progress import BarColumn, ProgressColumn, Task, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars
from rich.text import Text

from daemon import waiting
from daemon.cli import presence, printing
from daemon.web import wording
from state import health, reread_progress
from state.database import Pool
from state.reread_progress import Progress

LOOK = timedelta(milliseconds=500)
TELL = timedelta(seconds=5)  # how often a line is written where there is no terminal
QUIET = timedelta(seconds=10)  # without headway for so long it is asked whether anybody works on it


@dataclass(frozen=True, slots=True)
class Totals:
    """All windows together. `total` None: it is not known yet how many records there are to read."""

    read: int
    total: int | None
    put: int
    synced: int
    waiting: int
    postponed: int
    set_aside: int
    differences: int
    is_read: bool

    @property
    def is_over(self) -> bool:
        """All is read, and what is not synced waits for longer than anybody wants to watch."""
        return self.is_read and self.waiting <= self.postponed


def totals(windows: Sequence[Progress]) -> Totals:
    known = [each.total for each in windows if each.total is not None]
    read = sum(each.records_read for each in windows)
    return Totals(
        read=read,
        # What is changed while it is read is met twice.
        total=max(sum(known), read) if len(known) == len(windows) else None,
        put=sum(each.records_put for each in windows),
        synced=sum(each.synced for each in windows),
        waiting=sum(each.waiting for each in windows),
        postponed=sum(each.postponed for each in windows),
        set_aside=sum(each.set_aside for each in windows),
        differences=sum(each.differences for each in windows),
        is_read=all(each.is_read for each in windows),
    )


class View(Protocol):
    """Where the headway is shown."""

    def show(self, now: Totals) -> None: ...

    def tell(self, text: str) -> None: ...


class Ended(StrEnum):
    """Why the following ended."""

    OVER = "over"
    INTERRUPTED = "interrupted"
    ABANDONED = "abandoned"


@dataclass(slots=True)
class Follower:
    """`fresh`: a daemon that works has said something of itself within that time."""

    db: Pool
    ids: Sequence[UUID]
    view: View
    fresh: timedelta
    quiet: timedelta = QUIET
    _moved_at: float = field(default=0.0)
    _seen: Totals | None = None
    _told: str = ""

    async def follow(self) -> tuple[Ended, list[Progress]]:
        """Until all is read and synced, until Ctrl-C, or until it shows that nobody works on it."""
        with interrupts() as stop:
            while True:
                windows = await reread_progress.of(self.db, self.ids)
                now = totals(windows)
                self.view.show(now)
                self._tell_trouble(windows)
                if now.is_over:
                    return Ended.OVER, windows
                if stop.is_set():
                    return Ended.INTERRUPTED, windows
                if await self._is_abandoned(now):
                    return Ended.ABANDONED, windows
                await waiting.pause(stop, LOOK)

    def _tell_trouble(self, windows: Sequence[Progress]) -> None:
        ailing = next((each for each in windows if each.error and not each.is_read), None)
        if ailing is None:
            self._told = ""
        elif ailing.error != self._told:
            self._told = ailing.error or ""
            self.view.tell(f"{ailing.object_name}: {ailing.error} {ailing.instruction}".rstrip())

    async def _is_abandoned(self, now: Totals) -> bool:
        """Nothing has moved for a while, and no daemon has said anything of itself either."""
        moment = asyncio.get_running_loop().time()
        if now != self._seen:
            self._seen, self._moved_at = now, moment
        if moment - self._moved_at < self.quiet.total_seconds():
            return False
        return presence.is_absent(await health.all(self.db), self.fresh)


@contextmanager
def interrupts() -> Iterator[asyncio.Event]:
    """Set by Ctrl-C, which here ends the watching only."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGINT, stop.set)
    try:
        yield stop
    finally:
        loop.remove_signal_handler(signal.SIGINT)


class Rate(ProgressColumn):
    """Records a second."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:,.0f}/s", style=printing.PALE)


class Count(ProgressColumn):
    """So many of so many."""

    def render(self, task: Task) -> Text:
        total = "?" if task.total is None else f"{task.total:,.0f}"
        return Text(f"{task.completed:,.0f}/{total}")


class Terminal:
    """Two bars that stay in their place."""

    def __init__(self) -> None:
        self._bars = Bars(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            Count(),
            Rate(),
            TimeRemainingColumn(),
            console=printing.console(),
            expand=True,
        )
        self._reading: TaskID | None = None
        self._syncing: TaskID | None = None

    def __enter__(self) -> Self:
        self._bars.start()
        self._reading = self._bars.add_task("Reading", total=None)
        self._syncing = self._bars.add_task("Syncing", total=None)
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def show(self, now: Totals) -> None:
        total = now.read if now.is_read else now.total
        done = now.synced + now.set_aside
        if self._reading is not None and self._syncing is not None:
            self._bars.update(self._reading, completed=now.read, total=total)
            # Until all is read nobody knows how many there are to sync.
            self._bars.update(self._syncing, completed=done, total=now.put if now.is_read else None)

    def tell(self, text: str) -> None:
        self._bars.console.print(Text(printing.safe(text), style="yellow"), soft_wrap=True)


class Silent:
    """For machines, which are told at the end."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def show(self, now: Totals) -> None:
        pass

    def tell(self, text: str) -> None:
        pass


class Lines:
    """A line now and then, for logs and pipes."""

    def __init__(self) -> None:
        self._last: Totals | None = None
        self._began = self._at = asyncio.get_running_loop().time()
        self._first: Totals | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def show(self, now: Totals) -> None:
        moment = asyncio.get_running_loop().time()
        self._first = self._first or now
        is_due = self._last is None or moment - self._at >= TELL.total_seconds()
        if now == self._last or not (is_due or now.is_over):
            return
        self._last, self._at = now, moment
        printing.line(f"{reading(now)}; {syncing(now)}{self._pace(now, moment - self._began)}")

    def tell(self, text: str) -> None:
        printing.line(text, "yellow")

    def _pace(self, now: Totals, seconds: float) -> str:
        """How fast, and how long it will last; of the reading, then of the syncing."""
        if self._first is None or seconds < 1 or now.is_over:
            return ""
        done = now.synced - self._first.synced if now.is_read else now.read - self._first.read
        ahead = now.put - now.synced - now.set_aside if now.is_read else (now.total or 0) - now.read
        if done <= 0 or ahead <= 0:
            return ""
        rate = done / seconds
        return f"; {rate:,.0f}/s, {wording.lasting(timedelta(seconds=ahead / rate))} left"


def reading(now: Totals) -> str:
    if now.is_read:
        return f"read {now.read:,}"
    return f"read {now.read:,} of {now.total:,}" if now.total is not None else f"read {now.read:,}"


def syncing(now: Totals) -> str:
    return f"synced {now.synced:,} of {now.put:,}"
