"""The fault matrix of entity data syncs: plays a story, lets one call of a kind go wrong, and judges."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from state import outages
from state.entity_models import Removal
from tests.acceptance import entity_acts, entity_hurried, entity_scenes, fault_matrix, scenes
from tests.acceptance.entity_crash_matrix import AT_ONCE, Program
from tests.acceptance.entity_scenes import EntityAct, EntityScene
from tests.acceptance.fault_matrix import FAULTS, SETTINGS, Case, Kind
from tests.acceptance.house import until
from tests.acceptance.scenes import Ground

# Like an answer that is meant: the run fails, says so, and the next one makes up for it.
MAY_FAIL_A_RUN = frozenset({"HTML as if all were well", "403", "403 in HTML"})
_FAILED = "SELECT count(*) FROM entity_runs WHERE status = 'ERROR'"


@dataclass(frozen=True, slots=True)
class Story:
    """Its acts, each seen through before the next; `more`: settings of the integrations."""

    name: str
    acts: tuple[EntityAct, ...]
    more: Mapping[str, Any]
    program: Program = entity_hurried.main


STORIES = (
    Story("in calls", (entity_acts.begin, entity_acts.change), {}),
    Story(
        "in bulk",
        (entity_acts.begin, entity_acts.unheard),
        {"on_deletion": Removal.DELETE, "on_leaving": Removal.DELETE},
        entity_hurried.in_bulk,
    ),
)


def kind_of(system: str, entry: dict[str, Any]) -> Kind:
    """The kind of a journalled call; each name of m3ter's events is a kind of its own."""
    kind = fault_matrix.kind_of(system, entry)
    name = parse_qs(entry["query"]).get("eventName")
    return Kind(system, kind.method, kind.path, f"*eventName={name[0]}*") if name else kind


def sort_of(kind: Kind) -> str:
    """Lists of all types are one sort, and so are writes to all objects, and all names of events."""
    path = kind.path.partition("/v67.0")[2] or kind.path.partition("/organizations/*/")[2] or kind.path
    is_list = kind.system == "m3ter" and kind.method == "GET" and not path.startswith("events")
    place = "a list" if is_list else path.replace("m3ter_", "").partition("sobjects/")[0]
    return f"{kind.system} {kind.method} {place} {'one' if 'sobjects/' in path else ''}"


def in_turn(kinds: Iterable[Kind], turn: int) -> list[Kind]:
    """One kind of each sort: another each turn, until each has had its turn."""
    sorts: dict[str, list[Kind]] = {}
    for kind in sorted(kinds):
        sorts.setdefault(sort_of(kind), []).append(kind)
    return [sort[turn % len(sort)] for sort in sorts.values()]


async def recorded(ground: Ground, story: Story) -> list[dict[Kind, int]]:
    """How often each kind of call is made in each act of an undisturbed story."""
    found: list[dict[Kind, int]] = []
    seen = {"salesforce": 0, "m3ter": 0}
    async with staged(ground, f"recorded {story.name}", story) as stage, stage.daemon():
        for act in story.acts:
            await act(stage)
            await settled(stage)
            counts: dict[Kind, int] = {}
            for system, control in fault_matrix.controls(stage).items():
                for entry in await control.journal(f"bodies=1&since={seen[system]}"):
                    seen[system] = entry["number"]
                    kind = kind_of(system, entry)
                    counts[kind] = counts.get(kind, 0) + 1
            found.append(counts)
        wrongs = await stage.wrongs()
        assert not wrongs, wrongs
    return found


async def disturbed(ground: Ground, name: str, story: Story, case: Case) -> list[str]:
    """What is wrong at the end of a story in which one call went wrong."""
    fault = {"match": case.kind.match, "times": 1, "skip": case.skip, **FAULTS[case.fault]}
    async with staged(ground, name, story) as stage:
        control = fault_matrix.controls(stage)[case.kind.system]
        if case.step == 0:
            await control.call("POST", "faults", fault)
        async with stage.daemon():
            for number, act in enumerate(story.acts):
                if number == case.step > 0:
                    await control.call("POST", "faults", fault)
                await act(stage)
                await settled(stage)
        if not any(told["hits"] for told in await control.faults()):
            return [f"{fault_matrix.MISSED}: {case}"]
        await control.clear_faults()
        failed = await stage.house.db.fetchval(_FAILED)
        told = ["a run failed of what passes"] if failed and case.fault not in MAY_FAIL_A_RUN else []
        return [*told, *await stage.wrongs()]


async def settled(stage: EntityScene, *, seconds: float = 90) -> None:
    """Wait until it is over. After a run that failed one is asked for, which otherwise its schedule does."""
    failed = 0

    async def over() -> bool:
        nonlocal failed
        try:
            known, failed = failed, await stage.house.db.fetchval(_FAILED)
            if failed > known:
                await stage.rescan()
            return not await stage.unsettled()
        except outages.FAILURES:
            return False  # the database is away

    with suppress(TimeoutError):  # why it is not over is told by `wrongs`
        await until(over, seconds=seconds, every=scenes.LOOK_EVERY)


@asynccontextmanager
async def staged(ground: Ground, name: str, story: Story) -> AsyncIterator[EntityScene]:
    """A scene whose daemon has little patience."""
    async with entity_scenes.scene(ground, name, settings=SETTINGS, more=story.more) as stage:
        stage.program = story.program
        yield stage


async def matrix(ground: Ground, cases: Iterable[tuple[Story, Case]]) -> dict[str, list[str]]:
    """What is wrong after each of them, some at a time."""
    turn = asyncio.Semaphore(AT_ONCE)

    async def one(number: int, story: Story, case: Case) -> tuple[str, list[str]]:
        async with turn:
            case, found = await fault_matrix.met(
                case, lambda each: disturbed(ground, f"{number:04}-{each.skip}", story, each)
            )
            return f"{story.name}, {case}", found

    ends = [one(number, story, case) for number, (story, case) in enumerate(cases)]
    return dict(await asyncio.gather(*ends))
