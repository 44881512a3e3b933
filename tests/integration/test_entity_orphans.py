"""Copies whose parent is not in Salesforce: they wait for it however long, and hold nobody else up."""

from dataclasses import replace
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from daemon.retries import Policy
from daemon.to_salesforce import parents, targets
from state import entity_copies, entity_runs, external_mappings
from state.entity_models import CopyStatus, EntitySync, EntityType, Namespace, RunCause
from state.models import RunStatus
from tests.acceptance import entity_customers as customers
from tests.acceptance.house import House, until
from tests.integration import copying
from tests.integration.entity_rows import claimed

# So many attempts, that come so fast, are used up long before the parent comes.
FEW = Policy(first=timedelta(milliseconds=20), longest=timedelta(milliseconds=50), max_attempts=2)
RARE = Policy(first=timedelta(hours=2), longest=timedelta(hours=2), max_attempts=8)
REFUSED = {
    "object": "m3ter_Account__c",
    "field": "Code__c",
    "is": "equals",
    "value": "A1",
    "message": "not A1",
}


async def let_in(house: House, accounts: EntitySync) -> None:
    await house.sandbox.salesforce_control.call("DELETE", "org/rules")
    await entity_copies.retry(house.db, accounts.integration.integration_id)


async def attempts(house: House, sync: EntitySync) -> int:
    found = await entity_copies.issues(house.db, sync.integration.integration_id)
    return max((each.attempts for each in found), default=0)


async def test_a_child_outlasts_all_attempts_and_comes_after_its_parent(house: House) -> None:
    await customers.made(house, "A1", "B1")
    await house.sandbox.salesforce_control.call("POST", "org/rules", {"validations": [REFUSED]})
    accounts = await copying.added(house, EntityType.ACCOUNT)
    contracts = await copying.added(house, EntityType.CONTRACT)

    async def has_been_tried_often() -> bool:
        return await attempts(house, contracts) > FEW.max_attempts + 2

    async def is_there() -> bool:
        return len(await copying.copies(house, EntityType.CONTRACT)) == 2

    async with copying.copying(house, replace(copying.HASTY, policy=FEW)):
        await until(has_been_tried_often)
        await let_in(house, accounts)
        await until(is_there)


async def test_waiting_for_a_parent_uses_up_no_attempt_at_a_row_lock(house: House) -> None:
    made, _ = await customers.made(house, "A1", "B1")
    await house.sandbox.salesforce_control.call("POST", "org/rules", {"validations": [REFUSED]})
    accounts = await copying.added(house, EntityType.ACCOUNT)
    contracts = await copying.added(house, EntityType.CONTRACT)
    target = targets.target(EntityType.CONTRACT.value, Namespace.CUSTOM.value)
    held = {
        "object": target.object_name,
        "field": target.key_field,
        "values": [made[EntityType.CONTRACT]],
        "times": 1,
    }

    async def has_been_tried_often() -> bool:
        return await attempts(house, contracts) > FEW.max_attempts + 2

    async def is_decided() -> bool:
        found = await entity_copies.census(house.db, contracts.integration.integration_id)
        return found[CopyStatus.WAITING] == 0

    async with copying.copying(house, replace(copying.HASTY, policy=FEW)):
        await until(has_been_tried_often)
        await house.sandbox.salesforce_control.call("DELETE", "org/rules")
        await house.sandbox.salesforce_control.call("POST", "org/rules", {"locks": [held]})
        await entity_copies.retry(house.db, accounts.integration.integration_id)
        await until(is_decided)
    assert await entity_copies.issues(house.db, contracts.integration.integration_id) == []
    assert made[EntityType.CONTRACT] in await copying.copies(house, EntityType.CONTRACT)


