"""Each fault once and each kind of call once: a story with one call gone wrong ends as the oracle says."""

import itertools
from pathlib import Path

from tests.acceptance.fault_matrix import FAULTS, Case, Kind, judge, matrix, recorded
from tests.acceptance.scenes import Ground

KINDS = ("oauth", "/query ", "handshake", "subscribe", "connect", "/accounts", "/externalmappings")


async def test_each_fault_and_each_kind_of_call_once_ends_as_if_nothing_had_been(
    database_server: str, database_template: str, tmp_path: Path
) -> None:
    ground = Ground(database_server, database_template, tmp_path)
    steps = await recorded(ground)
    first: dict[Kind, int] = {}
    for number, step in enumerate(steps):
        for kind in sorted(step):
            first.setdefault(kind, number)
    named = " ".join(f"{kind} " for kind in first)
    assert [name for name in KINDS if name not in named] == []
    assert {kind.method for kind in first if kind.system == "m3ter"} >= {"GET", "POST", "PUT"}
    pairs = zip(
        itertools.islice(itertools.cycle(first.items()), max(len(first), len(FAULTS))),
        itertools.cycle(FAULTS),
    )
    judge(await matrix(ground, [Case(step, kind, fault) for (kind, step), fault in pairs]))
