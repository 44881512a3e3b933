"""A scan keeps each page with its cursor, writes what differs and nothing else, and finds what is gone."""

from dataclasses import replace

import pytest

from state import entity_copies
from state.entity_models import CopyStatus, EntityType, Removal
from state.models import RunStatus
from tests.acceptance.house import House, until
from tests.integration import copying


async def test_all_accounts_arrive_with_one_call_for_two_hundred_and_then_none(house: House) -> None:
    ids = await copying.load(house, "Account", copying.rows(450))
    sync = await copying.added(house, EntityType.ACCOUNT)
    run = await copying.once(house, sync)
    assert (run.status, run.error) == (RunStatus.COMPLETE, "")
    assert (run.pages, run.entities_read, run.differing, run.written, run.created) == (5, 450, 450, 450, 450)
    assert run.calls["Salesforce collections"] == 3
    assert run.calls["m3ter list accounts"] == 5
    found = await copying.copies(house, EntityType.ACCOUNT)
    assert set(found) == set(ids)

    await house.sandbox.salesforce_control.clear_journal()
    unchanged = await copying.once(house, sync)
    assert (unchanged.differing, unchanged.written, unchanged.unchanged) == (0, 0, 450)
    assert not await copying.calls(house)


async def test_exactly_what_changed_is_written(house: House) -> None:
    ids = await copying.load(house, "Account", copying.rows(30))
    sync = await copying.added(house, EntityType.ACCOUNT)
    await copying.once(house, sync)
    organization = house.sandbox.running.organization  # type: ignore[attr-defined]  # a local one
    for m3ter_id in ids[:7]:
        old = organization.store.get("Account", m3ter_id)
        organization.change("Account", old, {"name": "Renamed"})
    run = await copying.once(house, sync)
    assert (run.differing, run.written, run.created, run.unchanged) == (7, 7, 0, 23)
    assert run.calls["Salesforce collections"] == 1
    found = await copying.copies(house, EntityType.ACCOUNT)
    assert {m3ter_id for m3ter_id, each in found.items() if each["Name"] == "Renamed"} == set(ids[:7])


@pytest.mark.parametrize("removal", list(Removal))
async def test_what_is_gone_from_m3ter_is_marked_deleted_or_kept(house: House, removal: Removal) -> None:
    ids = await copying.load(house, "Account", copying.rows(5))
    sync = await copying.added(house, EntityType.ACCOUNT, on_deletion=removal)
    await copying.once(house, sync)
    house.sandbox.running.organization.delete("Account", ids[0])  # type: ignore[attr-defined]  # a local one
    run = await copying.once(house, sync)
    found = await copying.copies(house, EntityType.ACCOUNT)
    match removal:
        case Removal.MARK:
            assert run.marked == 1
            assert {i for i, each in found.items() if each["m3ter_Deleted_At__c"]} == {ids[0]}
        case Removal.DELETE:
            assert run.deleted == 1
            assert set(found) == set(ids[1:])
        case Removal.KEEP:
            assert (run.marked, run.deleted) == (0, 0)
            assert not any(each["m3ter_Deleted_At__c"] for each in found.values())
    assert len(found) == (4 if removal is Removal.DELETE else 5)


async def test_an_account_that_leaves_the_filter_is_treated_as_the_setting_says(house: House) -> None:
    ids = await copying.load(house, "Account", copying.rows(4))
    sync = await copying.added(house, EntityType.ACCOUNT, on_leaving=Removal.DELETE)
    await copying.once(house, sync)
    left = await copying.edited(house, sync, restricted_account_ids=(ids[1],))
    run = await copying.once(house, left)
    assert (run.deleted, run.marked) == (1, 0)
    assert set(await copying.copies(house, EntityType.ACCOUNT)) == {ids[0], ids[2], ids[3]}
    allowed = await copying.edited(house, sync, account_ids=(ids[0], ids[1]), restricted_account_ids=())
    await copying.once(house, allowed)
    assert set(await copying.copies(house, EntityType.ACCOUNT)) == {ids[0], ids[1]}


async def test_a_daemon_that_stops_goes_on_at_its_page(house: House) -> None:
    ids = await copying.load(house, "Account", copying.rows(900))
    sync = await copying.added(house, EntityType.ACCOUNT)
    await house.sandbox.m3ter_control.fault("latency", match={"path": "*/accounts"}, seconds=0.1)
    async with copying.copying(house, replace(copying.HASTY, lookahead=1)) as stop:
        await copying.read_some(house, sync)
        stop.set()
    interrupted = await copying.latest(house, sync)
    assert interrupted.status is RunStatus.STARTED
    assert 0 < interrupted.pages < 9
    await house.sandbox.m3ter_control.clear_faults()
    async with copying.copying(house):
        run = await copying.ended(house, sync)
    assert run.run_id == interrupted.run_id
    assert (run.pages, run.entities_read, run.written, run.created) == (9, 900, 900, 900)
    assert set(await copying.all_ids(house, EntityType.ACCOUNT)) == set(ids)


async def test_nothing_is_in_salesforce_twice_after_the_lease_was_lost(house: House) -> None:
    await copying.load(house, "Account", copying.rows(600))
    sync = await copying.added(house, EntityType.ACCOUNT)
    await house.sandbox.m3ter_control.fault("latency", match={"path": "*/accounts"}, seconds=0.15)
    async with copying.copying(house):
        await copying.read_some(house, sync)
        # Another daemon takes the run over, as after a long sleep of this machine.
        before = await house.db.fetchval(
            """UPDATE entity_runs SET lease_token = gen_random_uuid(), lease_until = now() + interval '1.5 s'
            RETURNING pages"""
        )

        async def is_over() -> int | None:
            soon = "SELECT pages FROM entity_runs WHERE lease_until < now() + interval '0.5 s'"
            pages: int | None = await house.db.fetchval(soon)
            return pages

        assert await until(is_over) == before, "pages were kept by the one who had lost the lease"
        await house.sandbox.m3ter_control.clear_faults()
        run = await copying.ended(house, sync)
    assert run.status is RunStatus.COMPLETE
    assert run.pages == 6
    assert (run.entities_read, run.written) == (600, 600)
    assert (await entity_copies.census(house.db, sync.integration.integration_id))[CopyStatus.WRITTEN] == 600


async def test_a_page_that_m3ter_refuses_each_time_ends_the_run_with_its_message(house: House) -> None:
    await copying.load(house, "Account", copying.rows(150))
    sync = await copying.added(house, EntityType.ACCOUNT)
    match = {"path": "*/accounts", "query": "*nextToken*"}
    await house.sandbox.m3ter_control.fault("status", match=match, status=400)
    run = await copying.once(house, sync)
    assert run.status is RunStatus.ERROR
    assert "400" in run.error or "m3ter" in run.error
    assert run.pages <= 5
    await house.sandbox.m3ter_control.clear_faults()
    again = await copying.once(house, sync)
    assert (again.status, again.entities_read) == (RunStatus.COMPLETE, 150)
