"""What is remembered of records and parts: external mappings, parents, states, health."""

from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest

from state import database, external_mappings, health, record_parents, record_states
from state.database import Pool
from state.models import ExternalMapping, RecordState, SyncStatus
from tests.integration.state_rows import new_integration, record_id

MAPPING = ExternalMapping("org", "Contract", "Opportunity", record_id(1), "c-1")
KEY = ("org", "Contract", "Opportunity", record_id(1))


@pytest.fixture
async def agreements(db: Pool) -> UUID:
    return (await new_integration(db)).integration_id


async def put(db: Pool, *mappings: ExternalMapping) -> None:
    async with database.transaction(db) as tx:
        for mapping in mappings:
            await external_mappings.put(tx, mapping)


async def test_a_mapping_is_found_by_record_overwritten_and_forgotten(db: Pool) -> None:
    assert await external_mappings.find(db, *KEY) is None
    await put(db, MAPPING)
    assert await external_mappings.find(db, *KEY) == MAPPING
    await put(db, ExternalMapping(*KEY, "c-2"))
    found = await external_mappings.find(db, *KEY)
    assert found is not None
    assert found.m3ter_id == "c-2"
    async with database.transaction(db) as tx:
        await external_mappings.forget(tx, *KEY)
    assert await external_mappings.find(db, *KEY) is None


async def test_the_id_of_m3ters_own_mapping_is_kept_as_long_as_the_entity_is_the_same(db: Pool) -> None:
    await put(db, MAPPING, ExternalMapping(*KEY, "c-1", "em-1"), MAPPING)
    found = await external_mappings.find(db, *KEY)
    assert found == ExternalMapping(*KEY, "c-1", "em-1")
    await put(db, ExternalMapping(*KEY, "c-2"))
    assert await external_mappings.find(db, *KEY) == ExternalMapping(*KEY, "c-2")


async def test_the_holders_of_entities_are_known_within_one_organization_and_kind(db: Pool) -> None:
    other = ExternalMapping("org", "Contract", "Order", record_id(2, "801"), "c-1")
    elsewhere = ExternalMapping("another org", "Contract", "Order", record_id(3, "801"), "c-1")
    await put(db, MAPPING, other, elsewhere)
    assert await external_mappings.holders(db, "org", "Contract", ["c-1", "c-9"]) == {
        "c-1": [("Opportunity", record_id(1)), ("Order", record_id(2, "801"))]
    }
    assert await external_mappings.holders(db, "org", "Account", ["c-1"]) == {}
    found = await external_mappings.of_records(db, [record_id(1), record_id(3, "801")])
    assert found == [MAPPING, elsewhere]


async def test_a_line_leads_to_the_parent_it_was_last_seen_with_by_each_integration(
    db: Pool, agreements: UUID
) -> None:
    line, other = record_id(1, "00k"), record_id(2, "00k")
    async with database.transaction(db) as tx:
        await record_parents.remember(tx, agreements, [(line, record_id(1)), (other, record_id(1))])
        await record_parents.remember(tx, agreements, [(line, record_id(2))])
        await record_parents.remember(tx, agreements, [])
    assert await record_parents.parents_of(db, agreements, [line, other, record_id(3, "00k")]) == {
        line: record_id(2),
        other: record_id(1),
    }
    others = (await new_integration(db, "Others")).integration_id
    async with database.transaction(db) as tx:
        await record_parents.remember(tx, others, [(line, record_id(7, "801"))])
    assert await record_parents.parents_of(db, others, [line, other]) == {line: record_id(7, "801")}
    assert await record_parents.parents_of(db, agreements, [line]) == {line: record_id(2)}


async def test_what_is_remembered_of_a_record_is_kept_where_nothing_new_is_said(
    db: Pool, agreements: UUID
) -> None:
    first, last = datetime(2026, 11, 20, tzinfo=UTC), datetime(2026, 11, 21, tzinfo=UTC)
    run_id = uuid4()
    async with database.transaction(db) as tx:
        await record_states.put(tx, RecordState(agreements, record_id(1), False))
        for moment in (first, last):
            state = RecordState(agreements, record_id(1), True, SyncStatus.COMPLETED, run_id, None, moment)
            await record_states.put(tx, state)
        await record_states.put(tx, RecordState(agreements, record_id(1), False))
    assert await record_states.get(db, agreements, record_id(1)) == RecordState(
        *(agreements, record_id(1), False, SyncStatus.COMPLETED, run_id, first, last)
    )
    assert await record_states.get(db, agreements, record_id(2)) is None


async def test_a_part_reports_a_change_once_and_since_when(db: Pool) -> None:
    assert await health.report(db, "m3ter:m", False, "m3ter is away.", "Wait.")
    (first,) = await health.all(db)
    assert not await health.report(db, "m3ter:m", False, "m3ter is still away.")
    (second,) = await health.all(db)
    assert (second.message, second.since) == ("m3ter is still away.", first.since)
    assert await health.report(db, "m3ter:m", True)
    assert (await health.all(db))[0].since > first.since
    assert await health.report(db, "salesforce:s", False, "refused")
    assert [part.subject for part in await health.all(db)] == ["salesforce:s", "m3ter:m"]
    await health.forget(db, "salesforce:s")
    assert [part.subject for part in await health.all(db)] == ["m3ter:m"]
