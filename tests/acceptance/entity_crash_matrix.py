"""The crash matrix of entity data syncs: plays a scenario, kills the daemon at a point of it, judges."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from state.entity_models import Removal
from tests.acceptance import crash_matrix, entity_acts, entity_hurried, entity_scenes
from tests.acceptance.crash_matrix import Death, End
from tests.acceptance.entity_scenes import EntityAct, EntityScene
from tests.acceptance.scenes import Ground

# A run is looked for, and the feed's place kept, again and again.
_IDLE = re.compile(r"commit entity_(?:runs|syncs) #(\d+) ")
_IDLE_TIMES = 12
AT_ONCE = 3  # each has some ten connections of the server's 60, and those of who was killed linger
_OBJECT = re.compile(r"m3ter_\w+__c")
Program = Callable[[str, str, list[str]], None]


@dataclass(frozen=True, slots=True)
class EntityScenario:
    """`before` is seen through by an undisturbed daemon; `away` happens with none running; `during` while the
    one that is to die runs; `down` once it is dead, or at the end. `more`: settings of the integrations."""

    name: str
    before: tuple[EntityAct, ...] = ()
    away: tuple[EntityAct, ...] = ()
    during: tuple[EntityAct, ...] = ()
    down: tuple[EntityAct, ...] = ()
    more: Mapping[str, Any] = field(default_factory=dict)
    program: Program = entity_hurried.main


_THERE = (entity_acts.begin,)
SCENARIOS = (
    EntityScenario("first copy"),
    EntityScenario("first copy in bulk", program=entity_hurried.in_bulk),
    EntityScenario("first copy, some of it gone since", down=(entity_acts.delete, entity_acts.leave)),
    EntityScenario(
        "edits that are heard of",
        before=_THERE,
        during=(entity_acts.edit, entity_acts.edit_often),
        down=(entity_acts.edit_again,),
    ),
    EntityScenario("new ones that are heard of", before=_THERE, during=(entity_acts.make,)),
    EntityScenario("deletions", before=_THERE, during=(entity_acts.delete,)),
    EntityScenario(
        "deletions, deleted here too",
        before=_THERE,
        during=(entity_acts.delete,),
        more={"on_deletion": Removal.DELETE, "on_leaving": Removal.DELETE},
    ),
    EntityScenario(
        "changes while nobody runs",
        before=_THERE,
        away=(entity_acts.edit, entity_acts.make, entity_acts.delete),
        down=(entity_acts.edit_often,),
    ),
    EntityScenario("changes that only a scan finds", before=_THERE, during=(entity_acts.unheard,)),
    EntityScenario(
        "changes that only a scan finds, in bulk",
        before=_THERE,
        during=(entity_acts.unheard,),
        program=entity_hurried.in_bulk,
    ),
    EntityScenario(
        "accounts leave the filter and come back",
        before=_THERE,
        during=(entity_acts.leave, entity_acts.come_back),
    ),
)


async def play(stage: EntityScene, scenario: EntityScenario, fatal: str = "", again: str = "") -> bool:
    """Everything that happens in a scenario; gives whether the daemon died of `fatal`."""
    stage.program = scenario.program
    died = await crash_matrix.play(stage, scenario, fatal)  # type: ignore[arg-type]  # reads what both have
    for act in scenario.down:
        await act(stage)
    if died and again:
        async with stage.daemon(again) as process:
            await stage.settle(process, seconds=60)
    return died


async def recorded(ground: Ground, number: int, scenario: EntityScenario) -> list[str]:
    """The points that one undisturbed run of a scenario passes."""
    async with entity_scenes.scene(ground, f"recorded-{number}", more=scenario.more) as stage:
        await play(stage, scenario)
        points = stage.points()
        await _see_through(stage, scenario)
        wrongs = await stage.wrongs()
        assert not wrongs, f"{scenario.name}: {wrongs}"
        return points


async def killed(ground: Ground, name: str, death: Death[EntityScenario]) -> End:
    """What is wrong after the daemon was killed there and started again."""
    scenario = death.scenario
    async with entity_scenes.scene(ground, name, more=scenario.more) as stage:
        died = await play(stage, scenario, death.point, death.again)
        await _see_through(stage, scenario, is_always=True)
        return End(death, died, await stage.wrongs())


async def _see_through(stage: EntityScene, scenario: EntityScenario, *, is_always: bool = False) -> None:
    if is_always or scenario.down:
        async with stage.daemon():
            await stage.settle(seconds=90)


async def matrix(ground: Ground, deaths: Iterable[Death[EntityScenario]]) -> list[End]:
    """All of them, some at a time."""
    return await crash_matrix.matrix(ground, deaths, killed, AT_ONCE)


async def enumerated(ground: Ground, scenarios: Sequence[EntityScenario]) -> dict[str, list[str]]:
    """The points of each scenario."""
    return await crash_matrix.enumerated(ground, scenarios, recorded, AT_ONCE)


def worth(points: Iterable[str]) -> list[str]:
    """Those of copies: without old rows forgotten at the start, and without what is committed again and again
    while nothing happens, beyond its first times."""
    return [
        point
        for point in points
        if ("entity" in point or not point.startswith("commit"))
        and not ((idle := _IDLE.match(point)) and int(idle[1]) > _IDLE_TIMES)
    ]


def sort_of(point: str) -> str:
    """The kind of point, whatever its object, its number and its side are."""
    return _OBJECT.sub("*", crash_matrix.named(point).rpartition(" ")[0])