async def test_a_parents_creation_makes_its_children_due_at_once(house: House) -> None:
    await customers.made(house, "A1", "B1")
    await house.sandbox.salesforce_control.call("POST", "org/rules", {"validations": [REFUSED]})
    accounts = await copying.added(house, EntityType.ACCOUNT)
    contracts = await copying.added(house, EntityType.CONTRACT)
    commitments = await copying.added(house, EntityType.COMMITMENT)

    async def all_are_there() -> bool:
        kinds = (EntityType.CONTRACT, EntityType.COMMITMENT)
        return all([len(await copying.copies(house, kind)) == 2 for kind in kinds])

    async with copying.copying(house, replace(copying.HASTY, policy=RARE)):
        for sync in (accounts, contracts, commitments):
            run = await copying.ended(house, sync)
            assert run.status is RunStatus.COMPLETE, "who waits for a parent holds nobody up"
        waiting = await entity_copies.census(house.db, contracts.integration.integration_id)
        assert waiting[CopyStatus.WAITING] == 1
        await let_in(house, accounts)
        await until(all_are_there)


async def test_a_standard_account_that_is_gone_is_left_out_and_stops_no_copy(house: House) -> None:
    (made,) = await customers.made(house, "A1")
    standard = (await house.salesforce("POST", "/sobjects/Account", {"Name": "to be merged"}))["id"]
    m3ter_org_id = house.sandbox.m3ter["org_id"]
    account_id = made[EntityType.ACCOUNT]
    await house.db.execute(
        "INSERT INTO external_mappings (m3ter_org_id, m3ter_entity, m3ter_id, external_table, external_id) "
        "VALUES ($1, 'Account', $2, 'Account', $3)",
        *(m3ter_org_id, account_id, standard),
    )
    assert await external_mappings.holders(house.db, m3ter_org_id, "Account", [account_id])
    await house.salesforce("DELETE", f"/sobjects/Account/{standard}")
    accounts = await copying.added(house, EntityType.ACCOUNT)
    run = await copying.once(house, accounts)
    assert (run.written, run.refused) == (1, 0)
    copied = await copying.copies(house, EntityType.ACCOUNT)
    assert copied[account_id]["Salesforce_Account__c"] is None
    again = await copying.once(house, accounts)
    assert "Salesforce collections" not in again.calls, "it is as wanted until that changes"


@pytest.mark.parametrize("is_begun", [True, False], ids=["begun", "asked for"])
async def test_nobody_waits_for_a_parent_whose_run_nobody_can_go_on_with(
    house: House, monkeypatch: pytest.MonkeyPatch, is_begun: bool
) -> None:
    """Its daemon was stopped, and what it is to do cannot be done any more: no task of it is started."""
    monkeypatch.setattr(parents, "_SOON", timedelta(seconds=1))
    await customers.made(house, "A1")
    accounts = await copying.added(house, EntityType.ACCOUNT, custom_fields={"tier": "m3ter_id__c"})
    contracts = await copying.added(house, EntityType.CONTRACT)
    if is_begun:
        await entity_runs.release(house.db, await claimed(house.db, accounts.integration.integration_id))
    else:
        await entity_runs.ask(house.db, accounts.integration.integration_id, RunCause.FIRST)
    run = await copying.once(house, contracts, replace(copying.HASTY, policy=RARE))
    assert run.status is RunStatus.COMPLETE
    assert run.calls["Salesforce collections"] > 0


async def test_a_parent_under_way_elsewhere_is_waited_for_however_long(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parents, "_SOON", timedelta(0))
    await customers.made(house, "A1")
    accounts = await copying.added(house, EntityType.ACCOUNT)
    contracts = await copying.added(house, EntityType.CONTRACT)
    begun = await claimed(house.db, accounts.integration.integration_id)
    await entity_runs.ask(house.db, accounts.integration.integration_id, RunCause.MANUAL)
    with capture_logs() as logs:
        async with copying.copying(house):

            async def waits() -> bool:
                return any(each["event"] == "writing waits for its parents" for each in logs)

            await until(waits)
            assert not await copying.copies(house, EntityType.CONTRACT)
            await entity_runs.end(house.db, begun, RunStatus.COMPLETE)
            await copying.ended(house, contracts)
