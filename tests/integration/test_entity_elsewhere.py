"""Another Salesforce org, or another m3ter, behind an entity data sync: all of it arrives there."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from connectors.sandbox.serving import Options
from state import credentials, entity_copies, entity_runs, entity_syncs, integrations, vault
from state.entity_models import EntitySync, EntityType, RunCause
from state.models import Credential, NewCredential, RunStatus
from tests.acceptance import house as houses
from tests.acceptance.house import House, until
from tests.integration import copying
from tests.integration.dry_running import told
from tests.sandboxes import local_sandbox

SALESFORCE = ("url", "client_id", "client_secret")


@pytest.fixture
async def other(house: House) -> AsyncIterator[House]:
    """The same m3sync beside another org and another organization."""
    async with local_sandbox(Options(empty=True)) as sandbox:
        elsewhere = House(sandbox, house.db, house.settings, house.session)
        await copying.declare(elsewhere)
        yield elsewhere


async def kept(house: House, name: str, system: str, secret: dict[str, Any]) -> Credential:
    """The credential as it is added; one of the name is replaced."""
    key = vault.load_or_create_key(house.settings.vault_key_path)
    return await credentials.add(house.db, key, NewCredential(name, system, secret, {}), replace=True)


def login(house: House) -> dict[str, Any]:
    return {name: house.sandbox.salesforce[name] for name in SALESFORCE}


async def first_run(house: House) -> tuple[EntitySync, list[str]]:
    ids = await copying.load(house, "Account", copying.rows(5))
    sync = await copying.added(house, EntityType.ACCOUNT)
    assert (await copying.once(house, sync)).created == 5
    return sync, ids


async def test_with_the_credential_of_another_org_all_arrives_there(house: House, other: House) -> None:
    sync, ids = await first_run(house)
    credential = await kept(house, "other org", "salesforce", login(other))
    await integrations.connect(house.db, "Account", salesforce_credential_id=credential.credential_id)
    run = await copying.once(house, sync)
    assert (run.status, run.created, run.written) == (RunStatus.COMPLETE, 5, 5)
    there = await copying.copies(other, EntityType.ACCOUNT)
    assert set(there) == set(ids)
    here = await copying.copies(house, EntityType.ACCOUNT)
    assert set(here) == set(ids)

    # What is written later goes to the records of the other org.
    await house.m3ter("DELETE", f"/accounts/{ids[0]}")
    assert (await copying.once(house, sync)).marked == 1
    marked = (await copying.copies(other, EntityType.ACCOUNT))[ids[0]]
    assert (marked["Id"], bool(marked["m3ter_Deleted_At__c"])) == (there[ids[0]]["Id"], True)
    assert (await copying.copies(house, EntityType.ACCOUNT))[ids[0]]["m3ter_Deleted_At__c"] is None


async def test_a_dry_run_tells_that_all_is_to_be_made_in_the_other_org(house: House, other: House) -> None:
    _, ids = await first_run(house)
    vanished = ids.pop()
    await house.m3ter("DELETE", f"/accounts/{vanished}")
    credential = await kept(house, "other org", "salesforce", login(other))
    await integrations.connect(house.db, "Account", salesforce_credential_id=credential.credential_id)
    sync = await entity_syncs.get(house.db, "Account")
    found, cost = await told(house, sync)
    assert {each.m3ter_id: each.action for each in found} == dict.fromkeys(ids, "create")
    assert (cost.upserts, cost.marks, cost.writing_calls) == (4, 0, 1)
    restoring, _ = await told(house, sync, is_restoring=True)
    assert restoring == found
    run = await copying.once(house, sync)
    assert (run.created, run.written, run.marked) == (4, 4, 0)
    assert (await told(house, sync))[0] == []


async def test_it_is_run_at_once_with_another_credential(house: House, other: House) -> None:
    sync, ids = await first_run(house)
    credential = await kept(house, "other org", "salesforce", login(other))
    await integrations.connect(house.db, "Account", salesforce_credential_id=credential.credential_id)
    async with copying.copying(house):
        await copying.ended(house, sync, 2)
    assert set(await copying.copies(other, EntityType.ACCOUNT)) == set(ids)


async def test_a_credential_replaced_in_place_by_one_of_another_org_is_noticed(
    house: House, other: House
) -> None:
    sync, ids = await first_run(house)
    await kept(house, "salesforce", "salesforce", login(other))
    await copying.once(house, sync)
    assert set(await copying.copies(other, EntityType.ACCOUNT)) == set(ids)


async def test_another_key_of_the_same_org_changes_nothing(house: House) -> None:
    sync, _ = await first_run(house)
    credential = await kept(house, "another key", "salesforce", login(house))
    await integrations.connect(house.db, "Account", salesforce_credential_id=credential.credential_id)
    await house.sandbox.salesforce_control.clear_journal()
    run = await copying.once(house, sync)
    assert (run.differing, run.unchanged) == (0, 5)
    assert not await copying.calls(house)
    assert (await entity_syncs.get(house.db, "Account")).revision == sync.revision


async def test_another_m3ter_organization_is_copied_whole_and_the_former_is_left_as_it_is(
    house: House, other: House
) -> None:
    sync, ids = await first_run(house)
    new_ids = await copying.load(other, "Account", copying.rows(3, "other"))
    credential = await kept(house, "other m3ter", "m3ter", other.sandbox.m3ter)
    await integrations.connect(house.db, "Account", m3ter_credential_id=credential.credential_id)
    run = await copying.once(house, sync)
    assert (run.created, run.marked, run.refused) == (3, 0, 0)
    found = await copying.copies(house, EntityType.ACCOUNT)
    assert set(found) == {*ids, *new_ids}
    assert {each["m3ter_Deleted_At__c"] for each in found.values()} == {None}


async def test_a_run_in_the_middle_of_the_former_org_begins_anew(house: House, other: House) -> None:
    """Its cursor, what it has met and its job are the former org's, and so is what m3ter's events told."""
    sync, ids = await first_run(house)
    integration_id = sync.integration.integration_id
    await entity_syncs.keep_job(house.db, integration_id, "750000000000001AAA")
    await entity_runs.ask(house.db, integration_id, RunCause.MANUAL)
    claim = await entity_runs.claim(house.db, integration_id, worker="killed", lease=copying.HASTY.lease)
    assert claim is not None
    async with house.db.acquire() as tx, tx.transaction():
        await entity_runs.scanned(tx, claim)
    await entity_runs.release(house.db, claim)
    await kept(house, "salesforce", "salesforce", login(other))
    async with copying.copying(house):
        run = await copying.ended(house, sync, 2)
    assert (run.run_id, run.status, run.created) == (claim.run_id, RunStatus.COMPLETE, 5)
    assert set(await copying.copies(other, EntityType.ACCOUNT)) == set(ids)
    after = await entity_syncs.get(house.db, "Account")
    assert (after.revision, after.feed_at) == (sync.revision + 1, None)
    assert await entity_syncs.job(house.db, integration_id) is None
    assert not await entity_copies.issues(house.db, integration_id)


async def test_a_running_daemon_brings_all_to_the_other_org_and_later_changes_too(
    house: House, other: House
) -> None:
    """The task is another one then, for its settings are: m3ter's events are heard for the other org."""
    sync, ids = await first_run(house)
    credential = await kept(house, "other org", "salesforce", login(other))
    async with houses.app_running(house):
        await integrations.connect(house.db, "Account", salesforce_credential_id=credential.credential_id)

        async def have_arrived() -> bool:
            return set(await copying.copies(other, EntityType.ACCOUNT)) == set(ids)

        await until(have_arrived)
        await copying.ended(house, sync, 2)
        new = {"name": "New", "code": "new", "emailAddress": "new@example.com"}
        ids.append((await house.m3ter("POST", "/accounts", new))["id"])
        await until(have_arrived)
    assert len(await copying.copies(house, EntityType.ACCOUNT)) == 5
