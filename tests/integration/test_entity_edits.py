"""What waits under settings that a person has changed since is looked at anew before it is sent."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

import pytest

from daemon.to_salesforce.targets import Naming
from state import entity_copies, entity_runs, entity_syncs
from state.database import Pool, transaction
from state.entity_models import CopyAction, CopyStatus, EntitySync, EntityType, Removal, RunCause
from state.models import RunStatus
from tests.acceptance.house import House, until
from tests.integration import copying
from tests.integration.entity_rows import ACCOUNTS, in_salesforce, new_sync

CALLS = "*/composite/sobjects*"
NEVER_CODE_1 = {
    "object": "m3ter_Account__c",
    "field": "Code__c",
    "is": "equals",
    "value": "crowd-00001",
    "message": "not this one",
}

NO_SUCH_FIELD = {"errorCode": "INVALID_FIELD", "message": "No such column 'No_Such__c'", "fields": []}


async def away(house: House) -> None:
    """Salesforce takes nothing until the faults are cleared."""
    await house.sandbox.salesforce_control.fault("status", match={"path": CALLS}, status=503)


async def back(house: House) -> None:
    await house.sandbox.salesforce_control.clear_faults()
    await house.sandbox.salesforce_control.clear_journal()


async def interrupted(house: House, sync: EntitySync) -> None:
    """A run that has read everything, could write nothing, and was told to stop."""
    await away(house)
    async with copying.copying(house):
        await until(lambda: has_scanned(house, sync))
    await back(house)


async def has_scanned(house: House, sync: EntitySync) -> bool:
    run = await entity_runs.last(house.db, sync.integration.integration_id)
    return run is not None and run.is_scanned


async def sent(house: House, m3ter_id: str) -> list[dict[str, Any]]:
    """The calls since Salesforce came back that had this entity's record."""
    entries = await house.sandbox.salesforce_control.journal(f"bodies=1&path={CALLS}")
    return [each for each in entries if m3ter_id in str(each)]


async def records(house: House) -> list[str]:
    """The ids of all records."""
    return [each["Id"] for each in await house.query("SELECT Id FROM m3ter_Account__c")]


async def resumed(house: House, sync: EntitySync) -> None:
    async with copying.copying(house):
        await copying.ended(house, sync)


async def begun_by_hand(house: House, sync: EntitySync) -> None:
    await copying.once(house, sync)


async def test_an_account_restricted_while_it_waits_never_reaches_salesforce(house: House) -> None:
    ids = await copying.load(house, "Account", copying.rows(450))
    sync = await copying.added(house, EntityType.ACCOUNT, on_leaving=Removal.KEEP)
    await interrupted(house, sync)
    denied = (await entity_copies.waiting(house.db, sync.integration.integration_id, limit=1))[0].m3ter_id
    await copying.edited(house, sync, restricted_account_ids=(denied,))
    await resumed(house, sync)
    assert not await sent(house, denied)
    assert set(await copying.all_ids(house, EntityType.ACCOUNT)) == set(ids) - {denied}


async def test_no_call_begins_once_an_account_is_restricted_that_would_have_it(house: House) -> None:
    """Not even by a daemon that has not heard of the edit yet, and has the record at hand."""
    control = house.sandbox.salesforce_control
    await copying.load(house, "Account", copying.rows(1_200))
    sync = await copying.added(house, EntityType.ACCOUNT, on_leaving=Removal.KEEP)
    await control.fault("hang_before", match={"path": CALLS}, skip=1)

    async def are_under_way() -> bool:
        held = sum(int(each["holding"]) for each in await control.faults())
        return held == copying.HASTY.in_flight and await has_scanned(house, sync)

    async with copying.copying(house):
        await until(are_under_way)
        due = await entity_copies.waiting(house.db, sync.integration.integration_id, limit=1_200)
        denied = due[-1].m3ter_id
        await copying.edited(house, sync, restricted_account_ids=(denied,))
        await control.clear_faults()
        await until(lambda: sent(house, due[0].m3ter_id))
    await resumed(house, sync)
    assert not await sent(house, denied)
    assert len(await copying.all_ids(house, EntityType.ACCOUNT)) == 1_199


@pytest.mark.parametrize("cause", [RunCause.RETRY, RunCause.FEED])
async def test_one_that_is_to_be_tried_again_is_not_when_it_was_restricted_meanwhile(
    house: House, cause: RunCause
) -> None:
    """Runs that go without a scan otherwise have one first."""
    await house.sandbox.salesforce_control.call("POST", "org/rules", {"validations": [NEVER_CODE_1]})
    ids = await copying.load(house, "Account", copying.rows(3))
    sync = await copying.added(house, EntityType.ACCOUNT, on_leaving=Removal.KEEP)
    assert (await copying.once(house, sync)).refused == 1
    await copying.edited(house, sync, restricted_account_ids=(ids[1],))
    await house.sandbox.salesforce_control.call("DELETE", "org/rules")
    await house.sandbox.salesforce_control.clear_journal()
    await entity_copies.retry(house.db, sync.integration.integration_id)
    await entity_runs.ask(house.db, sync.integration.integration_id, cause)
    async with copying.copying(house):
        assert (await copying.ended(house, sync, 2)).entities_read == 3
    assert not await sent(house, ids[1])
    assert set(await copying.copies(house, EntityType.ACCOUNT)) == {ids[0], ids[2]}


