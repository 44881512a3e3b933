"""Follows one run of an entity data sync in the database: two bars on a terminal, lines elsewhere."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol, Self
from uuid import UUID

from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from daemon import waiting
from daemon.cli import presence, printing
from daemon.cli.following import LOOK, QUIET, TELL, Count, Ended, Rate, interrupts
from daemon.web import wording
from state import entity_copies, entity_runs, health
from state.database import Pool
from state.entity_models import EntityRun
from state.models import RunStatus

_UNDER_WAY = (RunStatus.WAITING, RunStatus.STARTED)


@dataclass(frozen=True, slots=True)
class Headway:
    """How far it is. `expected`: entities that there were at the last run, None when it is the first."""

    read: int
    expected: int | None
    is_read: bool
    done: int
    left: int
    has_begun: bool
    is_over: bool

    @property
    def total(self) -> int | None:
        """Of the reading, as far as can be known."""
        if self.is_read:
            return self.read
        return None if self.expected is None else max(self.expected, self.read)


def headway(run: EntityRun, left: int, expected: int | None) -> Headway:
    return Headway(
        read=run.entities_read,
        expected=expected,
        is_read=run.is_scanned,
        done=run.written + run.refused + run.marked + run.deleted,
        left=left,
        has_begun=run.status is not RunStatus.WAITING,
        is_over=run.status not in _UNDER_WAY,
    )


class View(Protocol):
    """Where it is shown."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def show(self, now: Headway) -> None: ...


async def follow(db: Pool, run_id: UUID, fresh: timedelta, *, is_silent: bool) -> tuple[Ended, EntityRun]:
    """Until it ends, until Ctrl-C, or until it shows that nobody works on it.

    `fresh`: a daemon that works has said something of itself within that time.
    """
    view: View = Silent() if is_silent else Bars() if printing.console().is_terminal else Lines()
    expected = await _expected(db, run_id)
    clock = asyncio.get_running_loop().time
    seen, moved_at = None, clock()
    with interrupts() as stop, view:
        while True:
            run = await entity_runs.get(db, run_id)
            backlogs = await entity_copies.backlogs(db)
            now = headway(run, backlogs[run.integration_id].due, expected)
            view.show(now)
            if now.is_over:
                return Ended.OVER, run
            if stop.is_set():
                return Ended.INTERRUPTED, run
            if now != seen:
                seen, moved_at = now, clock()
            is_still = clock() - moved_at >= QUIET.total_seconds()
            if is_still and presence.is_absent(await health.all(db), fresh):
                return Ended.ABANDONED, run
            await waiting.pause(stop, LOOK)


async def _expected(db: Pool, run_id: UUID) -> int | None:
    """How many entities the last complete run found."""
    run = await entity_runs.get(db, run_id)
    earlier = await entity_runs.list_runs(db, run.integration_id, limit=20)
    whole = [each.entities_read for each in earlier if each.status is RunStatus.COMPLETE and each.is_scanned]
    return whole[0] if whole else None


class Silent:
    """For machines, which are told at the end."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def show(self, now: Headway) -> None:
        pass


class Bars:
    """Two bars that stay in their place."""

    def __init__(self) -> None:
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            Count(),
            Rate(),
            TimeRemainingColumn(),
            console=printing.console(),
            expand=True,
        )
        self._reading: TaskID | None = None
        self._writing: TaskID | None = None

    def __enter__(self) -> Self:
        self._bars.start()
        self._reading = self._bars.add_task("Reading", total=None)
        self._writing = self._bars.add_task("Writing", total=None)
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def show(self, now: Headway) -> None:
        if self._reading is not None and self._writing is not None:
            self._bars.update(self._reading, completed=now.read, total=now.total)
            # Until all is read nobody knows how many there are to write.
            ahead = now.done + now.left if now.is_read else None
            self._bars.update(self._writing, completed=now.done, total=ahead)


class Lines:
    """A line now and then, for logs and pipes."""

    def __init__(self) -> None:
        self._began = self._at = asyncio.get_running_loop().time()
        self._last: Headway | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def show(self, now: Headway) -> None:
        moment = asyncio.get_running_loop().time()
        is_due = self._last is None or moment - self._at >= TELL.total_seconds()
        if now == self._last or not (is_due or now.is_over):
            return
        self._last, self._at = now, moment
        printing.line(words(now, moment - self._began))


def words(now: Headway, seconds: float) -> str:
    """`read 1,200 of 5,000; written 800; 400/s, 9.5 s left`."""
    if not now.has_begun:
        return "waits for the service to begin"
    of = f" of {now.total:,}" if now.total is not None and not now.is_read else ""
    ahead = f" of {now.done + now.left:,}" if now.is_read else ""
    done, left = (now.done, now.left) if now.is_read else (now.read, (now.total or 0) - now.read)
    pace = ""
    if seconds >= 1 and done > 0 and left > 0 and not now.is_over:
        rate = done / seconds
        pace = f"; {rate:,.0f}/s, {wording.lasting(timedelta(seconds=left / rate))} left"
    return f"read {now.read:,}{of}; written {now.done:,}{ahead}{pace}"
