"""Keeps the wanted parts of the daemon running: starts, restarts with back-off, stops in two phases."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import structlog

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Part:
    """One long-running task; another `fingerprint` under the same name means it must be started anew.

    `run` is given the part's own stop event and ends soon after it is set.
    """

    name: str
    fingerprint: str
    run: Callable[[asyncio.Event], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Timings:
    """How often to look what is wanted, how patiently to restart, how long a stop may take."""

    poll: timedelta = timedelta(seconds=5)
    restart_first: timedelta = timedelta(seconds=1)
    restart_longest: timedelta = timedelta(minutes=1)
    grace: timedelta = timedelta(seconds=60)
    answer: timedelta = timedelta(seconds=10)  # for the question what is wanted
    pulse: timedelta = timedelta(seconds=2)  # at least so often while parts are being stopped


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the supervisor asks and tells: the wanted parts, health by part name, a pulse after each round.

    `settled` is called once what is no longer wanted has stopped.
    """

    wanted: Callable[[], Awaitable[Sequence[Part]]]
    report: Callable[[str, str], Awaitable[None]]  # (part name, "" when well or what is wrong)
    settled: Callable[[], Awaitable[None]]
    pulse: Callable[[str], None]  # (one line for people)


@dataclass(slots=True)
class _Running:
    part: Part
    stop: asyncio.Event
    task: asyncio.Task[None]
    started_at: float  # loop time, as all here
    failures: int = 0
    is_recovering: bool = False  # restarted, and not yet reported well
    restart_at: float | None = None  # set while the part is down


@dataclass(slots=True)
class Supervisor:
    """Reconciles running tasks with what is wanted until told to stop.

    `changed` is set from outside when the wanted parts may have changed; polling guarantees it anyhow.
    """

    surroundings: Surroundings
    timings: Timings = field(default_factory=Timings)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    _running: dict[str, _Running] = field(default_factory=dict)
    _trouble: str = ""

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop`; then each part finishes what it has in hand or is cancelled after the grace."""
        try:
            while not stop.is_set():
                await self._round()
                await self._wait(stop)
        finally:
            await self._stop(list(self._running.values()))

    async def _round(self) -> None:
        self.changed.clear()
        try:
            async with asyncio.timeout(self.timings.answer.total_seconds()):
                wanted = {part.name: part for part in await self.surroundings.wanted()}
            await self._reconcile(wanted)
            await self.surroundings.settled()
        except Exception as error:  # what runs goes on running meanwhile
            self._note_trouble(str(error) or type(error).__name__)
        else:
            self._note_trouble("")
        self.surroundings.pulse(self._summary())

    async def _reconcile(self, wanted: dict[str, Part]) -> None:
        stale = [
            running
            for name, running in self._running.items()
            if name not in wanted or wanted[name].fingerprint != running.part.fingerprint
        ]
        await self._stop(stale)
        for gone in stale:
            await self.surroundings.report(gone.part.name, "")
        for name, part in wanted.items():
            running = self._running.get(name)
            if running is None:
                # What an earlier daemon said of it is old.
                await self.surroundings.report(name, "")
                self._running[name] = self._start(part, failures=0)
            elif running.task.done():
                await self._mend(running)
            elif running.is_recovering:
                await self._confirm(running)

    def _start(self, part: Part, failures: int) -> _Running:
        stop = asyncio.Event()
        task = asyncio.create_task(self._guarded(part, stop), name=part.name)
        # A part that ends is looked at in the next round, at once.
        task.add_done_callback(lambda _task: self.changed.set())
        now = asyncio.get_running_loop().time()
        return _Running(part, stop, task, now, failures, is_recovering=failures > 0)

    async def _guarded(self, part: Part, stop: asyncio.Event) -> None:
        await part.run(stop)
        if not stop.is_set():
            raise RuntimeError("it ended although nobody asked it to")

    async def _mend(self, running: _Running) -> None:
        """Restart a failed part once its wait is over; say so when the trouble begins."""
        now = asyncio.get_running_loop().time()
        if running.restart_at is None:
            failure = running.task.exception() if not running.task.cancelled() else None
            lasted = now - running.started_at > self.timings.restart_longest.total_seconds()
            running.failures = 1 if lasted else running.failures + 1
            wait = self.timings.restart_first * 2 ** min(running.failures - 1, 20)
            running.restart_at = now + min(wait, self.timings.restart_longest).total_seconds()
            what = f"{type(failure).__name__}: {failure}" if failure else "it was cancelled"
            log.error("part failed", part=running.part.name, failures=running.failures, exc_info=failure)
            await self.surroundings.report(running.part.name, what)
        elif now >= running.restart_at:
            self._running[running.part.name] = self._start(running.part, running.failures)

    async def _confirm(self, running: _Running) -> None:
        """A restarted part is well again once it has lasted longer than the first wait."""
        lasted = asyncio.get_running_loop().time() - running.started_at
        if lasted > self.timings.restart_first.total_seconds():
            running.is_recovering = False
            log.info("part runs again", part=running.part.name)
            await self.surroundings.report(running.part.name, "")

    async def _stop(self, parts: Sequence[_Running]) -> None:
        """Two phases: the event and a grace period for all of them together, then cancellation."""
        for running in parts:
            running.stop.set()
        late = {running.task for running in parts}
        end = asyncio.get_running_loop().time() + self.timings.grace.total_seconds()
        while late and (left := end - asyncio.get_running_loop().time()) > 0:
            pause = min(left, self.timings.pulse.total_seconds())
            _, late = await asyncio.wait(late, timeout=pause)
            self.surroundings.pulse(f"Waiting for {len(late)} parts to finish" if late else "Finished")
        for task in late:
            log.warning("part cancelled after its grace period", part=task.get_name())
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        for running in parts:
            self._running.pop(running.part.name, None)

    async def _wait(self, stop: asyncio.Event) -> None:
        """Until something changed, a failed part is due, the poll interval is over, or the end."""
        loop = asyncio.get_running_loop()
        due = [running.restart_at - loop.time() for running in self._running.values() if running.restart_at]
        if any(running.is_recovering for running in self._running.values()):
            due.append(self.timings.restart_first.total_seconds())
        timeout = max(0.0, min([self.timings.poll.total_seconds(), *due]))
        wishes = {"stop": stop, "change": self.changed}
        waiting = [asyncio.create_task(each.wait(), name=f"await {name}") for name, each in wishes.items()]
        try:
            await asyncio.wait(waiting, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)

    def _note_trouble(self, trouble: str) -> None:
        """One line when the wanted parts cannot be learnt any more and one when they can again."""
        if trouble and not self._trouble:
            log.error("cannot tell what should run", reason=trouble)
        elif self._trouble and not trouble:
            log.info("can tell again what should run")
        self._trouble = trouble

    def _summary(self) -> str:
        down = [name for name, running in self._running.items() if running.task.done()]
        if self._trouble:
            return f"Waiting: {self._trouble}"
        if down:
            return f"Restarting {', '.join(sorted(down))}"
        return f"Running {len(self._running)} parts"
