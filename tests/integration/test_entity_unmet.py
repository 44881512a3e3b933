"""What a scan has not met is looked up by its id, and removed only if m3ter has it no more."""

import asyncio

import pytest

from state.entity_models import EntityType, Removal
from state.models import RunStatus
from tests.acceptance.house import House, until
from tests.integration import copying, lagging


async def marked(house: House) -> set[str]:
    found = await copying.copies(house, EntityType.ACCOUNT)
    return {m3ter_id for m3ter_id, each in found.items() if each["m3ter_Deleted_At__c"]}


@pytest.mark.parametrize("removal", [Removal.MARK, Removal.DELETE])
async def test_what_slipped_past_a_page_is_neither_marked_nor_deleted_but_read(
    house: House, removal: Removal
) -> None:
    ids = await copying.load(house, "Account", copying.rows(12))
    sync = await copying.added(house, EntityType.ACCOUNT, on_deletion=removal, on_leaving=removal)
    await copying.once(house, sync)
    organization = lagging.organization(house)
    organization.change("Account", organization.store.get("Account", ids[1]), {"name": "Renamed"})
    organization.delete("Account", ids[2])
    with lagging.unshown(house, ids[:2]):
        run = await copying.once(house, sync)
    assert (run.status, run.entities_read, run.differing, run.unchanged) == (RunStatus.COMPLETE, 11, 1, 10)
    assert (run.written, run.marked + run.deleted) == (1, 1)
    found = await copying.copies(house, EntityType.ACCOUNT)
    assert found[ids[1]]["Name"] == "Renamed"
    assert not {ids[0], ids[1]} - set(found)
    assert await marked(house) == ({ids[2]} if removal is Removal.MARK else set())
    assert run.calls["m3ter list accounts"] == 2


async def test_what_has_left_a_filter_that_is_asked_for_by_account_is_treated_as_the_setting_says(
    house: House,
) -> None:
    ids = await copying.load(house, "Account", copying.rows(6))
    sync = await copying.added(house, EntityType.ACCOUNT)
    await copying.once(house, sync)
    left = await copying.edited(house, sync, account_ids=tuple(ids[:3]))
    lagging.organization(house).delete("Account", ids[0])
    run = await copying.once(house, left)
    assert (run.marked, run.written) == (4, 0)
    assert await marked(house) == {ids[0], *ids[3:]}
    again = await copying.once(house, left)
    assert (again.marked, again.calls["m3ter list accounts"]) == (0, 1)


async def test_a_daemon_that_stops_amid_the_look_ups_goes_on_there_and_reads_no_list_again(
    house: House,
) -> None:
    ids = sorted(await copying.load(house, "Account", copying.rows(320)))
    sync = await copying.added(house, EntityType.ACCOUNT)
    await copying.once(house, sync)
    for m3ter_id in ids[::4]:
        lagging.organization(house).delete("Account", m3ter_id)
    slow = {"path": "*/accounts", "query": "*ids=*"}
    await house.sandbox.m3ter_control.fault("latency", match=slow, seconds=0.2)

    async def is_amid() -> bool:
        text = "SELECT count(*) FROM entity_runs WHERE cursor::jsonb->>'unmet_after' > ''"
        return bool(await house.db.fetchval(text))

    with lagging.unshown(house, ids):
        async with asyncio.TaskGroup() as group:
            first = group.create_task(copying.once(house, sync))
            await until(is_amid, seconds=20)
            first.cancel()  # as if killed: nothing is released
        await house.sandbox.m3ter_control.clear_faults()
        await house.sandbox.m3ter_control.clear_journal()
        async with copying.copying(house):
            run = await copying.ended(house, sync, 2)
    assert await lagging.asked(house, "") == await lagging.asked(house) < 4
    assert (run.status, run.entities_read, run.differing, run.marked) == (RunStatus.COMPLETE, 240, 0, 80)
    assert await marked(house) == set(ids[::4])


async def test_while_the_look_up_is_refused_nothing_is_removed(house: House) -> None:
    ids = await copying.load(house, "Account", copying.rows(3))
    sync = await copying.added(house, EntityType.ACCOUNT, on_deletion=Removal.DELETE)
    await copying.once(house, sync)
    lagging.organization(house).delete("Account", ids[0])
    match = {"path": "*/accounts", "query": "*ids=*"}
    await house.sandbox.m3ter_control.fault("status", match=match, status=400)
    assert (await copying.once(house, sync)).status is RunStatus.ERROR
    assert set(await copying.copies(house, EntityType.ACCOUNT)) == set(ids)
    await house.sandbox.m3ter_control.clear_faults()
    await house.sandbox.m3ter_control.fault("status", match=match, status=503, times=5)
    run = await copying.once(house, sync)
    assert (run.status, run.deleted) == (RunStatus.COMPLETE, 1)
    assert set(await copying.copies(house, EntityType.ACCOUNT)) == set(ids[1:])


@pytest.mark.parametrize("removal", [Removal.MARK, Removal.DELETE])
async def test_a_record_whose_first_write_was_not_kept_is_removed_when_its_entity_is_gone(
    house: House, removal: Removal
) -> None:
    ids = await copying.load(house, "Account", copying.rows(4))
    sync = await copying.added(house, EntityType.ACCOUNT, on_deletion=removal, on_leaving=removal)
    await house.sandbox.salesforce_control.fault("hang_after", match={"path": "*/composite/*"}, seconds=30)

    async def are_there() -> bool:
        return len(await copying.copies(house, EntityType.ACCOUNT)) == 4

    async with asyncio.TaskGroup() as group:
        first = group.create_task(copying.once(house, sync))
        await until(are_there, seconds=20)
        first.cancel()  # as if killed: Salesforce has them, and nobody knows
    await house.sandbox.salesforce_control.clear_faults()
    lagging.organization(house).delete("Account", ids[0])
    left = await copying.edited(house, sync, restricted_account_ids=(ids[1],))  # the scan begins anew
    async with copying.copying(house):
        run = await copying.ended(house, left)
    assert run.status is RunStatus.COMPLETE
    found = await copying.copies(house, EntityType.ACCOUNT)
    assert await marked(house) == (set(ids[:2]) if removal is Removal.MARK else set())
    assert len(found) == (4 if removal is Removal.MARK else 2)
    assert not await house.db.fetchval("SELECT count(*) FROM entity_copies WHERE status = 'WAITING'")


async def test_what_never_came_to_salesforce_is_looked_for_there_once_and_forgotten(house: House) -> None:
    ids = await copying.load(house, "Account", copying.rows(4))
    sync = await copying.added(house, EntityType.ACCOUNT)
    await house.sandbox.salesforce_control.fault("refuse", match={"path": "*/composite/*"})

    async def have_waited() -> bool:
        return bool(await house.db.fetchval("SELECT count(*) = 4 FROM entity_copies"))

    async with asyncio.TaskGroup() as group:
        first = group.create_task(copying.once(house, sync))
        await until(have_waited, seconds=20)
        first.cancel()
    await house.sandbox.salesforce_control.clear_faults()
    left = await copying.edited(house, sync, restricted_account_ids=tuple(ids))
    async with copying.copying(house):
        run = await copying.ended(house, left)
    assert (run.status, run.written, run.marked) == (RunStatus.COMPLETE, 0, 0)
    assert run.calls["Salesforce query"] == 1
    assert not await house.db.fetchval("SELECT count(*) FROM entity_copies")
    assert "Salesforce query" not in (await copying.once(house, left)).calls
