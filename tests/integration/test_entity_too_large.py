"""A page too large for m3ter is read in smaller ones; a Bill too large even alone stops only itself."""

from dataclasses import replace

import pytest

from connectors.sandbox.m3ter import billing
from daemon.to_salesforce.targets import Naming
from state import entity_copies, entity_syncs
from state.entity_models import CopyStatus, EntitySync, EntityType, Namespace, RunCause
from state.models import RunStatus
from tests.acceptance.house import House
from tests.integration import copying, dry_running, lagging

LARGEST = 20_000  # some twenty of these bills


@pytest.fixture
async def account_id(house: House) -> str:
    return (await copying.load(house, "Account", copying.rows(1)))[0]


def billed(house: House, account_id: str, number: int) -> list[str]:
    made = [billing.bill(lagging.organization(house), account_id) for _ in range(number)]
    return [str(each["id"]) for each in made]


def enlarged(house: House, bill_id: str, lines: int = 100) -> None:
    """More than m3ter gives at once, with its lines."""
    some = [billing.line(f"Usage {number}", "0.10") for number in range(lines)]
    billing.rebill(lagging.organization(house), bill_id, some)


def limit(house: House, size: int | None) -> None:
    lagging.organization(house).behaviour.largest_answer = size


async def issues(house: House, sync: EntitySync) -> dict[str, str]:
    found = await entity_copies.issues(house.db, sync.integration.integration_id)
    return {each.m3ter_id: each.message for each in found}


async def test_a_scan_reads_smaller_pages_where_the_largest_is_too_large(
    house: House, account_id: str
) -> None:
    ids = billed(house, account_id, 130)
    sync = await copying.added(house, EntityType.BILL)
    limit(house, LARGEST)
    run = await copying.once(house, sync)
    assert (run.status, run.error, run.entities_read, run.written) == (RunStatus.COMPLETE, "", 130, 130)
    assert set(await copying.copies(house, EntityType.BILL)) == set(ids)
    unchanged = await copying.once(house, sync)
    assert (unchanged.status, unchanged.differing) == (RunStatus.COMPLETE, 0)


async def test_a_page_that_m3ter_never_answers_in_time_holds_no_scan(house: House, account_id: str) -> None:
    billed(house, account_id, 150)
    match = {"path": "*/bills", "query": "*pageSize=100*nextToken=*"}
    await house.sandbox.m3ter_control.fault("status", match=match, status=504)
    run = await copying.once(house, await copying.added(house, EntityType.BILL))
    assert (run.status, run.written, run.pages) == (RunStatus.COMPLETE, 150, 2)


async def test_the_size_that_fits_is_kept_from_page_to_page_and_seldom_exceeded(
    house: House, account_id: str
) -> None:
    """Each trial of a size that m3ter is too slow for takes minutes."""
    billed(house, account_id, 1_000)
    await house.sandbox.m3ter_control.fault("status", match={"query": "*pageSize=100*"}, status=413)
    sync = await copying.added(house, EntityType.BILL)
    run = await copying.once(house, sync)
    assert (run.status, run.written, run.pages) == (RunStatus.COMPLETE, 1_000, 20)
    assert run.calls["m3ter list bills"] <= 20 + 2
    await house.sandbox.m3ter_control.clear_journal()
    differences, cost = await dry_running.told(house, sync)
    assert (differences, cost.entities) == ([], 1_000)
    assert await lagging.asked(house, "pageSize=100", "/bills") <= 2


async def test_a_list_of_which_one_entity_is_too_large_is_not_read_up_to_it_again(house: House) -> None:
    await copying.load(house, "Account", copying.rows(150))
    match = {"path": "*/accounts", "query": "*nextToken=*"}
    await house.sandbox.m3ter_control.fault("status", match=match, status=413)
    run = await copying.once(house, await copying.added(house, EntityType.ACCOUNT))
    assert run.status is RunStatus.ERROR
    assert run.calls["m3ter list accounts"] == 1 + 7  # 100; then 100, 50, 25, 12, 6, 3, 1


