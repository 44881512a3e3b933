"""Copies: wanted, written, refused, postponed, gone, and what changes while a write is on its way."""

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest

from state import database, entity_copies
from state.database import Pool
from state.entity_models import (
    CopyAction,
    CopyStatus,
    Postponed,
    Refused,
    Removal,
    Wanted,
    Written,
)
from tests.integration.entity_rows import (
    changed,
    claimed,
    entity,
    gone,
    in_salesforce,
    known,
    new_sync,
    see,
    waiting,
    want,
    written,
)

HOUR = timedelta(hours=1)
NO = Refused("a", "d1", "FIELD_CUSTOM_VALIDATION_EXCEPTION", "Too long.", ("Name", "Code__c"))


@pytest.fixture
async def accounts(db: Pool) -> UUID:
    return await new_sync(db)


async def refuse(db: Pool, sync: UUID, *results: Refused) -> None:
    async with database.transaction(db) as tx:
        await entity_copies.refused(tx, sync, results)


async def postpone(db: Pool, sync: UUID, digest: str = "d1") -> None:
    async with database.transaction(db) as tx:
        result = Postponed("a", digest, HOUR, "UNABLE_TO_LOCK_ROW", "Locked.")
        await entity_copies.postponed(tx, sync, [result])


async def remove(db: Pool, sync: UUID, action: Removal, *ids: str) -> int:
    async with database.transaction(db) as tx:
        return await entity_copies.removed(tx, sync, ids, action)


async def statuses(db: Pool, sync: UUID) -> dict[str, str]:
    rows = await db.fetch("SELECT m3ter_id, status FROM entity_copies WHERE integration_id = $1", sync)
    return {row["m3ter_id"]: row["status"] for row in rows}


async def test_what_is_wanted_waits_with_its_money_exact_until_it_is_written(
    db: Pool, accounts: UUID
) -> None:
    bill = Wanted("a", "1", 3, "fields", "d1", {"Total__c": Decimal("0.10"), "m3ter_Account__r": {"Id": "1"}})
    assert await want(db, accounts, bill, entity("b")) == 2
    found = (await waiting(db, accounts))["a"]
    assert found.payload == {"Total__c": Decimal("0.10"), "m3ter_Account__r": {"Id": "1"}}
    assert str(found.payload["Total__c"]) == "0.10"
    assert (found.action, found.digest, found.salesforce_id) == (CopyAction.UPSERT, "d1", None)
    await written(db, accounts, Written("a", "d1", "sf-a", True))
    assert set(await waiting(db, accounts)) == {"b"}
    copy = await known(db, accounts)
    assert (copy.version, copy.mapped_with, copy.written_digest, copy.status) == (
        *(3, "fields", "d1", CopyStatus.WRITTEN),
    )
    assert await db.fetchval("SELECT count(payload) FROM entity_copies WHERE m3ter_id = 'a'") == 0


async def test_the_same_digest_again_writes_nothing_and_remembers_version_and_mapping(
    db: Pool, accounts: UUID
) -> None:
    await in_salesforce(db, accounts, "a")
    assert await want(db, accounts, entity(version=2)) == 0
    assert (await known(db, accounts)).version == 2
    async with database.transaction(db) as tx:
        await entity_copies.touch(tx, accounts, [("a", 3, "fields 2")])
    copy = await known(db, accounts)
    assert (copy.version, copy.mapped_with, copy.status) == (3, "fields 2", CopyStatus.WRITTEN)


async def test_an_entity_met_twice_in_a_page_is_wanted_as_it_was_last(db: Pool, accounts: UUID) -> None:
    assert await want(db, accounts, entity(), changed(entity(), "d2")) == 1
    assert (await waiting(db, accounts))["a"].digest == "d2"


async def test_what_changes_while_it_is_on_its_way_goes_on_waiting(db: Pool, accounts: UUID) -> None:
    await want(db, accounts, entity())
    await want(db, accounts, changed(entity(), "d2"))
    await written(db, accounts, Written("a", "d1", "sf-a", True))
    found = (await waiting(db, accounts))["a"]
    assert (found.digest, found.payload, found.salesforce_id) == ("d2", {"Name": "d2"}, "sf-a")
    assert (await known(db, accounts)).written_digest == "d1"


