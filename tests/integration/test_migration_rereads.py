"""An older database comes to windows: what was told as missing is read again, and nothing waiting is lost."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from state import checkpoints, database, health, migrations
from state.checkpoints import Reader
from state.database import Pool
from tests.integration.state_rows import LEASE, ORG, claimed, old_integration, record_id

SINCE = datetime(2026, 11, 1, tzinfo=UTC)
HEARD = SINCE + timedelta(days=9)
OLD = """INSERT INTO checkpoints (integration_id, org_id, transport, channel, replay_id, since, event_at)
    VALUES ($1, $2, 'cometd', $3, $4, $5, $6)"""


@pytest.fixture
async def old(empty_database_url: str) -> AsyncIterator[Pool]:
    """With the first migration only."""
    async with database.connect(empty_database_url) as pool:
        await migrations.migrate(pool, migrations.shipped()[:1])
        yield pool


async def positions(db: Pool, integration_id: UUID) -> dict[str, tuple[bool, datetime]]:
    found = await checkpoints.get(db, Reader(integration_id, ORG), ["/heard", "/new", "/told"])
    return {
        channel: (each.replay_id != checkpoints.NO_PLACE, each.complete_until)
        for channel, each in found.items()
    }


async def test_a_channel_is_complete_until_its_last_event_and_one_that_was_to_be_replayed_has_no_place(
    old: Pool,
) -> None:
    integration_id = await old_integration(old)
    await old.execute(OLD, integration_id, ORG, "/heard", "77", SINCE, HEARD)
    await old.execute(OLD, integration_id, ORG, "/new", "-2", SINCE, None)
    await migrations.migrate(old)
    assert await positions(old, integration_id) == {"/heard": (True, HEARD), "/new": (False, SINCE)}


async def test_what_was_told_as_missing_is_read_again_since_going_live_instead_of_being_told(
    old: Pool,
) -> None:
    integration_id = await old_integration(old)
    other_id = await old_integration(old, "Others")
    for each in (integration_id, other_id):
        await old.execute(OLD, each, ORG, "/told", "77", SINCE, HEARD)
    await health.report(old, "window:Agreements:/told", False, "A gap.")
    await health.report(old, "worker", False, "Stopped.")
    await migrations.migrate(old)
    assert await positions(old, integration_id) == {"/told": (False, SINCE)}
    assert await positions(old, other_id) == {"/told": (True, HEARD)}
    assert [each.subject for each in await health.all(old)] == ["worker"]


async def test_a_record_in_flight_with_a_wish_for_the_next_sync_keeps_both(old: Pool) -> None:
    integration_id = await old_integration(old)
    await old.execute(
        """INSERT INTO inbox (integration_id, object_name, record_id, cause, priority, status, lease_token,
            lease_until, next_cause, next_priority)
        VALUES ($1, 'Opportunity', $2, 'change', 5, 'CLAIMED', gen_random_uuid(), now(), 'manual', 9),
            ($1, 'Opportunity', $3, 'initial', -3, 'CLAIMED', gen_random_uuid(), now(), NULL, 0)""",
        *(integration_id, record_id(1), record_id(2)),
    )
    await migrations.migrate(old)
    found = [await claimed(old, integration_id, lease=LEASE) for _ in range(2)]
    assert {(each.record_id, each.cause, each.priority) for each in found} == {
        (record_id(1), "manual", 9),
        (record_id(2), "initial", -3),
    }
