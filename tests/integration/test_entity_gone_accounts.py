"""A standard Account that Salesforce no longer has: left out of copies while it is gone, and no other is."""

import asyncio
from datetime import timedelta

import pytest

from daemon.to_salesforce import budget, dry_run, gone_accounts
from daemon.to_salesforce.dry_run import Cost
from daemon.to_salesforce.turn import Turn
from state import database, entity_copies, entity_runs, health, insights, integrations
from state.entity_models import EntitySync, EntityType, RunCause
from tests.acceptance.house import House, until
from tests.integration import copying
from tests.integration.dry_running import at_work, told, until_reserve
from tests.integration.test_entity_standard_accounts import lookup, mapped, standard

ACCOUNT = EntityType.ACCOUNT


async def deleted(house: House, record_id: str) -> None:
    await house.salesforce("DELETE", f"/sobjects/Account/{record_id}")


async def undeleted(house: House, record_id: str) -> None:
    await house.sandbox.salesforce_control.call("POST", "org/undelete", {"ids": [record_id]})


async def used(house: House, number: int) -> None:
    """So many of the day's thousand API calls, of which a tenth is left to others."""
    await house.sandbox.salesforce_control.call("POST", "org/limit", {"max": 1000, "used": number})


async def with_dead_account(house: House) -> tuple[str, str]:
    """An account of m3ter, and the Account in Salesforce's recycle bin that it is."""
    (m3ter_id,) = await copying.load(house, "Account", copying.rows(1))
    record_id = await standard(house)
    await mapped(house, m3ter_id, record_id)
    await deleted(house, record_id)
    return m3ter_id, record_id


async def test_an_account_that_salesforce_says_is_gone_is_named_again_once_it_is_undeleted(
    house: House,
) -> None:
    m3ter_id, record_id = await with_dead_account(house)
    sync = await copying.added(house, ACCOUNT)
    run = await copying.once(house, sync)
    assert (run.written, run.created, run.refused) == (1, 1, 0)
    assert await lookup(house, m3ter_id) is None
    assert (await told(house, sync))[0] == []
    await house.sandbox.salesforce_control.clear_journal()
    assert (await copying.once(house, sync)).differing == 0
    assert list(await copying.calls(house)) == ["GET /query"]  # whether it is there again
    assert (await insights.explain(house.db, record_id)).states == ()  # no sync of its own remembers it

    await undeleted(house, record_id)
    (difference,), _ = await told(house, sync)
    assert difference.fields == {"Salesforce_Account__c": (None, record_id)}
    assert difference.action == "update"
    assert (await copying.once(house, sync)).written == 1
    assert await lookup(house, m3ter_id) == record_id
    await house.sandbox.salesforce_control.clear_journal()
    assert (await copying.once(house, sync)).differing == 0
    assert not await copying.calls(house)


async def test_one_that_is_undeleted_before_the_next_scan_is_named_again(house: House) -> None:
    m3ter_id, record_id = await with_dead_account(house)
    sync = await copying.added(house, ACCOUNT)
    await copying.once(house, sync)
    assert await lookup(house, m3ter_id) is None
    await undeleted(house, record_id)
    assert (await copying.once(house, sync)).written == 1
    assert await lookup(house, m3ter_id) == record_id


async def test_one_that_another_integration_met_gone_is_named_again_though_that_one_is_switched_off(
    house: House,
) -> None:
    m3ter_id, record_id = await with_dead_account(house)
    one = await copying.added(house, ACCOUNT, "one")
    await copying.once(house, one)
    await integrations.disable(house.db, "one")
    other = await copying.added(house, ACCOUNT, "other")
    await copying.once(house, other)
    assert await lookup(house, m3ter_id) is None
    await undeleted(house, record_id)
    assert (await copying.once(house, other)).written == 1
    assert await lookup(house, m3ter_id) == record_id


async def dead_region(house: House, m3ter_id: str) -> str:
    """A second lookup, which a custom field feeds, to a record that is deleted."""
    field = {"type": "reference", "to": ["Account"], "relationship": "Sales_Region__r", "children": "Regions"}
    objects = {"m3ter_Account__c": {"fields": {"Sales_Region__c": field}}}
    await house.sandbox.salesforce_control.call("POST", "org/declare", objects)
    region = await standard(house, "Region")
    await deleted(house, region)
    entity = await house.m3ter("GET", f"/accounts/{m3ter_id}")
    kept = {name: entity[name] for name in ("name", "code", "emailAddress", "version")}
    await house.m3ter("PUT", f"/accounts/{m3ter_id}", kept | {"customFields": {"region": region}})
    return region


async def test_one_that_is_there_is_named_though_another_lookup_of_its_copy_leads_nowhere(
    house: House,
) -> None:
    m3ter_id, other = await copying.load(house, "Account", copying.rows(2))
    record_id = await standard(house)
    for each in (m3ter_id, other):
        await mapped(house, each, record_id)
    region = await dead_region(house, m3ter_id)
    sync = await copying.added(house, ACCOUNT, custom_fields={"region": "Sales_Region__c"})
    await house.sandbox.salesforce_control.clear_journal()
    run = await copying.once(house, sync)
    assert (run.written, run.refused) == (1, 1)
    assert (await copying.calls(house))["GET /query"] == 2  # one after each call that was not taken whole
    (issue,) = await entity_copies.issues(house.db, sync.integration.integration_id)
    assert (issue.m3ter_id, issue.code) == (m3ter_id, "ENTITY_IS_DELETED")
    assert await lookup(house, other) == record_id
    await undeleted(house, region)
    assert await entity_copies.retry(house.db, sync.integration.integration_id, [m3ter_id])
    assert (await copying.once(house, sync)).written == 1
    assert await lookup(house, m3ter_id) == record_id
    await house.sandbox.salesforce_control.clear_journal()
    assert (await copying.once(house, sync)).differing == 0
    assert not await copying.calls(house)


