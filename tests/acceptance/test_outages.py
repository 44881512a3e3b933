"""Everything that is known to befall a stream, and a database that is restarted or killed under way."""

import tempfile
from pathlib import Path

import pytest

from tests.acceptance import outages
from tests.acceptance.scenes import Ground


async def test_nothing_that_befalls_the_stream_loses_or_doubles_anything(
    database_server: str, database_template: str, tmp_path: Path
) -> None:
    wrong = await outages.all_weathered(Ground(database_server, database_template, tmp_path))
    assert not wrong, "\n".join(f"{name}: {found}" for name, found in wrong.items())


@pytest.mark.parametrize("blow", [outages.shut_down, outages.kill])
async def test_a_database_restarted_or_killed_under_way_loses_and_doubles_nothing(blow: outages.Blow) -> None:
    with tempfile.TemporaryDirectory(prefix="m3o-") as place:
        async with outages.own_ground(Path(place)) as (ground, data):
            assert await outages.struck(ground, data, blow, call=5) == []
