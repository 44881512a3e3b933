"""SIGKILL at each kind of point of an entity data sync: nothing is missed, doubled, or as it never was."""

from pathlib import Path

from tests.acceptance.crash_matrix import Death, judge
from tests.acceptance.entity_crash_matrix import SCENARIOS, EntityScenario, enumerated, matrix, sort_of, worth
from tests.acceptance.scenes import Ground

CHOSEN = [
    scenario
    for scenario in SCENARIOS
    if scenario.name
    in (
        "first copy in bulk",
        "edits that are heard of",
        "deletions, deleted here too",
        "changes that only a scan finds",
    )
]
OUTSIDE = {
    "PATCH services/data/v67.0/composite/sobjects/*/*",
    "PATCH services/data/v67.0/composite/sobjects",
    "DELETE services/data/v67.0/composite/sobjects",
    "POST services/data/v67.0/jobs/ingest",
    "PUT services/data/v67.0/jobs/ingest/*/batches",
    "PATCH services/data/v67.0/jobs/ingest/*",
}


async def test_a_daemon_killed_at_each_kind_of_point_misses_doubles_and_garbles_nothing(
    database_server: str, database_template: str, tmp_path: Path
) -> None:
    """The short form: each kind once, now before and now after, in the scenario that passes it first."""
    ground = Ground(database_server, database_template, tmp_path)
    points = await enumerated(ground, CHOSEN)
    deaths: dict[str, Death[EntityScenario]] = {}
    for number, scenario in enumerate(CHOSEN):
        found = worth(points[scenario.name])
        for sort in sorted({sort_of(point) for point in found} - deaths.keys()):
            side = ("before", "after")[(number + len(deaths)) % 2]
            fitting = [point for point in found if sort_of(point) == sort and point.endswith(side)]
            deaths[sort] = Death(scenario, fitting[len(fitting) // 2])
    assert deaths.keys() >= OUTSIDE
    judge(await matrix(ground, deaths.values()))
