"""Random changes, losses, faults and kills; after quiet m3ter holds what Salesforce's records say, once each.

The examples are those of fixed seeds, so that a change to m3sync is judged alone: CI tries the same ones run
after run, and what fails there fails for everybody. M3SYNC_TEST_SEED and M3SYNC_TEST_EXAMPLES choose others;
`make explore` does so with a random seed, for longer, and says which.
"""

import asyncio
import os
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, Verbosity, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.acceptance.world_machine import Example
from tests.acceptance.worlds import Ground

EXAMPLES = int(os.environ.get("M3SYNC_TEST_EXAMPLES", "200"))
SEED = int(os.environ.get("M3SYNC_TEST_SEED", "1"))
PARTS = 8  # each a test of its own, which pytest's workers share among them
STEPS = 16

MANNER = settings(
    max_examples=-(-EXAMPLES // PARTS),
    stateful_step_count=STEPS,
    deadline=None,
    database=None,
    print_blob=True,
    report_multiple_bugs=False,
    # A failing example is shown as it was found: it is played in real time, and smaller ones by the hundred.
    phases=(Phase.generate,),
    verbosity=Verbosity.normal,
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.parametrize("part", range(PARTS))
def test_whatever_happens_m3ter_ends_as_salesforce_says(
    database_server: str, database_template: str, tmp_path: Path, part: int
) -> None:
    number = SEED * 1_000 + part
    with asyncio.Runner() as runner:
        place = {"ground": Ground(database_server, database_template, tmp_path), "runner": runner}
        example = seed(number)(type("Example", (Example,), place))
        try:
            run_state_machine_as_test(example, settings=MANNER)
        except BaseException:
            which = os.environ["PYTEST_CURRENT_TEST"].split(" ")[0]
            chosen = f"M3SYNC_TEST_SEED={SEED} M3SYNC_TEST_EXAMPLES={EXAMPLES}"
            sys.stdout.write(f"This was seed {number}. Again: {chosen} python -m pytest '{which}'\n")
            raise
