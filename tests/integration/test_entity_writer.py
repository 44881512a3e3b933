"""One bad record stops only itself; an outage, a spent budget and a large number have ways of their own."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from daemon.to_salesforce import budget
from daemon.web import entity_wording
from state import entity_copies, entity_runs, health
from state.entity_models import CopyIssue, CopyStatus, EntitySync, EntityType, Namespace, RunCause
from state.models import RunStatus
from tests.acceptance.house import House, until
from tests.integration import copying


async def ruled(house: House, **rules: Any) -> None:
    await house.sandbox.salesforce_control.call("POST", "org/rules", rules)


async def issue(house: House, sync: EntitySync) -> CopyIssue:
    (found,) = await entity_copies.issues(house.db, sync.integration.integration_id)
    return found


async def census(house: House, sync: EntitySync) -> dict[CopyStatus, int]:
    return await entity_copies.census(house.db, sync.integration.integration_id)


async def test_a_refused_record_shows_salesforces_words_and_stops_no_other(house: House) -> None:
    ids = await copying.load(house, "Account", copying.rows(300))
    rule = {"object": "m3ter_Account__c", "field": "Code__c", "is": "equals", "value": "crowd-00042"}
    said = {"message": "This code is not ours.", "error_field": "Code__c"}
    await ruled(house, validations=[rule | said])
    sync = await copying.added(house, EntityType.ACCOUNT)
    run = await copying.once(house, sync)
    assert (run.status, run.written, run.refused) == (RunStatus.COMPLETE, 299, 1)
    assert run.calls["Salesforce collections"] == 3, "two for all, one for the refused record alone"
    found = await issue(house, sync)
    assert (found.m3ter_id, found.message, found.code) == (
        ids[42],
        "This code is not ours.",
        "FIELD_CUSTOM_VALIDATION_EXCEPTION",
    )
    assert found.fields == ("Code__c",)
    assert (await copying.once(house, sync)).calls.get("Salesforce collections") is None

    await house.sandbox.salesforce_control.call("DELETE", "org/rules")
    await entity_copies.retry(house.db, sync.integration.integration_id)
    async with copying.copying(house):
        run = await copying.ended(house, sync, 3)
    assert (run.cause, run.written, run.pages) == (RunCause.RETRY, 1, 0)
    assert len(await copying.all_ids(house, EntityType.ACCOUNT)) == 300


async def test_a_child_is_postponed_until_its_parent_is_there(house: House) -> None:
    (account_id,) = await copying.load(house, "Account", copying.rows(1))
    contract = {"accountId": account_id, "name": "Frame", "startDate": "2026-01-01", "endDate": "2027-01-01"}
    (contract_id,) = await copying.load(house, "Contract", [contract])
    parents = await copying.added(house, EntityType.ACCOUNT)
    children = await copying.added(house, EntityType.CONTRACT)
    # The parents cannot run at all, so that the children do not wait for them.
    await house.db.execute("UPDATE entity_syncs SET first_completed_at = now() WHERE entity_type = 'Account'")
    await house.db.execute("UPDATE entity_syncs SET scheduled_at = now() WHERE entity_type = 'Account'")
    async with copying.copying(house):

        async def is_postponed() -> bool:
            found = await entity_copies.issues(house.db, children.integration.integration_id)
            return [each.status for each in found] == [CopyStatus.WAITING]

        async def is_there() -> bool:
            return contract_id in await copying.copies(house, EntityType.CONTRACT)

        await until(is_postponed)
        await copying.again(house, parents)
        await until(is_there)
    found = (await copying.copies(house, EntityType.CONTRACT))[contract_id]
    assert found["m3ter_Account__c"] == (await copying.copies(house, EntityType.ACCOUNT))[account_id]["Id"]


async def test_a_locked_record_is_tried_again(house: House) -> None:
    await copying.load(house, "Account", copying.rows(3))
    values = ["crowd-00000", "crowd-00002"]
    lock = {"object": "m3ter_Account__c", "field": "Code__c", "values": values, "times": 2}
    await ruled(house, locks=[lock])
    sync = await copying.added(house, EntityType.ACCOUNT)
    run = await copying.once(house, sync)
    assert (run.status, run.written, run.created, run.refused) == (RunStatus.COMPLETE, 3, 3, 0)
    assert run.calls["Salesforce collections"] <= 5, "each of the two alone at most"


async def test_an_outage_pauses_the_run_and_counts_against_no_record(house: House) -> None:
    await copying.load(house, "Account", copying.rows(250))
    sync = await copying.added(house, EntityType.ACCOUNT)
    fault = {"match": {"path": "*/composite/sobjects/*"}, "status": 503}
    await house.sandbox.salesforce_control.fault("status", **fault)
    async with copying.copying(house):

        async def is_told() -> bool:
            return any(each.subject == "salesforce:salesforce" for each in await ailing(house))

        await until(is_told)
        assert (await copying.latest(house, sync)).status is RunStatus.STARTED
        await house.sandbox.salesforce_control.clear_faults()
        run = await copying.ended(house, sync)
        assert not await ailing(house)
    assert (run.status, run.written, run.refused) == (RunStatus.COMPLETE, 250, 0)
    assert await house.db.fetchval("SELECT max(attempts) FROM entity_copies") == 0


async def ailing(house: House) -> list[Any]:
    return [each for each in await health.all(house.db) if not each.is_well]


async def test_the_reserve_of_the_daily_calls_is_never_used(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(budget, "LOOK_AGAIN", timedelta(milliseconds=50))
    await copying.load(house, "Account", copying.rows(1_000))
    sync = await copying.added(house, EntityType.ACCOUNT)
    await house.sandbox.salesforce_control.call("POST", "org/limit", {"max": 1_000, "used": 898})
    async with copying.copying(house, replace(copying.HASTY, in_flight=1)):

        async def is_waiting() -> list[Any]:
            return [each for each in await ailing(house) if each.subject.startswith("entity budget")]

        (told,) = await until(is_waiting)
        assert "daily API calls" in told.message
        assert "looked at again at" in told.message
        run = await copying.latest(house, sync)
        assert (run.status, run.written) == (RunStatus.STARTED, 400)
        await house.sandbox.salesforce_control.call("POST", "org/limit", {"max": 1_000, "used": 100})
        run = await copying.ended(house, sync)
    assert (run.status, run.written) == (RunStatus.COMPLETE, 1_000)


async def test_nobody_waits_for_calls_any_more_once_it_was_told_to_stop(house: House) -> None:
    await copying.load(house, "Account", copying.rows(1_000))
    sync = await copying.added(house, EntityType.ACCOUNT)
    await house.sandbox.salesforce_control.call("POST", "org/limit", {"max": 1_000, "used": 898})
    async with copying.copying(house):
        await until(lambda: ailing(house))
    assert not await ailing(house)
    await house.sandbox.salesforce_control.call("POST", "org/limit", {"max": 1_000, "used": 100})
    assert (await copying.once(house, sync)).status is RunStatus.COMPLETE


async def test_what_a_killed_run_said_of_calls_is_forgotten_by_the_next(house: House) -> None:
    await copying.load(house, "Account", copying.rows(3))
    sync = await copying.added(house, EntityType.ACCOUNT)
    await health.report(house.db, f"entity budget:{sync.integration.name}", False, "It waits.")
    assert (await copying.once(house, sync)).status is RunStatus.COMPLETE
    assert not await ailing(house)


async def test_very_many_records_go_by_bulk_jobs(house: House) -> None:
    ids = await copying.load(house, "Account", copying.rows(1_500))
    sync = await copying.added(house, EntityType.ACCOUNT)
    fault = {"match": {"path": "*/composite/sobjects/*"}, "status": 503}
    await house.sandbox.salesforce_control.fault("status", **fault)
    async with copying.copying(house, replace(copying.HASTY, bulk_threshold=1_000)):
        await until(lambda: copying.jobs(house))
        await house.sandbox.salesforce_control.clear_faults()
        run = await copying.ended(house, sync)
    assert (run.status, run.written, run.created, run.refused) == (RunStatus.COMPLETE, 1_500, 1_500, 0)
    assert run.calls["Salesforce bulk"]
    assert set(await copying.all_ids(house, EntityType.ACCOUNT)) == set(ids)


async def test_a_run_whose_object_is_missing_ends_in_salesforces_words(house: House) -> None:
    await copying.load(house, "Account", copying.rows(3))
    sync = await copying.added(house, EntityType.ACCOUNT, namespace=Namespace.CONNECTOR)
    run = await copying.once(house, sync)
    assert run.status is RunStatus.ERROR
    assert "m3__" in run.error
    assert (await census(house, sync))[CopyStatus.WAITING] == 3
    assert (await entity_runs.last(house.db, sync.integration.integration_id)) == run


async def test_what_cannot_be_mapped_says_why_however_often_a_person_retries_it(house: House) -> None:
    (account_id,) = await copying.load(house, "Account", copying.rows(1))
    contract = {"accountId": account_id, "name": "Frame", "startDate": "1600-01-01", "endDate": "2027-01-01"}
    (contract_id,) = await copying.load(house, "Contract", [contract])
    sync = await copying.added(house, EntityType.CONTRACT)
    assert (await copying.once(house, sync)).refused == 1
    first = await issue(house, sync)
    assert (first.code, first.fields) == ("M3SYNC_UNFIT", ("Start_Date__c",))

    await entity_copies.retry(house.db, sync.integration.integration_id)
    async with copying.copying(house):
        run = await copying.ended(house, sync, 2)
    assert (run.cause, run.status, run.refused) == (RunCause.RETRY, RunStatus.COMPLETE, 1)
    again = await issue(house, sync)
    assert (again.code, again.message, again.fields) == (first.code, first.message, first.fields)
    assert "by itself" in entity_wording.remedy(again)
    assert not await copying.calls(house), "nothing was there to be sent"

    mended = {**contract, "startDate": "2026-01-01", "version": 1}
    await house.m3ter("PUT", f"/contracts/{contract_id}", mended)
    run = await copying.once(house, sync)
    assert (run.written, run.refused) == (1, 0)
