"""Each fault once and each kind of call of an entity data sync once: all ends as if nothing had been."""

import itertools
import tempfile
from pathlib import Path

from tests.acceptance import outages
from tests.acceptance.entity_fault_matrix import (
    STORIES,
    Story,
    matrix,
    recorded,
    settled,
    sort_of,
    staged,
)
from tests.acceptance.fault_matrix import FAULTS, Case, Kind, judge
from tests.acceptance.house import until
from tests.acceptance.scenes import Ground
from tests.acceptance.test_call_faults import LOST, is_write

KINDS = (
    *("m3ter POST /oauth", "m3ter GET", "eventName=billing.balanceamount.updated"),
    *("salesforce POST /services/oauth2", "PATCH", "DELETE", "jobs/ingest ", "batches", "successfulResults"),
)


async def test_each_fault_and_each_kind_of_call_once_ends_as_if_nothing_had_been(
    database_server: str, database_template: str, tmp_path: Path
) -> None:
    ground = Ground(database_server, database_template, tmp_path)
    first: dict[str, tuple[Story, int, Kind]] = {}
    named: list[str] = []
    for story in STORIES:
        for number, step in enumerate(await recorded(ground, story)):
            for kind in sorted(step):
                named.append(f"{kind} ")
                first.setdefault(sort_of(kind), (story, number, kind))
    assert [name for name in KINDS if name not in " ".join(named)] == []
    judge(await matrix(ground, sampled(list(first.values()))))


def sampled(first: list[tuple[Story, int, Kind]]) -> list[tuple[Story, Case]]:
    """A lost answer at each sort of write; at the other calls all other faults, in turn."""
    lost, others = itertools.cycle(LOST), itertools.cycle([name for name in FAULTS if name not in LOST])
    cases = [
        (story, Case(number, kind, next(lost if is_write(kind) else others))) for story, number, kind in first
    ]
    missing = sorted(FAULTS.keys() - {case.fault for _, case in cases})
    more = zip(missing, itertools.cycle(first), strict=False)
    return cases + [(story, Case(number, kind, fault)) for fault, (story, number, kind) in more]


async def test_the_database_killed_while_records_are_written_misses_and_doubles_nothing() -> None:
    with tempfile.TemporaryDirectory(prefix="m3e-") as place:
        opened = outages.own_ground(Path(place))
        async with opened as (ground, data), staged(ground, "killed", STORIES[0]) as stage:
            control = stage.sandbox.salesforce_control
            match = {"method": "PATCH", "path": "*/composite/sobjects/*"}
            await control.fault("latency", seconds=0.4, skip=1, times=1, match=match)

            async def is_held() -> bool:
                return any(fault["hits"] for fault in await control.faults())

            async with stage.daemon():
                await until(is_held)
                await outages.kill(data)
                await settled(stage, seconds=90)
            assert await stage.wrongs() == []
