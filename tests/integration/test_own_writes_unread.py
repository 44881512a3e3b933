"""While a window is unread, and just after, no event is held back as an echo: what it hides may be lost."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from daemon import echoes
from daemon.to_m3ter import presets
from state import inbox, own_writes
from state.database import Pool, transaction
from state.models import Cause
from state.own_writes import Spent
from state.rereads import RereadCause
from tests.acceptance import house as houses
from tests.acceptance.house import House, until
from tests.integration.listening import heard_of, listening, placed, touch
from tests.integration.rereaders import opened, read, rereading, waiting, window
from tests.integration.state_rows import is_lock_waited_for
from tests.integration.test_own_writes import OURS, expect, hearing, verdicts, write
from tests.sandboxes import LocalSandbox

AT_ONCE = "SET LOCAL lock_timeout = '500ms'"


@pytest.fixture
async def house(sandbox: LocalSandbox, db: Pool, database_url: str, tmp_path: Path) -> AsyncIterator[House]:
    async with houses.built(sandbox, db, database_url, tmp_path, presets.text("opportunity")) as built:
        yield built


@pytest.fixture
async def ids(house: House) -> list[str]:
    return [each["Id"] for each in await house.query("SELECT Id FROM Opportunity ORDER BY Name")]


async def lose(house: House, record_id: str) -> None:
    """A person's change that no event tells of, in a window that ends before our write."""
    await house.sandbox.salesforce_control.advance_clock(3600)
    await touch(house, "Opportunity", record_id, {"Description": "theirs"})
    found = await house.query(f"SELECT SystemModstamp FROM Opportunity WHERE Id = '{record_id}'")
    at = datetime.fromisoformat(found[0]["SystemModstamp"])
    await house.sandbox.salesforce_control.advance_clock(3600)
    await opened(house, window(from_at=at, until_at=at))


async def test_a_change_that_was_missed_is_synced_although_we_wrote_the_record_before_its_window_was_read(
    house: House, ids: list[str]
) -> None:
    await lose(house, ids[0])
    async with listening(house):
        await house.db.execute("DELETE FROM rereads WHERE cause = 'first start'")
        await write(house, ids[0], OURS)
        await until(partial(heard_of, house, ids[0], 1))
    async with rereading(house):
        (story,) = await read(house)
    assert story.records_read == 0, "our write moved the record out of the window"
    assert await waiting(house) == {ids[0]}
    assert await verdicts(house, ids[0]) == ["near miss"]


@pytest.mark.parametrize("more", [{}, {"checks_missing": True}, {"object_name": "opportunity"}])
async def test_an_echo_heard_just_after_the_window_was_read_is_synced_too(
    house: House, ids: list[str], more: dict[str, Any]
) -> None:
    async with listening(house):
        await placed(house)
    await opened(house, window(from_at=datetime.fromisoformat("2999-01-01T00:00:00Z"), **more))
    await write(house, ids[0], OURS)
    async with rereading(house):
        (story,) = await read(house)
    assert story.records_read == 0
    async with listening(house):
        await until(partial(heard_of, house, ids[0]))
    assert await verdicts(house, ids[0]) == ["near miss"]
    assert await waiting(house) == {ids[0]}


@pytest.mark.parametrize("object_name", ["Opportunity", "opportunity"])
async def test_an_unread_window_of_its_object_lets_every_echo_be_synced(
    house: House, ids: list[str], object_name: str
) -> None:
    async with hearing(house):
        await opened(house, window(object_name))
        await write(house, ids[0], OURS)
        await until(partial(heard_of, house, ids[0]))
    assert await verdicts(house, ids[0]) == ["near miss"]


async def test_windows_that_hide_none_of_its_changes_leave_an_echo_be(house: House, ids: list[str]) -> None:
    """Those of other objects, those that are read, and those that only look for what is gone."""
    look_up = window(cause=RereadCause.LOOK_UP, checks_missing=True)
    async with hearing(house):
        await opened(house, window(cause=RereadCause.SILENT))
        await house.db.execute("UPDATE rereads SET status = 'READ', finished_at = now()")
        await opened(house, window("OpportunityLineItem"), look_up)
        await write(house, ids[0], OURS)
        await until(partial(heard_of, house, ids[0]))
    assert await verdicts(house, ids[0]) == ["echo"]


async def test_what_another_integration_has_heard_already_is_forgotten_too(
    house: House, ids: list[str]
) -> None:
    org_id = house.sandbox.salesforce["org_id"]
    (told,) = await expect(house, echoes.update("Opportunity", ids[0], OURS))
    async with transaction(house.db) as tx:
        await own_writes.spend(tx, [Spent(told, "their transaction", was_echo=True)])
        await own_writes.forget(tx, org_id, ["Opportunity"])
        sought = {"record_ids": [ids[0]], "keys": [], "transaction_keys": ["their transaction"]}
        assert await own_writes.meeting(tx, org_id, **sought) == []


async def test_the_end_of_a_window_waits_for_who_hears_an_echo_before_it_touches_the_inbox(
    house: House, ids: list[str]
) -> None:
    """Whoever hears one holds the expectation and then puts the record into the inbox: no deadlock."""
    (told,) = await expect(house, echoes.update("Opportunity", ids[0], OURS))
    await opened(house, window())
    async with rereading(house):
        async with transaction(house.db) as tx:
            await tx.execute("SELECT FROM own_writes WHERE own_write_id = $1 FOR UPDATE", told)
            await until(lambda: is_lock_waited_for(house.db))
            await tx.execute(AT_ONCE)
            await inbox.put(tx, house.integration.integration_id, "Opportunity", ids[0], cause=Cause.CHANGE)
        (story,) = await read(house)
    assert await waiting(house) == set(ids)
    assert story.records_read == len(ids)


async def test_expectations_are_forgotten_in_the_order_in_which_they_are_met(
    house: House, ids: list[str]
) -> None:
    first, second = await expect(
        house, *(echoes.update("Opportunity", record_id, OURS) for record_id in ids[:2])
    )
    # So that the table has them the other way round.
    await house.db.execute("UPDATE own_writes SET expires_at = expires_at WHERE own_write_id = $1", first)

    async def forget() -> None:
        async with transaction(house.db) as tx:
            await own_writes.forget(tx, house.sandbox.salesforce["org_id"], ["Opportunity"])

    locked = "SELECT FROM own_writes WHERE own_write_id = $1 FOR UPDATE"
    async with asyncio.TaskGroup() as group, transaction(house.db) as tx:
        await tx.execute(locked, first)
        group.create_task(forget())
        await until(lambda: is_lock_waited_for(house.db))
        await tx.execute(AT_ONCE)
        await tx.execute(locked, second)
    assert not await house.db.fetchval("SELECT count(*) FROM own_writes")
