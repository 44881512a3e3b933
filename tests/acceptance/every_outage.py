"""`make faults`: the database restarted and killed at every call of a first sync."""

import tempfile
from pathlib import Path

import pytest

from tests.acceptance import fault_matrix, outages


@pytest.mark.parametrize("blow", [outages.shut_down, outages.kill])
async def test_a_database_restarted_or_killed_at_any_call_loses_and_doubles_nothing(
    blow: outages.Blow,
) -> None:
    with tempfile.TemporaryDirectory(prefix="m3o-") as place:
        async with outages.own_ground(Path(place)) as (ground, data):
            calls = range(await outages.count_calls(ground))
            ends = {f"call {call}": await outages.struck(ground, data, blow, call) for call in calls}
    assert len(ends) > 30
    fault_matrix.judge(ends)