async def test_a_bill_that_is_too_large_alone_is_an_issue_and_its_siblings_are_written(
    house: House, account_id: str
) -> None:
    ids = billed(house, account_id, 60)
    large = ids[30]
    enlarged(house, large)
    sync = await copying.added(house, EntityType.BILL)
    limit(house, LARGEST)
    run = await copying.once(house, sync)
    assert (run.status, run.written, run.refused) == (RunStatus.COMPLETE, 59, 1)
    assert set(await copying.copies(house, EntityType.BILL)) == set(ids) - {large}
    told = await issues(house, sync)
    assert list(told) == [large]
    assert "Lines__c: m3ter gives no Bill that is so large with its lineItems." in told[large]
    async with dry_running.at_work(house, sync):
        differences, _ = await dry_running.told(house, sync)
    assert [(each.m3ter_id, each.action) for each in differences] == [(large, "refused")]
    again = await copying.once(house, sync)
    assert (again.status, again.differing) == (RunStatus.COMPLETE, 0)
    limit(house, None)
    mended = await copying.once(house, sync)
    assert (mended.written, mended.refused) == (1, 0)
    assert (await copying.copies(house, EntityType.BILL))[large]["Line_Count__c"] == 100
    assert not await issues(house, sync)


async def test_one_that_grows_too_large_is_told_by_the_feed_and_its_record_stays_as_it_was(
    house: House, account_id: str
) -> None:
    ids = billed(house, account_id, 3)
    sync = await copying.added(house, EntityType.BILL)
    await copying.once(house, sync)
    limit(house, LARGEST)
    enlarged(house, ids[0])
    billing.rebill(lagging.organization(house), ids[1], [billing.line("Usage", "7.00")])
    async with copying.copying(house, copying.FED):
        run = await copying.ended(house, sync, 2)
    assert (run.cause, run.status, run.written) == (RunCause.FEED, RunStatus.COMPLETE, 1)
    found = await copying.copies(house, EntityType.BILL)
    assert [found[each]["Line_Count__c"] for each in ids] == [1, 1, 1]
    assert str(found[ids[1]]["Total__c"]).startswith("7")
    assert list(await issues(house, sync)) == [ids[0]]
    census = await entity_copies.census(house.db, sync.integration.integration_id)
    assert (census[CopyStatus.WRITTEN], census[CopyStatus.REFUSED]) == (2, 1)


async def test_an_event_that_is_too_large_stops_no_feed(house: House, account_id: str) -> None:
    ids = billed(house, account_id, 2)
    sync = await copying.added(house, EntityType.BILL)
    await copying.once(house, sync)
    match = {"path": "*/events", "query": "*billing.bill.created*"}
    await house.sandbox.m3ter_control.fault("status", match=match, status=413)
    async with copying.copying(house, copying.FED):
        enlarged(house, ids[0], 2)
        run = await copying.ended(house, sync, 2)
    assert (run.cause, run.written) == (RunCause.FEED, 1)
    assert (await entity_syncs.get(house.db, sync.integration.name)).feed_at is not None


async def test_where_no_field_takes_the_lines_it_is_written_without_them(
    house: House, account_id: str
) -> None:
    (large,) = billed(house, account_id, 1)
    enlarged(house, large)
    limit(house, LARGEST)
    names = {f"Bill.{each}": "" for each in ("Lines", "Line_Count", "Lines_Left_Out")}
    manner = replace(copying.HASTY, naming=Naming(names={Namespace.CUSTOM.value: names}))
    run = await copying.once(house, await copying.added(house, EntityType.BILL), manner)
    assert (run.written, run.refused) == (1, 0)
    (record,) = await house.query("SELECT Total__c, Lines__c FROM m3ter_Bill__c")
    assert (float(record["Total__c"]), record["Lines__c"]) == (10, None)