async def test_what_changes_back_while_it_is_on_its_way_is_written_back(db: Pool, accounts: UUID) -> None:
    await in_salesforce(db, accounts, "a")
    await want(db, accounts, entity(digest="d2"))
    assert await want(db, accounts, entity(digest="d1")) == 1
    await written(db, accounts, Written("a", "d2", "sf-a"))
    assert (await waiting(db, accounts))["a"].payload == {"Name": "d1"}


@pytest.mark.parametrize("result_first", [True, False])
async def test_a_result_and_a_change_at_once_end_in_the_change_waiting(
    db: Pool, accounts: UUID, result_first: bool
) -> None:
    await want(db, accounts, entity())
    acts = [
        lambda tx: entity_copies.written(tx, accounts, [Written("a", "d1", "sf-a", True)]),
        lambda tx: entity_copies.want(tx, accounts, [entity(digest="d2")]),
    ]
    first, second = acts if result_first else reversed(acts)

    async def other() -> None:
        async with database.transaction(db) as tx:
            await second(tx)

    async with database.transaction(db) as tx:
        await first(tx)
        late = asyncio.create_task(other())
        while not await db.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):
            assert not late.done()
    await late
    found = (await waiting(db, accounts))["a"]
    assert (found.digest, found.payload, found.salesforce_id) == ("d2", {"Name": "d2"}, "sf-a")


async def test_a_refusal_shows_salesforces_words_and_is_not_tried_again_by_itself(
    db: Pool, accounts: UUID
) -> None:
    await want(db, accounts, entity(), entity("b"))
    await refuse(db, accounts, NO)
    assert set(await waiting(db, accounts)) == {"b"}
    (issue,) = await entity_copies.issues(db, accounts)
    assert (issue.m3ter_id, issue.code, issue.message, issue.fields, issue.attempts) == (
        *("a", NO.code, "Too long.", ("Name", "Code__c"), 1),
    )
    assert await want(db, accounts, entity(version=2)) == 0
    assert await statuses(db, accounts) == {"a": "REFUSED", "b": "WAITING"}


async def test_what_was_refused_is_tried_again_when_it_changes_or_a_person_says_so(
    db: Pool, accounts: UUID
) -> None:
    await want(db, accounts, entity())
    await refuse(db, accounts, NO)
    assert await entity_copies.retry(db, accounts, ["b"]) == 0
    assert await entity_copies.retry(db, accounts) == 1
    assert (await waiting(db, accounts))["a"].payload == {"Name": "d1"}
    await refuse(db, accounts, NO)
    assert await want(db, accounts, entity(digest="d2")) == 1
    assert await entity_copies.issues(db) == []


async def test_a_refusal_of_what_has_changed_since_refuses_nothing(db: Pool, accounts: UUID) -> None:
    await want(db, accounts, entity(digest="d2"))
    await refuse(db, accounts, NO)
    await postpone(db, accounts)
    assert (await waiting(db, accounts))["a"].attempts == 0


async def test_what_is_postponed_waits_for_its_time_through_further_scans(db: Pool, accounts: UUID) -> None:
    await want(db, accounts, entity())
    await postpone(db, accounts)
    await want(db, accounts, entity(version=2))
    assert await waiting(db, accounts) == {}
    due = await entity_copies.next_due(db, accounts)
    assert due is not None
    assert due > datetime.now(UTC) + HOUR / 2
    assert await entity_copies.count_waiting(db, accounts) == 0
    assert await entity_copies.retry(db, accounts, ["a"]) == 1
    assert (await waiting(db, accounts))["a"].attempts == 0


async def test_those_on_their_way_are_not_given_again_and_counting_ends_where_it_may(
    db: Pool, accounts: UUID
) -> None:
    await want(db, accounts, *(entity(each) for each in "abc"))
    assert set(await waiting(db, accounts, ["a", "c"])) == {"b"}
    assert await entity_copies.count_waiting(db, accounts) == 3
    assert await entity_copies.count_waiting(db, accounts, up_to=2) == 2


async def test_what_a_scan_has_not_met_is_marked_once_and_wanted_anew_when_it_is_met_again(
    db: Pool, accounts: UUID
) -> None:
    await in_salesforce(db, accounts, "a", "b")
    claim = await claimed(db, accounts)
    await see(db, claim, "b")
    assert await gone(db, claim) == 1
    mark = (await waiting(db, accounts))["a"]
    assert (mark.action, mark.payload, mark.salesforce_id) == (CopyAction.MARK, None, "sf-a")
    await written(db, accounts, Written("a", mark.digest, "sf-a"))
    assert await gone(db, claim) == 0
    copy = await known(db, accounts)
    assert (copy.written_digest, copy.mapped_with, copy.status) == (None, "", CopyStatus.WRITTEN)
    assert await want(db, accounts, entity()) == 1
    again = (await waiting(db, accounts))["a"]
    assert (again.action, again.payload) == (CopyAction.UPSERT, {"Name": "d1"})


