"""A load of records for one Bulk job: the same records again, exact, in a fraction of the room."""

import tracemalloc
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

from daemon.to_salesforce.loads import Load
from state.entity_models import CopyAction, Waiting

AT = datetime(2026, 11, 21, tzinfo=UTC)


def row(number: int) -> Waiting:
    payload = {
        "m3ter_Id__c": f"id-{number}",
        "Total__c": Decimal(number) / 100,
        "Name": f"größer\n{number}",
        "m3ter_Account__r": {"m3ter_Id__c": f"account-{number}"},
        "m3ter_Deleted_At__c": None,
    } | {f"Field_{each}__c": f"text {each} of {number}" for each in range(40)}
    return Waiting(f"id-{number}", CopyAction.UPSERT, f"digest-{number}", payload, None, 0, AT)


def test_rows_come_back_whole_in_order_and_as_often_as_asked_for() -> None:
    rows = [row(number) for number in range(250)]
    load = Load()
    load.add(rows[:120])
    load.add(rows[120:])
    assert [*load.whole()] == [*load.whole()] == rows
    assert [*load.records] == [each.payload for each in rows]
    assert load.rows == [replace(each, payload=None) for each in rows]


def test_thousands_of_records_take_little_room() -> None:
    tracemalloc.start()
    try:
        load = Load()
        for first in range(0, 5_000, 500):
            load.add([row(number) for number in range(first, first + 500)])
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(load.rows) == 5_000
    assert held < 4 * 2**20