async def test_what_was_refused_is_tried_as_the_edited_mapping_has_it_at_once(house: House) -> None:
    await house.sandbox.salesforce_control.call("POST", "org/rules", {"validations": [NEVER_CODE_1]})
    await copying.load(house, "Account", copying.rows(3))
    sync = await copying.added(house, EntityType.ACCOUNT)
    assert (await copying.once(house, sync)).refused == 1
    await house.sandbox.salesforce_control.call("DELETE", "org/rules")
    await copying.edited(house, sync, on_leaving=Removal.DELETE)
    async with copying.copying(house):
        run = await copying.ended(house, sync, 2)
    assert (run.status, run.entities_read, run.created) == (RunStatus.COMPLETE, 3, 1)


async def test_records_waiting_to_be_deleted_stay_when_their_accounts_are_let_in_again(house: House) -> None:
    ids = await copying.load(house, "Account", copying.rows(250))
    sync = await copying.added(house, EntityType.ACCOUNT, on_leaving=Removal.DELETE)
    await copying.once(house, sync)
    before = set(await records(house))
    await copying.edited(house, sync, restricted_account_ids=tuple(ids))
    await entity_runs.ask(house.db, sync.integration.integration_id, RunCause.MANUAL)
    await interrupted(house, sync)
    await copying.edited(house, sync, restricted_account_ids=())
    async with copying.copying(house):
        run = await copying.ended(house, sync, 2)
    assert (run.status, run.deleted) == (RunStatus.COMPLETE, 0)
    assert set(await records(house)) == before


async def test_a_record_waiting_to_be_marked_is_marked_as_of_then_though_the_settings_change_meanwhile(
    db: Pool,
) -> None:
    """The mark may be in Salesforce already: nobody saw the answer."""
    sync = await new_sync(db)
    await in_salesforce(db, sync, "left")
    marks = []
    for settings in (replace(ACCOUNTS, restricted_account_ids=("left",)), ACCOUNTS):
        async with transaction(db) as tx:
            await entity_syncs.edit(tx, "Accounts", settings)
            await entity_copies.removed(tx, sync, ["left"], Removal.MARK)
        marks += await entity_copies.waiting(db, sync, limit=9)
    first, again = marks
    assert (again.action, again.changed_at) == (CopyAction.MARK, first.changed_at)


@pytest.mark.parametrize("threshold", [201, 10_000], ids=["bulk", "collections"])
async def test_a_mapping_that_no_record_can_be_written_with_is_mended_by_an_edit(
    house: House, threshold: int
) -> None:
    """Salesforce refuses whole calls and jobs for it, and much has piled up meanwhile."""
    manner = replace(copying.HASTY, bulk_threshold=threshold)
    some = [{**row, "customFields": {"tier": "gold"}} for row in copying.rows(450)]
    await copying.load(house, "Account", some)
    sync = await copying.added(house, EntityType.ACCOUNT, custom_fields={"tier": "No_Such__c"})
    await interrupted(house, sync)
    refused = {"match": {"path": CALLS, "body": "*No_Such__c*"}, "status": 400, "body": [NO_SUCH_FIELD]}
    await house.sandbox.salesforce_control.fault("status", **refused)
    async with copying.copying(house, manner):
        assert (await copying.ended(house, sync)).status is RunStatus.ERROR
    await copying.edited(house, sync, custom_fields={})
    run = await copying.once(house, sync, manner)
    assert (run.status, run.error, run.created) == (RunStatus.COMPLETE, "", 450)


NAMED = replace(copying.HASTY, naming=Naming(names={"Custom Objects": {"Account.Code": "Former_Code__c"}}))


@pytest.mark.parametrize("how", [resumed, begun_by_hand])
async def test_what_waits_under_names_of_former_settings_is_written_under_those_of_now(
    house: House, how: Callable[[House, EntitySync], Any]
) -> None:
    """The settings file was changed while the daemon was not there: nobody edited anything."""
    ids = await copying.load(house, "Account", copying.rows(3))
    sync = await copying.added(house, EntityType.ACCOUNT)
    await away(house)
    async with copying.copying(house, NAMED):
        await until(lambda: has_scanned(house, sync))
    await back(house)
    await how(house, sync)
    assert not await sent(house, "Former_Code__c")
    assert set(await copying.copies(house, EntityType.ACCOUNT)) == set(ids)
    census = await entity_copies.census(house.db, sync.integration.integration_id)
    assert census[CopyStatus.WRITTEN] == 3


async def test_a_run_is_not_taken_for_settings_that_change_while_it_is_being_taken(house: House) -> None:
    ids = await copying.load(house, "Account", copying.rows(3))
    sync = await copying.added(house, EntityType.ACCOUNT, on_leaving=Removal.KEEP)
    await entity_runs.ask(house.db, sync.integration.integration_id, RunCause.MANUAL)
    some_looks = 10 * copying.HASTY.poll.total_seconds()
    async with AsyncExitStack() as daemon:
        async with transaction(house.db) as elsewhere:
            await entity_syncs.hold(elsewhere, sync.integration.integration_id)
            await daemon.enter_async_context(copying.copying(house))
            await asyncio.sleep(some_looks)
            denied = replace(sync.settings, restricted_account_ids=(ids[0],))
            await entity_syncs.edit(elsewhere, sync.integration.name, denied)
        await asyncio.sleep(some_looks)
    assert (await copying.latest(house, sync)).started_at is None
    assert (await entity_syncs.get(house.db, sync.integration.name)).scheduled_at is None
    await resumed(house, sync)
    assert set(await copying.copies(house, EntityType.ACCOUNT)) == set(ids[1:])
