"""`make faults`: each fault at each sort of call of an entity data sync, the first and last in each act."""

from pathlib import Path

import pytest

from tests.acceptance.entity_fault_matrix import STORIES, Story, in_turn, matrix, recorded
from tests.acceptance.fault_matrix import FAULTS, Case, judge
from tests.acceptance.scenes import Ground


@pytest.mark.parametrize("story", STORIES, ids=[story.name for story in STORIES])
@pytest.mark.parametrize("fault", FAULTS)
async def test_a_fault_at_any_sort_of_call_ends_as_if_it_had_not_been(
    database_server: str, database_template: str, tmp_path: Path, fault: str, story: Story
) -> None:
    """Of the kinds of one sort, the lists of five types say, each fault takes the next."""
    ground = Ground(database_server, database_template, tmp_path)
    cases = [
        (story, Case(number, kind, fault, skip))
        for number, step in enumerate(await recorded(ground, story))
        for kind in in_turn(step, list(FAULTS).index(fault))
        for skip in sorted({0, step[kind] - 1})
    ]
    judge(await matrix(ground, cases))
