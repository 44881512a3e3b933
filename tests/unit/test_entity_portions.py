"""What waits, cut into calls: of one action each, at most 200 records, and no more than a few megabytes."""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from connectors import wire
from daemon.to_salesforce import portions
from daemon.to_salesforce.portions import Portion, Reader
from state import entity_copies
from state.entity_models import CopyAction, Waiting

AT = datetime(2026, 11, 21, tzinfo=UTC)
HEAVY = 100_000


def row(number: int, size: int = 10, action: CopyAction = CopyAction.UPSERT) -> Waiting:
    payload = {"m3ter_Id__c": f"id-{number}", "Lines__c": "x" * size}
    of_action = payload if action is CopyAction.UPSERT else None
    return Waiting(f"id-{number:05}", action, "digest", of_action, None, 0, AT)


def sizes(found: Sequence[Portion]) -> list[int]:
    return [len(each.rows) for each in found]


def in_bytes(rows: Sequence[Waiting]) -> int:
    return sum(len(wire.dumps(dict(each.payload or {}))) for each in rows)


def test_small_records_go_200_a_call() -> None:
    rows = [row(number) for number in range(450)]
    assert sizes(portions.cut(rows, is_all=True)) == [200, 200, 50]
    assert sizes(portions.cut(rows, is_all=False)) == [200, 200], "a call that is not full waits for more"


def test_no_call_of_heavy_records_is_larger_than_allowed() -> None:
    rows = [row(number, HEAVY) for number in range(200)]
    found = portions.cut(rows, is_all=True)
    assert [each for portion in found for each in portion.rows] == rows, "all, in order"
    assert all(in_bytes(portion.rows) <= portion.size <= portions.MOST_BYTES for portion in found)
    assert len(found) <= 7
    assert sum(sizes(portions.cut(rows, is_all=False))) > 160, "what is full goes, however few they are"


def test_what_counts_is_what_is_sent_of_a_text_and_not_how_long_it_is() -> None:
    quoted = [row(number, 0) for number in range(100)]
    rows = [
        Waiting(each.m3ter_id, each.action, "", {"Lines__c": '"é' * 20_000}, None, 0, AT) for each in quoted
    ]
    assert all(in_bytes(each.rows) <= portions.MOST_BYTES for each in portions.cut(rows, is_all=True))


def test_a_single_record_over_the_limit_goes_alone() -> None:
    rows = [row(0), row(1, portions.MOST_BYTES + 1), row(2)]
    assert sizes(portions.cut(rows, is_all=True)) == [1, 1, 1]


def test_each_call_is_of_one_action() -> None:
    actions = [CopyAction.UPSERT, CopyAction.DELETE, CopyAction.MARK] * 100
    rows = [row(number, action=action) for number, action in enumerate(actions)]
    found = portions.cut(rows, is_all=True)
    assert sizes(found) == [100, 100, 100]
    assert all(len({each.action for each in portion.rows}) == 1 for portion in found)


class Table:
    """Rows that wait; how much of them was read."""

    def __init__(self, rows: Sequence[Waiting]) -> None:
        self.rows = rows
        self.reads: list[int] = []

    async def waiting(
        self, _db: object, _integration_id: object, *, limit: int, without: Collection[str] = ()
    ) -> list[Waiting]:
        met = set(without)
        found = [each for each in self.rows if each.m3ter_id not in met][:limit]
        self.reads.append(in_bytes(found))
        return found


def reader(monkeypatch: pytest.MonkeyPatch, rows: Sequence[Waiting]) -> tuple[Table, Reader]:
    table = Table(rows)
    monkeypatch.setattr(entity_copies, "waiting", table.waiting)
    place: Any = SimpleNamespace(db=None, integration_id=None)
    return table, Reader(place)


async def test_of_heavy_records_no_more_is_read_than_is_sent_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    table, read = reader(monkeypatch, [row(number, HEAVY) for number in range(1_600)])
    first = await read.portions(1, without=[], is_all=True)
    assert (len(first), len(table.reads)) == (1, 1)
    table.reads.clear()
    found = await read.portions(8, without=[each.m3ter_id for each in first[0].rows], is_all=True)
    assert len(found) == 8
    assert sum(table.reads) <= 9 * portions.MOST_BYTES
    assert min(sizes(found)) > 20


async def test_heavy_records_after_small_ones_are_not_read_all_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    small = [row(number) for number in range(400)]
    table, read = reader(monkeypatch, small + [row(number, HEAVY) for number in range(400, 1_600)])
    await read.portions(8, without=[], is_all=True)
    assert max(table.reads) <= 200 * (HEAVY + 100)
    assert sum(table.reads) <= 6 * portions.MOST_BYTES + max(table.reads)


async def test_a_call_that_is_not_full_is_made_only_when_nothing_else_waits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _, read = reader(monkeypatch, [row(number) for number in range(450)])
    assert sizes(await read.portions(2, without=[], is_all=True)) == [200, 200]
    assert sizes(await read.portions(8, without=[], is_all=True)) == [200, 200, 50]
    assert sizes(await read.portions(8, without=[], is_all=False)) == [200, 200]
    assert await read.portions(0, without=[], is_all=True) == []
