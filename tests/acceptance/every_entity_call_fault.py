"""`make faults`: each fault at each kind of call of an entity data sync, the first and last in each act."""

from pathlib import Path

import pytest

from tests.acceptance.entity_fault_matrix import STORIES, Story, matrix, recorded
from tests.acceptance.fault_matrix import FAULTS, Case, judge
from tests.acceptance.scenes import Ground


@pytest.mark.parametrize("story", STORIES, ids=[story.name for story in STORIES])
@pytest.mark.parametrize("fault", FAULTS)
async def test_a_fault_at_any_kind_of_call_ends_as_if_it_had_not_been(
    database_server: str, database_template: str, tmp_path: Path, fault: str, story: Story
) -> None:
    ground = Ground(database_server, database_template, tmp_path)
    cases = [
        (story, Case(number, kind, fault, skip))
        for number, step in enumerate(await recorded(ground, story))
        for kind, times in step.items()
        for skip in sorted({0, times - 1})
    ]
    judge(await matrix(ground, cases))
