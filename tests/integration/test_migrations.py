"""The schema: laid out once, however many ask, and refused when it is not ours."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from state import database, migrations
from state.database import Pool
from state.errors import SchemaInvalid, SchemaNewer
from state.migrations import Migration

FIRST = Migration(1, "0001_first", "CREATE TABLE first (n integer)")
SECOND = Migration(2, "0002_second", "CREATE TABLE second (n integer); INSERT INTO second VALUES (1)")


@pytest.fixture
async def empty(empty_database_url: str) -> AsyncIterator[Pool]:
    async with database.connect(empty_database_url) as pool:
        yield pool


async def test_migrations_are_applied_once_and_in_order(empty: Pool) -> None:
    assert await migrations.migrate(empty, [FIRST, SECOND]) == ["0001_first", "0002_second"]
    assert await migrations.migrate(empty, [FIRST, SECOND]) == []
    assert await empty.fetchval("SELECT count(*) FROM second") == 1


async def test_a_later_migration_is_added_to_an_older_schema(empty: Pool) -> None:
    await migrations.migrate(empty, [FIRST])
    assert await migrations.pending(empty, [FIRST, SECOND]) == ["0002_second"]
    assert await migrations.migrate(empty, [FIRST, SECOND]) == ["0002_second"]
    assert await migrations.pending(empty, [FIRST, SECOND]) == []


async def test_the_shipped_migrations_apply_to_an_empty_database_and_name_what_is_pending(
    empty: Pool,
) -> None:
    names = [step.name for step in migrations.shipped()]
    assert await migrations.pending(empty) == names
    assert await migrations.migrate(empty) == names
    assert await migrations.pending(empty) == []


async def test_daemons_starting_together_migrate_once(empty_database_url: str) -> None:
    applied = await asyncio.gather(*(migrations.migrate(empty_database_url) for _ in range(6)))
    assert sorted(name for names in applied for name in names) == [step.name for step in migrations.shipped()]


async def test_a_migration_edited_after_it_was_applied_is_refused(empty: Pool) -> None:
    await migrations.migrate(empty, [FIRST])
    edited = Migration(1, "0001_first", FIRST.text + " -- edited")
    with pytest.raises(SchemaInvalid, match="0001_first was changed"):
        await migrations.migrate(empty, [edited, SECOND])
    assert await empty.fetchval("SELECT to_regclass('second')") is None


async def test_a_schema_from_a_newer_m3sync_is_refused(empty: Pool) -> None:
    await migrations.migrate(empty, [FIRST, SECOND])
    with pytest.raises(SchemaNewer, match=r"0002_second.*install that version or newer"):
        await migrations.migrate(empty, [FIRST])
    with pytest.raises(SchemaNewer):
        await migrations.pending(empty, [FIRST])


async def test_a_failing_migration_leaves_nothing_of_itself_and_names_the_cause(empty: Pool) -> None:
    broken = Migration(2, "0002_broken", "CREATE TABLE half (n integer); SELECT * FROM nowhere")
    with pytest.raises(SchemaInvalid, match=r'0002_broken failed.*"nowhere"'):
        await migrations.migrate(empty, [FIRST, broken])
    assert await empty.fetchval("SELECT to_regclass('half')") is None
    assert await migrations.migrate(empty, [FIRST, SECOND]) == ["0002_second"]
