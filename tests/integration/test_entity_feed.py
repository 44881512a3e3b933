"""Between scans m3ter's events say what changed: just that is read and written; a failure stops nothing."""

from typing import Any

import pytest

from connectors.sandbox.m3ter import billing
from state.entity_models import EntitySync, EntityType, RunCause
from state.models import RunStatus
from tests.acceptance.house import House, until
from tests.integration import copying


@pytest.fixture
async def accounts(house: House) -> tuple[EntitySync, list[str]]:
    """Twenty of them, scanned."""
    ids = await copying.load(house, "Account", copying.rows(20))
    sync = await copying.added(house, EntityType.ACCOUNT)
    await copying.once(house, sync)
    return sync, ids


async def rename(house: House, m3ter_id: str, name: str) -> None:
    """As a person does in m3ter, which tells of it."""
    entity = await house.m3ter("GET", f"/accounts/{m3ter_id}")
    body = {key: entity[key] for key in ("name", "code", "emailAddress", "version")} | {"name": name}
    await house.m3ter("PUT", f"/accounts/{m3ter_id}", body)


async def until_named(house: House, m3ter_id: str, name: str) -> dict[str, Any]:
    async def is_named() -> dict[str, Any]:
        found = await copying.copies(house, EntityType.ACCOUNT)
        return found if found.get(m3ter_id, {}).get("Name") == name else {}

    found: dict[str, Any] = await until(is_named)
    return found


async def test_a_change_is_written_without_a_scan(
    house: House, accounts: tuple[EntitySync, list[str]]
) -> None:
    sync, ids = accounts
    async with copying.copying(house, copying.FED):
        await rename(house, ids[3], "Renamed")
        await until_named(house, ids[3], "Renamed")
        run = await copying.ended(house, sync, 2)
    assert (run.cause, run.status, run.written, run.pages) == (RunCause.FEED, RunStatus.COMPLETE, 1, 0)
    assert run.calls["Salesforce collections"] == 1
    assert run.calls["m3ter list accounts"] == 1


async def test_a_new_one_and_a_deleted_one_are_told_too(
    house: House, accounts: tuple[EntitySync, list[str]]
) -> None:
    _, ids = accounts
    async with copying.copying(house, copying.FED):
        new = {"name": "New", "code": "new", "emailAddress": "new@example.com"}
        made = await house.m3ter("POST", "/accounts", new)
        await until_named(house, made["id"], "New")
        await house.m3ter("DELETE", f"/accounts/{ids[0]}")

        async def is_marked() -> bool:
            found = await copying.copies(house, EntityType.ACCOUNT)
            return bool(found[ids[0]]["m3ter_Deleted_At__c"])

        await until(is_marked)
    assert len(await copying.copies(house, EntityType.ACCOUNT)) == 21


async def test_an_event_listed_late_is_met_in_the_overlap(
    house: House, accounts: tuple[EntitySync, list[str]]
) -> None:
    _, ids = accounts
    events = house.sandbox.running.organization.events  # type: ignore[attr-defined]  # a local one
    await rename(house, ids[2], "Listed late")
    late = events._kept.pop()
    await rename(house, ids[1], "Listed at once")
    async with copying.copying(house, copying.FED):
        found = await until_named(house, ids[1], "Listed at once")
        assert found[ids[2]]["Name"] != "Listed late"
        newest = events._kept.pop()
        events._kept.extend([late, newest])
        await until_named(house, ids[2], "Listed late")


async def test_a_feed_that_fails_stops_no_scan(house: House, accounts: tuple[EntitySync, list[str]]) -> None:
    sync, ids = accounts
    await house.sandbox.m3ter_control.fault("status", match={"path": "*/events"}, status=500)
    async with copying.copying(house, copying.FED):
        await rename(house, ids[5], "By the scan")
        run = await copying.again(house, sync)
        assert (run.status, run.written) == (RunStatus.COMPLETE, 1)
        await house.sandbox.m3ter_control.clear_faults()
        await rename(house, ids[6], "By the feed")
        await until_named(house, ids[6], "By the feed")


async def test_a_balance_that_is_drawn_down_is_told_by_its_amount(house: House) -> None:
    organization = house.sandbox.running.organization  # type: ignore[attr-defined]  # a local one
    (account_id,) = await copying.load(house, "Account", copying.rows(1))
    await copying.once(house, await copying.added(house, EntityType.ACCOUNT))
    made = billing.balance(organization, account_id, "100.00")
    sync = await copying.added(house, EntityType.BALANCE)
    async with copying.copying(house, copying.FED):
        await copying.ended(house, sync)
        billing.credit(organization, made["id"], "-12.34")

        async def is_drawn() -> bool:
            found = await copying.copies(house, EntityType.BALANCE)
            return str(found[made["id"]]["Amount__c"]) in ("87.66", "87.66000")

        await until(is_drawn)