async def test_one_that_m3ter_names_no_more_is_not_asked_for_again(house: House) -> None:
    (m3ter_id,) = await copying.load(house, "Account", copying.rows(1))
    merged, winner = await standard(house, "Merged away"), await standard(house, "Winner")
    mapping_id = await mapped(house, m3ter_id, merged)
    await deleted(house, merged)
    sync = await copying.added(house, ACCOUNT)
    await copying.once(house, sync)
    await house.m3ter("DELETE", f"/externalmappings/{mapping_id}")
    await mapped(house, m3ter_id, winner)
    await house.sandbox.salesforce_control.clear_journal()
    assert (await copying.once(house, sync)).written == 1
    assert "GET /query" not in await copying.calls(house)
    assert await lookup(house, m3ter_id) == winner
    await house.sandbox.salesforce_control.clear_journal()
    assert (await copying.once(house, sync)).differing == 0
    assert not await copying.calls(house)


async def turn_of(house: House, sync: EntitySync) -> Turn:
    await entity_runs.ask(house.db, sync.integration.integration_id, RunCause.MANUAL)
    async with database.transaction(house.db) as tx:
        lease = timedelta(seconds=0)
        claim = await entity_runs.claim(tx, sync.integration.integration_id, worker="test", lease=lease)
    assert claim is not None
    return Turn(claim, asyncio.Event(), [])


async def test_whether_one_is_there_again_is_not_asked_with_calls_that_are_left_to_others(
    house: House,
) -> None:
    m3ter_id, record_id = await with_dead_account(house)
    sync = await copying.added(house, ACCOUNT)
    await copying.once(house, sync)
    await undeleted(house, record_id)
    await used(house, 950)
    await house.sandbox.salesforce_control.clear_journal()
    async with at_work(house, sync) as place:
        await place.org.salesforce.limits()
        assert await until_reserve(dry_run.dry_run(place, Cost())) == []
        await gone_accounts.read(place, await turn_of(house, sync))  # a scan goes on without
    assert not await copying.calls(house)
    await used(house, 0)
    async with copying.copying(house):
        assert (await copying.ended(house, sync, 2)).written == 1  # the one that was begun here
    assert await lookup(house, m3ter_id) == record_id


async def test_no_run_asks_whether_one_is_gone_with_calls_that_are_left_to_others(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(budget, "LOOK_AGAIN", timedelta(milliseconds=50))
    m3ter_id, _ = await with_dead_account(house)
    sync = await copying.added(house, ACCOUNT)
    await used(house, 899)
    await house.sandbox.salesforce_control.clear_journal()

    async def waits() -> bool:
        told = [each.subject for each in await health.all(house.db) if not each.is_well]
        return told == ["entity budget:Account"]

    async with copying.copying(house):
        await until(waits)
        assert "GET /query" not in await copying.calls(house)
        await used(house, 0)
        assert (await copying.ended(house, sync)).written == 1
    assert await lookup(house, m3ter_id) is None


QUERIES = {"path": "*/query"}
CALLS = {"path": "*/composite/sobjects/*"}


async def test_a_copy_waits_on_while_salesforce_cannot_say_whether_its_account_is_gone(house: House) -> None:
    m3ter_id, _ = await with_dead_account(house)
    await house.sandbox.salesforce_control.fault("status", match=QUERIES, status=503, times=2)
    run = await copying.once(house, await copying.added(house, ACCOUNT))
    assert (run.written, run.refused) == (1, 0)
    assert run.calls["Salesforce query"] > 1
    assert await lookup(house, m3ter_id) is None


async def test_what_salesforce_said_of_a_copy_stands_where_its_accounts_may_not_be_read(house: House) -> None:
    m3ter_id, record_id = await with_dead_account(house)
    refusal = [{"errorCode": "INVALID_TYPE", "message": "sObject type 'Account' is not supported."}]
    await house.sandbox.salesforce_control.fault("status", match=QUERIES, status=400, body=refusal, times=1)
    sync = await copying.added(house, ACCOUNT)
    assert (await copying.once(house, sync)).refused == 1
    (issue,) = await entity_copies.issues(house.db, sync.integration.integration_id)
    assert (issue.m3ter_id, issue.code) == (m3ter_id, "ENTITY_IS_DELETED")
    await undeleted(house, record_id)
    await entity_copies.retry(house.db, sync.integration.integration_id)
    assert (await copying.once(house, sync)).written == 1
    assert await lookup(house, m3ter_id) == record_id


@pytest.mark.parametrize(
    ("fields", "queries"), [(["Sales_Region__c"], 0), (["salesforce_account__C"], 1), ([], 1)]
)
async def test_nothing_is_asked_where_salesforce_tells_that_it_is_another_lookup(
    house: House, fields: list[str], queries: int
) -> None:
    m3ter_id, record_id = (await copying.load(house, "Account", copying.rows(1)))[0], await standard(house)
    await mapped(house, m3ter_id, record_id)
    error = {"statusCode": "INVALID_CROSS_REFERENCE_KEY", "message": "invalid id", "fields": fields}
    refusal = [{"success": False, "errors": [error]}]
    await house.sandbox.salesforce_control.fault("status", match=CALLS, status=200, body=refusal)
    run = await copying.once(house, await copying.added(house, ACCOUNT))
    assert (run.refused, run.calls.get("Salesforce query", 0)) == (1, queries)
