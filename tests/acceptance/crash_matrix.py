"""The crash matrix: plays a scenario, kills the daemon at a point of it, and judges what came of it."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from tests.acceptance import scenes
from tests.acceptance.scenarios import Scenario
from tests.acceptance.scenes import Ground, Scene

AT_ONCE = 4
_NUMBER = re.compile(r" #\d+ ")
# One may come more or less often from run to run: how events are cut into batches, and how long all takes. So
# one that is not met is played anew, and some may not be met even so.
TRIES = 3
MET_AT_LEAST = 0.8


class Named(Protocol):
    """A scenario of either direction."""

    @property
    def name(self) -> str: ...


S = TypeVar("S", bound=Named)
S_co = TypeVar("S_co", bound=Named, covariant=True)


@dataclass(frozen=True, slots=True)
class Death(Generic[S_co]):
    """Where the daemon dies, and where the one started after it ('': nowhere)."""

    scenario: S_co
    point: str
    again: str = ""

    def __str__(self) -> str:
        return f"{self.scenario.name}: {self.point}{self.again and f', and again at point {self.again}'}"


@dataclass(frozen=True, slots=True)
class End:
    """What came of it."""

    death: Death[Named]
    was_killed: bool
    wrongs: list[str]


async def play(stage: Scene, scenario: Scenario, fatal: str = "", again: str = "") -> bool:
    """Everything that happens in a scenario; gives whether the daemon died of `fatal`."""
    if scenario.before:
        async with stage.daemon():
            for act in scenario.before:
                await act(stage)
                await stage.settle()
    for act in scenario.away:
        await act(stage)
    stage.log.write_text("")
    async with stage.daemon(fatal) as process:
        for act in scenario.during:
            await act(stage)
            await stage.settle(process, seconds=60)
        if not scenario.during:  # what happened while it was away is enough
            await stage.settle(process, seconds=60)
        if fatal:
            # what is in the database is seen before its last point is passed
            await asyncio.to_thread(process.join, 3)
        died: bool = process.exitcode == -9
    if died and again:
        async with stage.daemon(again) as process:
            await stage.settle(process, seconds=60)
    return died


async def recorded(ground: Ground, number: int, scenario: Scenario) -> list[str]:
    """The points that one undisturbed run of a scenario passes."""
    async with scenes.scene(ground, f"recorded-{number}") as stage:
        await play(stage, scenario)
        wrongs = await stage.wrongs()
        assert not wrongs, f"{scenario.name}: {wrongs}"
        return stage.points()


async def killed(ground: Ground, name: str, death: Death[Scenario]) -> End:
    """What is wrong after the daemon was killed there and started again."""
    async with scenes.scene(ground, name) as stage:
        died = await play(stage, death.scenario, death.point, death.again)
        async with stage.daemon():
            await stage.settle(seconds=90)
        return End(death, died, await stage.wrongs())


async def matrix(
    ground: Ground,
    deaths: Iterable[Death[S]],
    kill: Callable[[Ground, str, Death[S]], Awaitable[End]],
    at_once: int = AT_ONCE,
) -> list[End]:
    """All of them, some at a time."""
    turn = asyncio.Semaphore(at_once)

    async def one(number: int, death: Death[S]) -> End:
        async with turn:
            for each in range(TRIES):
                end = await kill(ground, f"{number:04}-{each}", death)
                if end.was_killed or end.wrongs:
                    break
            return end

    return await asyncio.gather(*(one(number, death) for number, death in enumerate(deaths)))


def judge(ends: list[End]) -> None:
    """Fail with each place after which something was wrong, or at which nobody dies."""
    wrong = {str(end.death): end.wrongs for end in ends if end.wrongs}
    assert not wrong, f"after SIGKILL: {wrong}"
    met = [end for end in ends if end.was_killed]
    spared = [str(end.death) for end in ends if not end.was_killed]
    assert len(met) >= MET_AT_LEAST * len(ends), f"the daemon was not killed at {spared}"


def named(point: str) -> str:
    """The point whatever its number is: `commit inbox before`."""
    return _NUMBER.sub(" ", point)


async def enumerated(
    ground: Ground,
    scenarios: Sequence[S],
    record: Callable[[Ground, int, S], Awaitable[list[str]]],
    at_once: int = AT_ONCE,
) -> dict[str, list[str]]:
    """The points of each scenario."""
    turn = asyncio.Semaphore(at_once)

    async def one(number: int, scenario: S) -> list[str]:
        async with turn:
            return await record(ground, number, scenario)

    found = await asyncio.gather(*(one(number, scenario) for number, scenario in enumerate(scenarios)))
    return {scenario.name: points for scenario, points in zip(scenarios, found, strict=True)}
