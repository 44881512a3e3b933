"""The feed trusts neither a list that lags behind its events nor settings that changed while it read."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from state import database, entity_copies, entity_runs, entity_syncs, integrations
from state.database import Connection
from state.entity_models import EntitySync, EntityType, Removal, RunCause
from tests.acceptance.house import House, until
from tests.integration import copying, lagging
from tests.integration.test_entity_feed import rename, until_named


@pytest.fixture
async def accounts(house: House) -> tuple[EntitySync, list[str]]:
    """Five of them, scanned, deleted here when they are deleted there."""
    ids = await copying.load(house, "Account", copying.rows(5))
    sync = await copying.added(house, EntityType.ACCOUNT, on_deletion=Removal.DELETE)
    await copying.once(house, sync)
    await house.sandbox.m3ter_control.clear_journal()
    return sync, ids


async def until_asked(house: House, times: int, query: str = "ids=", path: str = "/accounts") -> None:
    async def is_asked() -> bool:
        return await lagging.asked(house, query, path) >= times

    await until(is_asked, seconds=20)


async def scans(house: House, sync: EntitySync) -> int:
    found = await entity_runs.list_runs(house.db, sync.integration.integration_id)
    return sum(run.cause is not RunCause.FEED for run in found)


async def test_one_that_its_event_tells_of_before_the_list_shows_it_is_written_once_it_is_shown(
    house: House, accounts: tuple[EntitySync, list[str]]
) -> None:
    sync, _ = accounts
    new = {"name": "New", "code": "new", "emailAddress": "new@example.com"}
    made = await house.m3ter("POST", "/accounts", new)
    async with copying.copying(house, copying.FED):
        with lagging.unshown(house, {made["id"]}, by_id_too=True):
            await until_asked(house, 3)
        await until_named(house, made["id"], "New")
    assert await scans(house, sync) == 1


async def test_a_change_of_one_that_the_list_does_not_show_just_now_deletes_nothing(
    house: House, accounts: tuple[EntitySync, list[str]]
) -> None:
    sync, ids = accounts
    await rename(house, ids[0], "Renamed")
    async with copying.copying(house, copying.FED):
        with lagging.unshown(house, {ids[0]}, by_id_too=True):
            await until_asked(house, 3)
            copy = (await entity_copies.of_record(house.db, ids[0]))[0]
            assert copy.action.value == "upsert"
        assert len(await until_named(house, ids[0], "Renamed")) == 5
    assert await scans(house, sync) == 1


async def test_one_whose_deletion_is_told_is_deleted_once_the_list_agrees(
    house: House, accounts: tuple[EntitySync, list[str]]
) -> None:
    sync, ids = accounts
    organization = lagging.organization(house)
    entity = organization.store.get("Account", ids[0])
    organization.events.append("configuration.account.deleted", None, entity)
    async with copying.copying(house, copying.FED):
        await until_asked(house, 3)
        assert (await entity_copies.of_record(house.db, ids[0]))[0].action.value == "upsert"
        organization.store.remove("Account", ids[0])

        async def is_gone() -> bool:
            return ids[0] not in await copying.copies(house, EntityType.ACCOUNT)

        await until(is_gone, seconds=20)
    assert await scans(house, sync) == 1


async def _deny(tx: Connection, sync: EntitySync, m3ter_id: str) -> None:
    settings = replace(sync.settings, restricted_account_ids=(m3ter_id,))
    await entity_syncs.edit(tx, sync.integration.name, settings)


async def _disable(tx: Connection, sync: EntitySync, _: str) -> None:
    await integrations.disable(tx, sync.integration.name)


async def _remove(tx: Connection, sync: EntitySync, _: str) -> None:
    await integrations.remove(tx, sync.integration.name)


@pytest.mark.parametrize("change", [_deny, _disable, _remove])
async def test_what_was_read_while_the_integration_is_changed_is_not_kept(
    house: House,
    accounts: tuple[EntitySync, list[str]],
    change: Callable[[Any, EntitySync, str], Awaitable[None]],
) -> None:
    sync, ids = accounts
    async with copying.copying(house, copying.FED):
        await until_asked(house, 1, "", "/events")
        async with database.transaction(house.db) as tx:
            await change(tx, sync, ids[0])
            await rename(house, ids[0], "By the former settings")
            await until_asked(house, 1)
    assert not await house.db.fetchval("SELECT count(*) FROM entity_copies WHERE status = 'WAITING'")
    found = await entity_runs.list_runs(house.db, sync.integration.integration_id)
    assert not [run for run in found if run.cause is RunCause.FEED]


async def test_a_feed_that_reads_nothing_new_writes_nothing(
    house: House, accounts: tuple[EntitySync, list[str]]
) -> None:
    sync, ids = accounts

    async def written_by() -> object:
        text = "SELECT xmin::text FROM entity_syncs WHERE integration_id = $1"
        return await house.db.fetchval(text, sync.integration.integration_id)

    async with copying.copying(house, copying.FED):
        await rename(house, ids[0], "Renamed")
        await until_named(house, ids[0], "Renamed")
        await copying.ended(house, sync, 2)
        await house.sandbox.m3ter_control.clear_journal()
        await until_asked(house, 1, "", "/events")
        before = await written_by()
        await until_asked(house, 13, "", "/events")
        assert await written_by() == before
    assert await lagging.asked(house) == 0
