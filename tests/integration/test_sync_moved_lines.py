"""A line that moves while its record is read leads to where it is now; hearing of lines waits for no sync."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import structlog

from daemon.to_m3ter import presets
from state import inbox, record_parents
from state.database import Pool, transaction
from state.models import Cause
from state.rereads import RereadCause
from tests.acceptance import house as houses
from tests.acceptance.house import House, until
from tests.integration.listening import heard_of, listening, rows, touch
from tests.integration.rereaders import opened, read, rereading, window
from tests.integration.test_sync_worker import SEATS, TELEMETRY
from tests.sandboxes import LocalSandbox


@pytest.fixture
async def house(sandbox: LocalSandbox, db: Pool, database_url: str, tmp_path: Path) -> AsyncIterator[House]:
    async with houses.built(sandbox, db, database_url, tmp_path, presets.text("opportunity")) as built:
        yield built


async def opportunity(house: House, name: str) -> tuple[str, str]:
    """Its id and that of a line of its."""
    fields = "Id, (SELECT Id FROM OpportunityLineItems)"
    (found,) = await house.query(f"SELECT {fields} FROM Opportunity WHERE Name = '{name}'")
    return found["Id"], found["OpportunityLineItems"]["records"][0]["Id"]


@asynccontextmanager
async def answer_held(house: House, query: str) -> AsyncIterator[None]:
    """Once the next answer to such a query is made, and held until this is left."""
    match = {"path": "*/query*", "query": query}
    await house.sandbox.salesforce_control.fault("hang_after", match=match, times=1)
    try:
        await until(lambda: _is_held(house))
        yield
    finally:
        await house.sandbox.salesforce_control.clear_faults()


async def _is_held(house: House) -> bool:
    return any(each["holding"] for each in await house.sandbox.salesforce_control.faults())


async def moved(house: House, line_id: str, parent_id: str) -> None:
    """What the stream does when it hears that (Salesforce moves only lines of other kinds)."""
    async with transaction(house.db) as tx:
        await record_parents.remember(tx, house.integration.integration_id, [(line_id, parent_id)])


async def led_to(house: House, line_id: str) -> set[str]:
    """The records that the line's next change leads to."""
    await house.db.execute("DELETE FROM inbox")
    async with listening(house):
        await touch(house, "OpportunityLineItem", line_id, {"Quantity": 7})
        return {row.record_id for row in await until(rows(house, 1))}


async def test_a_line_that_moved_while_its_former_record_was_synced_leads_to_the_new_one(
    house: House,
) -> None:
    (former, line_id), (now, _) = await opportunity(house, TELEMETRY), await opportunity(house, SEATS)
    async with asyncio.TaskGroup() as group:
        group.create_task(house.sync(former))
        async with answer_held(house, f"*{former}*"):
            await moved(house, line_id, now)
    assert await led_to(house, line_id) == {now}


async def test_a_line_that_moved_while_a_page_was_read_leads_to_the_new_record(house: House) -> None:
    (_, line_id), (now, _) = await opportunity(house, TELEMETRY), await opportunity(house, SEATS)
    await opened(house, window("OpportunityLineItem", cause=RereadCause.OVERFLOW))
    async with rereading(house):
        async with answer_held(house, "*FROM OpportunityLineItem*ORDER BY*"):
            await moved(house, line_id, now)
        await read(house)
    assert await led_to(house, line_id) == {now}


async def test_a_line_that_moved_before_its_new_record_was_read_is_remembered_there(house: House) -> None:
    (former, line_id), (now, _) = await opportunity(house, SEATS), await opportunity(house, TELEMETRY)
    await moved(house, line_id, now)
    assert (await house.attempt(former)).success
    assert await led_to(house, line_id) == {former}


async def test_a_line_heard_of_while_its_record_is_concluded_waits_and_holds_nobody_up(house: House) -> None:
    """A conclusion remembers the record's lines, then ends its claim in the inbox; so does hearing."""
    record_id, _ = await opportunity(house, SEATS)
    integration_id = house.integration.integration_id
    entry = (await house.query("SELECT Id FROM PricebookEntry LIMIT 1"))[0]["Id"]
    new: dict[str, Any] = {
        "OpportunityId": record_id,
        "PricebookEntryId": entry,
        "Quantity": 1,
        "UnitPrice": 3,
    }
    await inbox.put(house.db, integration_id, "Opportunity", record_id, cause=Cause.CHANGE)
    with structlog.testing.capture_logs() as told:
        async with listening(house):
            async with transaction(house.db) as tx:
                await tx.execute("LOCK TABLE record_parents IN SHARE MODE")
                line_id = (await house.salesforce("POST", "/sobjects/OpportunityLineItem", new))["id"]
                await until(lambda: _somebody_waits(house))
                await inbox.put(tx, integration_id, "Opportunity", record_id, cause=Cause.CHANGE)
                await record_parents.remember(tx, integration_id, [(line_id, record_id)])
            await until(lambda: heard_of(house, line_id))
    assert "events cannot be kept" not in [each["event"] for each in told]


async def test_hearing_that_waits_for_one_record_holds_none_that_comes_after_it(
    house: House, sandbox: LocalSandbox
) -> None:
    """A page of a re-read puts its records in the order of their ids, whether a line led to them or not."""
    found = sorted([await opportunity(house, TELEMETRY), await opportunity(house, SEATS)])
    (first, line_id), (last, _) = found
    await moved(house, line_id, first)
    for record_id in (first, last):
        await inbox.put(
            house.db, house.integration.integration_id, "Opportunity", record_id, cause=Cause.CHANGE
        )
    lock = "SELECT FROM inbox WHERE record_id = $1 FOR UPDATE NOWAIT"
    async with listening(house):
        async with transaction(house.db) as tx:
            await tx.execute(lock, first)
            with sandbox.running.org.transaction() as changes:
                changes.update("Opportunity", last, {"NextStep": "heard"})
                changes.update("OpportunityLineItem", line_id, {"Description": "heard"})
            await until(lambda: _somebody_waits(house))
            await tx.execute(lock, last)
        await until(lambda: heard_of(house, line_id))


async def _somebody_waits(house: House) -> bool:
    waiting = (
        "SELECT count(*) FROM pg_stat_activity "
        "WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    return bool(await house.db.fetchval(waiting))
