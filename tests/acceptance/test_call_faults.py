"""Each fault once and each kind of call once: a story with one call gone wrong ends as the oracle says."""

import itertools
from pathlib import Path

from tests.acceptance.fault_matrix import FAULTS, Case, Kind, judge, matrix, recorded
from tests.acceptance.scenes import Ground

KINDS = (
    "oauth",
    "/query ",
    "/queryAll ",
    "handshake",
    "subscribe",
    "connect",
    "/accounts ",
    "/externalmappings ",
)
# The effect took place and the answer is lost: what each write must bear above all.
LOST = (
    "reset after the effect",
    "time-out after the effect",
    "500 after the effect",
    "truncated body",
    "too slow",
)


async def test_each_fault_and_each_kind_of_call_once_ends_as_if_nothing_had_been(
    database_server: str, database_template: str, tmp_path: Path
) -> None:
    ground = Ground(database_server, database_template, tmp_path)
    first: dict[Kind, int] = {}
    for number, step in enumerate(await recorded(ground)):
        for kind in sorted(step):
            first.setdefault(kind, number)
    named = " ".join(f"{kind} " for kind in first)
    assert [name for name in KINDS if name not in named] == []
    assert {kind.method for kind in first if kind.system == "m3ter"} >= {"GET", "POST", "PUT"}
    judge(await matrix(ground, list(sampled(first))))


def sampled(first: dict[Kind, int]) -> list[Case]:
    """A lost answer at each kind of write to m3ter; at the other kinds all other faults, in turn."""
    lost, others = itertools.cycle(LOST), itertools.cycle([name for name in FAULTS if name not in LOST])
    cases = [
        Case(number, kind, next(lost if kind.system == "m3ter" and is_write(kind) else others))
        for kind, number in first.items()
    ]
    missing = FAULTS.keys() - {case.fault for case in cases}
    more = zip(sorted(missing), itertools.cycle(first.items()), strict=False)
    return cases + [Case(number, kind, fault) for fault, (kind, number) in more]


def is_write(kind: Kind) -> bool:
    """Whether the call changes something."""
    return kind.method in ("POST", "PUT", "PATCH", "DELETE") and "oauth" not in kind.path
