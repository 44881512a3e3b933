"""SIGKILL at each kind of point, before or after: nothing is lost, doubled, or out of order."""

from pathlib import Path

import pytest

from tests.acceptance.crash_matrix import Death, enumerated, judge, killed, matrix, named, recorded
from tests.acceptance.scenarios import SCENARIOS, Scenario
from tests.acceptance.scenes import Ground


@pytest.fixture
def ground(database_server: str, database_template: str, tmp_path: Path) -> Ground:
    return Ground(database_server, database_template, tmp_path)


async def test_a_daemon_killed_at_each_kind_of_point_loses_doubles_and_reorders_nothing(
    ground: Ground,
) -> None:
    """The short form: each name once, now before and now after, in the scenario that passes it first."""
    points = await enumerated(ground, SCENARIOS, recorded)
    deaths: dict[str, Death[Scenario]] = {}
    for number, scenario in enumerate(SCENARIOS):
        for name in sorted({named(point).rpartition(" ")[0] for point in points[scenario.name]}):
            fitting = [point for point in points[scenario.name] if named(point).rpartition(" ")[0] == name]
            side = ("before", "after")[(number + len(deaths)) % 2]
            deaths.setdefault(name, Death(scenario, next(each for each in fitting if each.endswith(side))))
    for scenario in SCENARIOS:  # and each scenario at least once
        if all(death.scenario != scenario for death in deaths.values()):
            deaths[scenario.name] = Death(scenario, points[scenario.name][len(points[scenario.name]) // 2])
    assert len([name for name in deaths if name.startswith("POST")]) >= 7
    judge(await matrix(ground, deaths.values(), killed))
