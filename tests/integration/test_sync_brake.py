"""The loop brake: a record that ping-pongs is stopped, shown with who does it, and synced after the pause."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog

from daemon.clients import Links
from daemon.to_m3ter import presets
from daemon.to_m3ter.brake import Brake
from daemon.to_m3ter.tasks import Tasks
from state import inbox, insights, vault
from state.database import Pool
from state.insight_models import IssueKind
from state.models import InboxStatus, SyncStatus
from tests.acceptance import house as houses
from tests.acceptance.house import House, until
from tests.integration.listening import HASTY, touch
from tests.sandboxes import LocalSandbox

WRITES = 5
STROKE = {"StageName": "Closed Won"}
WARY = replace(
    HASTY,
    poll=timedelta(milliseconds=20),
    brake=Brake(WRITES, window=timedelta(minutes=10), pause=timedelta(minutes=30)),
)


@pytest.fixture
async def house(sandbox: LocalSandbox, db: Pool, database_url: str, tmp_path: Path) -> AsyncIterator[House]:
    async with houses.built(sandbox, db, database_url, tmp_path, presets.text("opportunity")) as built:
        yield built


@asynccontextmanager
async def running(house: House) -> AsyncIterator[None]:
    """Streams and workers, until left."""
    kept = vault.load_or_create_key(house.settings.vault_key_path)
    stop = asyncio.Event()
    async with Links(house.db, kept, houses.HURRIED) as links, asyncio.TaskGroup() as group:
        for task in await Tasks(house.db, links, WARY).wanted():
            group.create_task(task.run(stop), name=task.name)
        try:
            yield
        finally:
            stop.set()


@asynccontextmanager
async def answering(house: House, record_id: str) -> AsyncIterator[None]:
    """Somebody who answers each write to m3ter with a change in Salesforce: what a badly built flow does."""

    async def answer() -> None:
        answered = 0
        while True:
            writes = len([each for each in await house.writes() if "/contracts" in each])
            if writes > answered:
                answered = writes
                await touch(house, "Opportunity", record_id, {"Name": f"Answer {answered}"})
            await asyncio.sleep(0.01)

    answerer = asyncio.create_task(answer())
    try:
        yield
    finally:
        answerer.cancel()
        await asyncio.gather(answerer, return_exceptions=True)


def paused(house: House, record_id: str) -> Callable[[], Awaitable[Any]]:
    async def row() -> Any:
        found = await inbox.find(house.db, record_id=record_id, status=InboxStatus.WAITING)
        return next((each for each in found if each.error and "ping-pongs" in each.error), None)

    return row


async def contract_name(house: House) -> str:
    return str((await house.all("contracts"))[0]["name"])


async def test_a_ping_pong_is_stopped_after_so_many_writes_and_says_between_whom(
    house: House, deal: str
) -> None:
    with structlog.testing.capture_logs() as logged:
        async with running(house), answering(house, deal):
            await touch(house, "Opportunity", deal, STROKE)
            row = await until(paused(house, deal))
            await touch(house, "Opportunity", deal, {"NextStep": "a change does not end the pause"})
            await until(lambda: _revised(house, deal, row.due_at))
    ended = await house.ended_runs(deal)
    assert len(ended) == WRITES
    assert f"written to m3ter {WRITES} times" in row.error
    user = house.sandbox.running.org.actor.user_id  # type: ignore[attr-defined]  # this process's sandbox
    assert f"user {user} through com/salesforce/api/rest/67.0 (" in row.error
    (status,) = await insights.statuses(house.db)
    (issue,) = [each for each in status.issues if each.kind is IssueKind.PING_PONG]
    assert issue.subject == deal
    assert f"m3sync sync {deal}" in issue.instruction
    assert len([line for line in logged if line["event"] == "record ping-pongs"]) == 1


async def _revised(house: House, record_id: str, due_at: Any) -> bool:
    """The change was heard, its record claimed, and put off once more."""
    heard = await house.db.fetchval(
        "SELECT count(*) FROM change_events WHERE record_id = $1 AND 'NextStep' = ANY(changed_fields)",
        record_id,
    )
    (row,) = await inbox.find(house.db, record_id=record_id)
    return bool(heard and row.status is InboxStatus.WAITING and row.due_at >= due_at - timedelta(seconds=5))


async def test_after_the_pause_the_record_is_synced_as_it_then_is(house: House, deal: str) -> None:
    async with running(house):
        async with answering(house, deal):
            await touch(house, "Opportunity", deal, STROKE)
            row = await until(paused(house, deal))
        await touch(
            house, "Opportunity", deal, {"Name": "As it is in the end", "NextStep": "the last change"}
        )
        await until(lambda: _revised(house, deal, row.due_at))
        assert await contract_name(house) != "As it is in the end"
        await house.db.execute("UPDATE brakes SET until_at = now(); UPDATE inbox SET due_at = now()")
        await until(lambda: _is_named(house, "As it is in the end"))
        await until(lambda: _is_through(house, deal))
    (status,) = await insights.statuses(house.db)
    assert not [each for each in status.issues if each.kind is IssueKind.PING_PONG]


async def _is_through(house: House, record_id: str) -> bool:
    return await inbox.find(house.db, record_id=record_id) == []


async def _is_named(house: House, name: str) -> bool:
    return await contract_name(house) == name


async def test_a_persons_wish_passes_the_brake_and_does_not_count(house: House, deal: str) -> None:
    async with running(house):
        async with answering(house, deal):
            await touch(house, "Opportunity", deal, STROKE)
            await until(paused(house, deal))
        await touch(house, "Opportunity", deal, {"Name": "Wished for"})
    result = await house.attempt(deal)
    assert result.sync_status is SyncStatus.COMPLETED
    assert await contract_name(house) == "Wished for"


async def test_syncs_that_write_nothing_are_no_ping_pong(house: House, deal: str) -> None:
    async with running(house):
        await touch(house, "Opportunity", deal, STROKE)
        for number in range(WRITES * 2):
            await touch(house, "Opportunity", deal, {"NextStep": f"step {number}"})
            await until(lambda count=number + 1: _ran(house, deal, count))  # type: ignore[misc]  # bound at once
    assert await house.db.fetchval("SELECT count(*) FROM brakes") == 0


async def _ran(house: House, record_id: str, count: int) -> bool:
    return len(await house.ended_runs(record_id)) >= count
