"""Entity data syncs that reach one org by credentials of their own: one place, whatever the keys."""

import asyncio

import pytest

from state import credentials, entity_runs, entity_syncs, integrations, vault
from state.entity_models import EntitySync, EntityType, Removal
from state.models import NewCredential
from tests.acceptance import entity_customers as customers
from tests.acceptance.house import House
from tests.integration import copying

ACCOUNT, CONTRACT = EntityType.ACCOUNT, EntityType.CONTRACT


async def reconnected(house: House, sync: EntitySync) -> None:
    """With another key of the same org."""
    secret = {name: house.sandbox.salesforce[name] for name in ("url", "client_id", "client_secret")}
    key = vault.load_or_create_key(house.settings.vault_key_path)
    name = sync.integration.name
    made = await credentials.add(house.db, key, NewCredential(f"key of {name}", "salesforce", secret, {}))
    await integrations.connect(house.db, name, salesforce_credential_id=made.credential_id)


async def state_of(house: House, m3ter_id: str) -> str:
    return await customers.state_of(house, ACCOUNT, m3ter_id)


@pytest.mark.parametrize("removal", [Removal.MARK, Removal.DELETE])
async def test_a_record_that_an_integration_with_another_key_keeps_is_left_alone(
    house: House, removal: Removal
) -> None:
    ids = await copying.load(house, "Account", copying.rows(2))
    one = await copying.added(house, ACCOUNT, "one", on_leaving=removal)
    other = await copying.added(house, ACCOUNT, "other", account_ids=tuple(ids))
    await customers.run(house, one, other)
    await reconnected(house, one)
    await customers.run(house, one, other)
    left = await copying.edited(house, one, account_ids=(ids[0],))
    await customers.run(house, left)
    assert [await state_of(house, each) for each in ids] == ["there", "there"]


@pytest.mark.parametrize(("removal", "left"), [(Removal.MARK, "marked"), (Removal.DELETE, "none")])
async def test_what_was_marked_or_deleted_is_restored_by_an_integration_with_another_key(
    house: House, removal: Removal, left: str
) -> None:
    ids = await copying.load(house, "Account", copying.rows(2))
    one = await copying.added(house, ACCOUNT, "one", on_leaving=removal)
    other = await copying.added(house, ACCOUNT, "other", account_ids=tuple(ids))
    await customers.run(house, one, other)
    await reconnected(house, one)
    await customers.run(house, one)
    await integrations.disable(house.db, "other")
    await customers.run(house, await copying.edited(house, one, account_ids=(ids[0],)))
    assert await state_of(house, ids[1]) == left
    await integrations.enable(house.db, "other")
    await customers.run(house, other)
    assert await state_of(house, ids[1]) == "there"


async def test_parents_copied_with_another_key_are_named_as_before(house: House) -> None:
    ash, birch = await customers.made(house, "ASH", "BIRCH")
    accounts = await copying.added(house, ACCOUNT)
    contracts = await copying.added(house, CONTRACT)
    await customers.run(house, accounts, contracts)
    await reconnected(house, accounts)
    await customers.run(house, accounts)
    (run,) = await customers.run(house, contracts)
    assert run.written == 0
    await _assert_named(house, ash[CONTRACT], birch[CONTRACT])


async def test_parents_that_are_there_are_named_though_their_integration_is_switched_off(
    house: House,
) -> None:
    (ash,) = await customers.made(house, "ASH")
    accounts = await copying.added(house, ACCOUNT)
    contracts = await copying.added(house, CONTRACT)
    await customers.run(house, accounts, contracts)
    await integrations.disable(house.db, accounts.integration.name)
    (birch,) = await customers.made(house, "BIRCH")
    (run,) = await customers.run(house, contracts)
    assert run.written == 1  # the new one, whose Account nobody copies just now
    await _assert_named(house, ash[CONTRACT])
    found = await copying.copies(house, CONTRACT)
    assert found[birch[CONTRACT]]["m3ter_Account__c"] is None
    await integrations.enable(house.db, accounts.integration.name)
    await customers.run(house, accounts)
    (run,) = await customers.run(house, contracts)
    assert run.written == 1
    await _assert_named(house, ash[CONTRACT], birch[CONTRACT])


async def _assert_named(house: House, *contract_ids: str) -> None:
    found = await copying.copies(house, CONTRACT)
    assert all(found[each]["m3ter_Account__c"] for each in contract_ids)


async def test_a_task_takes_no_run_once_its_integration_has_another_key(house: House) -> None:
    await copying.load(house, "Account", copying.rows(3))
    sync = await copying.added(house, ACCOUNT)
    async with copying.copying(house):  # nobody replaces its tasks here
        await copying.ended(house, sync)
        await reconnected(house, sync)
        await asyncio.sleep(20 * copying.HASTY.poll.total_seconds())
        now = await entity_syncs.get(house.db, sync.integration.name)
        assert now.scheduled_at is None, "the run that the new key is to have was spent"
        assert len(await entity_runs.list_runs(house.db, sync.integration.integration_id)) == 1
    async with copying.copying(house):
        await copying.ended(house, sync, 2)
