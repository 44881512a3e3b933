"""Entity data syncs: made, edited, kept apart from the other direction, and brought in by a migration."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from state import (
    database,
    entity_copies,
    entity_runs,
    entity_syncs,
    insights,
    integrations,
    migrations,
)
from state.database import Pool
from state.entity_models import EntitySyncSettings, EntityType, Namespace, Removal
from state.errors import Conflict, LeaseLost, NotFound
from state.models import NewIntegration
from tests.integration.entity_rows import ACCOUNTS, claimed, in_salesforce, new_sync, see
from tests.integration.state_rows import new_integration, old_integration, put

BILLS = EntitySyncSettings(
    EntityType.BILL,
    Namespace.CUSTOM,
    account_ids=("1", "2"),
    restricted_account_ids=("2",),
    notification_users=("user",),
    custom_fields={"purchaseOrder": "Purchase_Order__c"},
    schedule="every 10m",
    on_deletion=Removal.DELETE,
    on_leaving=Removal.KEEP,
)
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


async def test_what_a_person_decided_is_kept(db: Pool) -> None:
    made = await entity_syncs.add(db, "Bills", BILLS)
    assert (made.settings, made.revision, made.integration.flow) == (BILLS, 1, "Entity Data Sync")
    assert (made.integration.enabled, made.integration.field_mapping_name) == (False, None)
    assert await entity_syncs.get(db, "Bills") == await entity_syncs.get(db, made.integration.integration_id)


async def test_there_may_be_several_of_one_type_but_each_has_a_name_of_its_own(db: Pool) -> None:
    await new_sync(db, "Accounts")
    await new_sync(db, "Accounts of the east")
    with pytest.raises(Conflict, match="called Accounts"):
        await new_sync(db, "Accounts")
    names = [each.integration.name for each in await entity_syncs.list_all(db)]
    assert names == ["Accounts", "Accounts of the east"]
    assert await entity_syncs.enabled(db) == []


async def test_one_of_the_other_direction_is_no_entity_data_sync(db: Pool) -> None:
    await new_integration(db)
    with pytest.raises(NotFound, match="Sales Agreement Sync"):
        await entity_syncs.get(db, "Agreements")
    with pytest.raises(NotFound):
        await entity_syncs.get(db, "nothing")


@pytest.mark.parametrize("flow", ["Entity Data Sync", "Account Sync"])
async def test_a_flow_has_a_field_mapping_or_is_an_entity_data_sync(db: Pool, flow: str) -> None:
    mapping = (await new_integration(db)).field_mapping_id if flow == "Entity Data Sync" else None
    with pytest.raises(Conflict, match=flow):
        await integrations.add(db, NewIntegration("x", flow, mapping))


@pytest.mark.parametrize(
    ("edited", "grows"),
    [
        (replace(BILLS, schedule="0 6 * * *", notification_users=()), False),
        (replace(BILLS, account_ids=("2", "1")), False),
        (replace(BILLS, account_ids=("1",)), True),
        (replace(BILLS, restricted_account_ids=()), True),
        (replace(BILLS, custom_fields={}), True),
        (replace(BILLS, on_deletion=Removal.KEEP), True),
        (replace(BILLS, namespace=Namespace.TESTING), True),
    ],
)
async def test_its_revision_grows_only_with_what_is_written(
    db: Pool, edited: EntitySyncSettings, grows: bool
) -> None:
    await entity_syncs.add(db, "Bills", BILLS)
    found = await entity_syncs.edit(db, "Bills", edited)
    assert (found.settings, found.revision) == (edited, 2 if grows else 1)


async def test_it_never_becomes_one_for_another_entity_type(db: Pool) -> None:
    await new_sync(db)
    with pytest.raises(Conflict, match="for Account"):
        await entity_syncs.edit(db, "Accounts", BILLS)


async def test_a_scan_under_way_begins_anew_when_what_is_written_changes(db: Pool) -> None:
    sync = await new_sync(db)
    claim = await claimed(db, sync)
    await see(db, claim, "a")
    await entity_syncs.edit(db, "Accounts", replace(ACCOUNTS, restricted_account_ids=("a",)))
    with pytest.raises(LeaseLost):
        await entity_runs.renew(db, claim)
    again = await entity_runs.claim(db, sync, worker="two", lease=claim.lease)
    assert again is not None
    assert (again.run_id, again.cursor) == (claim.run_id, None)
    assert await db.fetchval("SELECT count(*) FROM entity_seen") == 0


async def test_in_another_namespace_it_begins_from_nothing(db: Pool) -> None:
    sync = await new_sync(db)
    await in_salesforce(db, sync, "a")
    await entity_syncs.edit(db, "Accounts", replace(ACCOUNTS, schedule="every 5m"))
    assert await entity_copies.known(db, sync, ["a"])
    await entity_syncs.edit(db, "Accounts", replace(ACCOUNTS, namespace=Namespace.CUSTOM))
    assert await entity_copies.known(db, sync, ["a"]) == {}


async def test_a_time_of_the_schedule_is_met_once(db: Pool) -> None:
    sync = await new_sync(db)
    async with database.transaction(db) as tx:
        met = [await entity_syncs.met(tx, sync, at) for at in (NOON, NOON, NOON - timedelta(hours=1))]
        await entity_syncs.fed(tx, sync, NOON, "event")
    assert met == [True, False, False]
    found = await entity_syncs.get(db, sync)
    assert (found.scheduled_at, found.feed_at, found.feed_event_id) == (NOON, NOON, "event")


async def test_what_shows_the_other_direction_shows_only_that_one(db: Pool) -> None:
    agreements = await new_integration(db)
    await new_sync(db)
    await db.execute("UPDATE integrations SET enabled = true")
    assert [each.integration.name for each in await insights.statuses(db)] == ["Agreements"]
    assert set((await insights.figures(db)).inbox) == {"Agreements"}
    assert await integrations.to_m3ter(db, only_enabled=True) == [
        await integrations.get(db, agreements.integration_id)
    ]
    assert [each.name for each in await integrations.enabled(db)] == ["Accounts", "Agreements"]


async def test_all_that_is_its_own_goes_with_it(db: Pool) -> None:
    sync = await new_sync(db)
    await in_salesforce(db, sync, "a")
    await see(db, await claimed(db, sync), "a")
    await integrations.remove(db, "Accounts")
    for table in ("entity_syncs", "entity_runs", "entity_copies", "entity_seen"):
        assert await db.fetchval(f"SELECT count(*) FROM {table}") == 0, table


async def test_an_older_database_keeps_its_integrations_and_takes_the_new_flow(
    empty_database_url: str,
) -> None:
    async with database.connect(empty_database_url) as old:
        await migrations.migrate(old, migrations.shipped()[:5])
        before = await old_integration(old)
        await put(old, before)
        applied = await migrations.migrate(old)
        assert applied[0] == "0006_entity_data_sync"
        assert [each.integration_id for each in await integrations.list_all(old)] == [before]
        assert await old.fetchval("SELECT count(*) FROM inbox") == 1
        await new_sync(old)
        assert [each.name for each in await integrations.list_all(old)] == ["Accounts", "Agreements"]


async def test_a_run_is_asked_for_of_a_known_integration_only(db: Pool) -> None:
    with pytest.raises(NotFound):
        await entity_runs.ask(db, uuid4(), "manual")
