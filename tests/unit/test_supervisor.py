"""What is wanted runs, what fails is started again, and a stop lets the work in hand finish."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta

from daemon.supervisor import Part, Supervisor, Surroundings, Timings

QUICK = Timings(
    poll=timedelta(milliseconds=20),
    restart_first=timedelta(milliseconds=10),
    restart_longest=timedelta(milliseconds=40),
    grace=timedelta(milliseconds=200),
    pulse=timedelta(milliseconds=10),
)


@dataclass
class Stage:
    """What is wanted, and what was seen of it."""

    parts: list[Part] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)
    reports: list[tuple[str, str]] = field(default_factory=list)
    pulses: list[str] = field(default_factory=list)
    trouble: Exception | None = None

    async def wanted(self) -> list[Part]:
        if self.trouble:
            raise self.trouble
        return self.parts

    async def report(self, name: str, what: str) -> None:
        if what or any(name == failed for failed, _ in self.reports):
            self.reports.append((name, what))

    async def settled(self) -> None:
        self.seen.append("settled")

    def part(self, name: str, fingerprint: str = "1") -> Part:
        async def run(stop: asyncio.Event) -> None:
            self.seen.append(f"{name} {fingerprint} began")
            await stop.wait()
            self.seen.append(f"{name} {fingerprint} ended")

        return Part(name, fingerprint, run)

    def surroundings(self) -> Surroundings:
        return Surroundings(self.wanted, self.report, self.settled, self.pulses.append)


async def supervised(stage: Stage, act: Callable[[], Awaitable[None]]) -> None:
    stop = asyncio.Event()
    task = asyncio.create_task(Supervisor(stage.surroundings(), QUICK).run(stop))
    try:
        async with asyncio.timeout(5):
            await act()
    finally:
        stop.set()
        await task


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - what is waited for is another task's doing
        await asyncio.sleep(0)


async def test_wanted_parts_run_and_end_when_no_longer_wanted() -> None:
    stage = Stage()
    stage.parts = [stage.part("a"), stage.part("b")]

    async def act() -> None:
        await until(lambda: {"a 1 began", "b 1 began"} <= set(stage.seen))
        stage.parts = stage.parts[:1]
        await until(lambda: "b 1 ended" in stage.seen)

    await supervised(stage, act)
    assert stage.seen.index("b 1 ended") < stage.seen.index("a 1 ended")
    assert "settled" in stage.seen[stage.seen.index("b 1 ended") :], "told once the others had stopped"


async def test_another_fingerprint_ends_the_part_before_the_new_one_begins() -> None:
    stage = Stage()
    stage.parts = [stage.part("a", "1")]

    async def act() -> None:
        await until(lambda: "a 1 began" in stage.seen)
        stage.parts = [stage.part("a", "2")]
        await until(lambda: "a 2 began" in stage.seen)

    await supervised(stage, act)
    assert stage.seen.index("a 1 ended") < stage.seen.index("a 2 began")


async def test_a_failed_part_is_reported_and_started_again_while_others_go_on() -> None:
    stage = Stage()
    failures = 3

    async def fail(stop: asyncio.Event) -> None:
        stage.seen.append("tried")
        if stage.seen.count("tried") <= failures:
            raise ValueError("no luck")
        await stop.wait()

    stage.parts = [stage.part("good"), Part("bad", "1", fail)]
    await supervised(stage, lambda: until(lambda: ("bad", "") in stage.reports))
    assert stage.seen.count("tried") == failures + 1
    assert stage.seen.count("good 1 began") == 1
    assert stage.reports[:failures] == [("bad", "ValueError: no luck")] * failures


async def test_a_part_that_ends_unasked_is_started_again() -> None:
    stage = Stage()

    async def end(_stop: asyncio.Event) -> None:
        stage.seen.append("ended")

    stage.parts = [Part("short", "1", end)]
    await supervised(stage, lambda: until(lambda: stage.seen.count("ended") >= 3))
    assert stage.reports[0][0] == "short"


async def test_a_stop_waits_for_the_work_in_hand_and_goes_on_telling_that_it_lives() -> None:
    stage = Stage()

    async def work(stop: asyncio.Event) -> None:
        stage.seen.append("working")
        await stop.wait()
        stage.pulses.clear()
        await until(lambda: len(stage.pulses) > 3)
        stage.seen.append("finished")

    stage.parts = [Part("work", "1", work)]
    await supervised(stage, lambda: until(lambda: "working" in stage.seen))
    assert "finished" in stage.seen


async def test_what_does_not_finish_within_the_grace_is_cancelled() -> None:
    stage = Stage()

    async def hang(_stop: asyncio.Event) -> None:
        stage.seen.append("hanging")
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            stage.seen.append("cancelled")
            raise

    stage.parts = [Part("hang", "1", hang)]
    await supervised(stage, lambda: until(lambda: "hanging" in stage.seen))
    assert stage.seen[-1] == "cancelled"


async def test_while_the_wanted_parts_are_unknown_the_running_ones_go_on() -> None:
    stage = Stage()
    stage.parts = [stage.part("a")]

    async def act() -> None:
        await until(lambda: "a 1 began" in stage.seen)
        stage.trouble = OSError("the database is away")
        await until(lambda: any("the database is away" in pulse for pulse in stage.pulses))
        stage.trouble = None
        await until(lambda: stage.pulses[-1] == "Running 1 parts")

    await supervised(stage, act)
    assert stage.seen.count("a 1 began") == 1
