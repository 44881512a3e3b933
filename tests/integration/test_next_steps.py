"""What is next for records that were heard of and never synced."""

from datetime import timedelta

import pytest

from state import database, inbox, insights, record_parents
from state.database import Pool
from tests.integration.state_rows import ORG, change, claimed, new_integration, put, record_id


@pytest.mark.parametrize("change_type", ["DELETE", "GAP_DELETE"])
async def test_a_record_deleted_before_it_was_ever_synced_is_told_as_deleted(
    db: Pool, change_type: str
) -> None:
    key = (await new_integration(db)).integration_id
    line = record_id(9, "00k")
    async with database.transaction(db) as tx:
        await record_parents.remember(tx, key, [(line, record_id(2))])
        await inbox.receive(tx, ORG, [change(1, change_type=change_type)], [])
        await inbox.receive(tx, ORG, [change(2, record_id=line, change_type=change_type)], [])
    (told,) = (await insights.explain(db, record_id(1))).next
    assert told.startswith("It was deleted in Salesforce at ")
    assert told.endswith("m3sync never synced it, so there is nothing of it to end in m3ter.")
    deleted, belongs = (await insights.explain(db, line)).next
    assert deleted.startswith("It was deleted in Salesforce at ")
    assert belongs == f"It is a line: its changes are synced with {record_id(2)}."


async def test_a_record_whose_changes_led_to_no_sync_was_heard_of_all_the_same(db: Pool) -> None:
    async with database.transaction(db) as tx:
        await inbox.receive(tx, ORG, [change(1)], [])
    assert (await insights.explain(db, record_id(1))).next[0] == (
        "Nothing is waiting: what was heard of the record led to no sync. "
        f"`m3sync sync {record_id(1)}` syncs it now."
    )
    assert (await insights.explain(db, record_id(3))).next == (
        f"m3sync has heard nothing of this record. `m3sync sync {record_id(3)}` syncs it now.",
    )


async def test_what_a_system_said_without_a_stop_gets_one_before_what_is_next(db: Pool) -> None:
    key = (await new_integration(db)).integration_id
    for number in (1, 2):
        await put(db, key, number)
    async with database.transaction(db) as tx:
        await inbox.set_aside(tx, await claimed(db, key), "unable to lock row")
    (told,) = (await insights.explain(db, record_id(1))).next
    assert ": unable to lock row. The next change" in told
    async with database.transaction(db) as tx:
        await inbox.postpone(
            tx, await claimed(db, key), inbox.Later(timedelta(minutes=1)), "unable to lock row"
        )
    (told,) = (await insights.explain(db, record_id(2))).next
    assert told.endswith(": unable to lock row.")
