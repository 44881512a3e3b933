"""`make crash`: SIGKILL at every point of every entity data sync, and again during the recovery from it."""

import random
from pathlib import Path

import pytest

from tests.acceptance.crash_matrix import Death, judge, named
from tests.acceptance.entity_crash_matrix import SCENARIOS, matrix, recorded, worth
from tests.acceptance.scenes import Ground

TWICE = 8  # so many double deaths of each scenario
each_scenario = pytest.mark.parametrize(
    "number", range(len(SCENARIOS)), ids=[each.name for each in SCENARIOS]
)


@pytest.fixture
def ground(database_server: str, database_template: str, tmp_path: Path) -> Ground:
    return Ground(database_server, database_template, tmp_path)


@each_scenario
async def test_a_daemon_killed_at_every_point_misses_doubles_and_garbles_nothing(
    ground: Ground, number: int
) -> None:
    scenario = SCENARIOS[number]
    points = worth(await recorded(ground, number, scenario))
    ends = await matrix(ground, [Death(scenario, point) for point in points])
    judge(ends)
    missed = {named(point) for point in points} - {named(end.death.point) for end in ends if end.was_killed}
    assert not missed, f"nobody ever died at {missed}"


@each_scenario
async def test_a_daemon_killed_again_during_recovery_misses_doubles_and_garbles_nothing(
    ground: Ground, number: int
) -> None:
    scenario = SCENARIOS[number]
    points = worth(await recorded(ground, number, scenario))
    chance = random.Random(number)  # the same sample each time
    deaths = [
        Death(scenario, chance.choice(points), str(chance.randint(1, len(points)))) for _ in range(TWICE)
    ]
    judge(await matrix(ground, deaths))