async def test_what_is_met_again_while_its_mark_is_on_its_way_is_written_again(
    db: Pool, accounts: UUID
) -> None:
    await in_salesforce(db, accounts, "a")
    await remove(db, accounts, Removal.MARK, "a")
    await want(db, accounts, entity())
    await written(db, accounts, Written("a", "mark", "sf-a"))
    assert (await waiting(db, accounts))["a"].action is CopyAction.UPSERT


async def test_what_is_to_be_deleted_is_forgotten_once_salesforce_has_deleted_it(
    db: Pool, accounts: UUID
) -> None:
    await in_salesforce(db, accounts, "a", "b")
    assert await remove(db, accounts, Removal.DELETE, "a", "b") == 2
    await want(db, accounts, entity("b", "d2"))
    await written(db, accounts, *(Written(each, "delete", f"sf-{each}") for each in "ab"))
    found = await waiting(db, accounts)
    assert set(await statuses(db, accounts)) == {"b"}
    assert (found["b"].action, found["b"].salesforce_id) == (CopyAction.UPSERT, None)


async def test_what_may_never_have_come_to_salesforce_is_removed_where_it_is_found_and_else_forgotten(
    db: Pool, accounts: UUID
) -> None:
    await want(db, accounts, *(entity(each) for each in ("lost", "never", "there")))
    assert await remove(db, accounts, Removal.MARK, "lost", "never", "there") == 3
    assert await waiting(db, accounts) == {}
    assert await entity_copies.next_due(db, accounts) is None
    assert await entity_copies.count_waiting(db, accounts) == 0
    await written(db, accounts, Written("there", "d1", "sf-there", True))  # it was on its way
    found = await entity_copies.unplaced(db, accounts, limit=10)
    assert found == ["lost", "never"]
    async with database.transaction(db) as tx:
        await entity_copies.placed(tx, accounts, found, {"lost": "sf-lost"})
    rows = await waiting(db, accounts)
    assert {each.m3ter_id: (each.action, each.salesforce_id) for each in rows.values()} == {
        "lost": (CopyAction.MARK, "sf-lost"),
        "there": (CopyAction.MARK, "sf-there"),
    }


async def test_what_is_to_be_kept_in_salesforce_is_just_forgotten(db: Pool, accounts: UUID) -> None:
    await want(db, accounts, entity("new"))
    await in_salesforce(db, accounts, "a")
    assert await gone(db, await claimed(db, accounts), Removal.KEEP) == 2
    assert await statuses(db, accounts) == {}


async def test_what_was_forgotten_while_it_was_on_its_way_is_found_gone_by_the_next_scan(
    db: Pool, accounts: UUID
) -> None:
    await want(db, accounts, entity())
    await remove(db, accounts, Removal.KEEP, "a")
    await written(db, accounts, Written("a", "d1", "sf-a", True))
    await gone(db, await claimed(db, accounts))
    assert (await waiting(db, accounts))["a"].action is CopyAction.MARK


async def test_copies_are_looked_through_some_at_a_time_for_those_not_met(db: Pool, accounts: UUID) -> None:
    await in_salesforce(db, accounts, *"abcdefg")
    claim = await claimed(db, accounts)
    await see(db, claim, *"acdf")
    looks: list[list[str]] = []
    at: str | None = ""
    while at is not None:
        some, at = await entity_copies.unmet(db, claim, action=Removal.MARK, after=at, limit=2)
        looks.append(some)
    assert looks == [["b"], [], ["e"], ["g"], []]


async def test_a_scan_of_one_integration_takes_nothing_from_another(db: Pool, accounts: UUID) -> None:
    other = await new_sync(db, "Others")
    for sync in (accounts, other):
        await in_salesforce(db, sync, "a")
    await gone(db, await claimed(db, accounts))
    assert (await statuses(db, accounts), await statuses(db, other)) == ({"a": "WAITING"}, {"a": "WRITTEN"})
