"""How far a long piece of work is: two bars on a terminal, a line now and then elsewhere, or nothing."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol, Self

from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID, TextColumn, TimeRemainingColumn
from rich.text import Text

from daemon.cli import printing
from daemon.web import wording

_TELL = timedelta(seconds=5)  # how often a line is written where there is no terminal


@dataclass(frozen=True, slots=True)
class Headway:
    """Records read and done, of how many; None where nobody knows yet. `text` says it in words."""

    read: int
    to_read: int | None
    done: int
    to_do: int | None
    text: str
    is_over: bool


class View(Protocol):
    """Where it is shown."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def show(self, now: Headway) -> None: ...

    def tell(self, text: str) -> None: ...


def view(doing: str, *, is_silent: bool) -> View:
    """`doing` names what follows the reading, as in "Writing"."""
    if is_silent:
        return _Silent()
    return _Bars(doing) if printing.console().is_terminal else _Lines()


class _Silent:
    """For machines, which are told at the end."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def show(self, now: Headway) -> None:
        pass

    def tell(self, text: str) -> None:
        pass


class _Rate(ProgressColumn):
    """Records a second."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:,.0f}/s", style=printing.PALE)


class _Count(ProgressColumn):
    """So many of so many."""

    def render(self, task: Task) -> Text:
        total = "?" if task.total is None else f"{task.total:,.0f}"
        return Text(f"{task.completed:,.0f}/{total}")


class _Bars:
    """Two bars that stay in their place."""

    def __init__(self, doing: str) -> None:
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            _Count(),
            _Rate(),
            TimeRemainingColumn(),
            console=printing.console(),
            expand=True,
        )
        self._doing = doing
        self._tasks: tuple[TaskID, TaskID] | None = None

    def __enter__(self) -> Self:
        self._bars.start()
        self._tasks = (
            self._bars.add_task("Reading", total=None),
            self._bars.add_task(self._doing, total=None),
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def show(self, now: Headway) -> None:
        if self._tasks is not None:
            reading, doing = self._tasks
            self._bars.update(reading, completed=now.read, total=now.to_read)
            self._bars.update(doing, completed=now.done, total=now.to_do)

    def tell(self, text: str) -> None:
        self._bars.console.print(Text(printing.safe(text), style="yellow"), soft_wrap=True)


class _Lines:
    """A line now and then, for logs and pipes."""

    def __init__(self) -> None:
        self._began = self._at = asyncio.get_running_loop().time()
        self._first: Headway | None = None
        self._last: Headway | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def show(self, now: Headway) -> None:
        moment = asyncio.get_running_loop().time()
        self._first = self._first or now
        is_due = self._last is None or moment - self._at >= _TELL.total_seconds()
        if now == self._last or not (is_due or now.is_over):
            return
        self._last, self._at = now, moment
        printing.line(f"{now.text}{pace(self._first, now, moment - self._began)}")

    def tell(self, text: str) -> None:
        printing.line(text, "yellow")


def pace(first: Headway, now: Headway, seconds: float) -> str:
    """`; 400/s, 9.5 s left`: of the doing once it is known how much there is to do, else of the reading."""
    if now.to_do is None:
        gained, ahead = now.read - first.read, (now.to_read or 0) - now.read
    else:
        gained, ahead = now.done - first.done, now.to_do - now.done
    if seconds < 1 or now.is_over or gained <= 0 or ahead <= 0:
        return ""
    rate = gained / seconds
    return f"; {rate:,.0f}/s, {wording.lasting(timedelta(seconds=ahead / rate))} left"
