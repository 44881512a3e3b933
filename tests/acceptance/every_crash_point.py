"""`make crash`: SIGKILL at every point of every scenario, and again during the recovery from it."""

import random
from pathlib import Path

import pytest

from tests.acceptance.crash_matrix import MET_AT_LEAST, Death, judge, killed, matrix, named, recorded
from tests.acceptance.scenarios import SCENARIOS
from tests.acceptance.scenes import Ground

TWICE = 12  # so many double deaths of each scenario
each_scenario = pytest.mark.parametrize(
    "number", range(len(SCENARIOS)), ids=[each.name for each in SCENARIOS]
)


@pytest.fixture
def ground(database_server: str, database_template: str, tmp_path: Path) -> Ground:
    return Ground(database_server, database_template, tmp_path)


@each_scenario
async def test_a_daemon_killed_at_every_point_loses_doubles_and_reorders_nothing(
    ground: Ground, number: int
) -> None:
    points = await recorded(ground, number, SCENARIOS[number])
    ends = await matrix(ground, [Death(SCENARIOS[number], point) for point in points], killed)
    judge(ends)
    known = {named(point) for point in points}
    met = {named(end.death.point) for end in ends if end.was_killed}
    assert len(met) >= MET_AT_LEAST * len(known), f"nobody ever died at {known - met}"


@each_scenario
async def test_a_daemon_killed_again_during_recovery_loses_doubles_and_reorders_nothing(
    ground: Ground, number: int
) -> None:
    points = await recorded(ground, number, SCENARIOS[number])
    chance = random.Random(number)  # the same sample each time
    deaths = [
        Death(SCENARIOS[number], chance.choice(points), str(chance.randint(1, len(points))))
        for _ in range(TWICE)
    ]
    judge(await matrix(ground, deaths, killed))
