"""The worker: one record and one account at a time, fenced, patient with systems, firm with records."""

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
from daemon.to_m3ter.tasks import Manner, Tasks
from state import credentials, health, inbox, vault
from state.database import Pool, transaction
from state.models import Cause, Claim, Credential, InboxStatus, RunStatus
from state.run_models import Run
from tests.acceptance import house as houses
from tests.acceptance.house import House, until
from tests.sandboxes import LocalSandbox

FIRM = replace(houses.IMPATIENT, policy=replace(houses.IMPATIENT.policy, max_attempts=3))
SEATS, TELEMETRY, CUSTOMS = (
    "Quillmark - editorial seats",
    "Harbourline - fleet telemetry API",
    "Harbourline - customs paperwork pilot",
)


@pytest.fixture
async def house(sandbox: LocalSandbox, db: Pool, database_url: str, tmp_path: Path) -> AsyncIterator[House]:
    async with houses.built(sandbox, db, database_url, tmp_path, presets.text("opportunity")) as built:
        yield built


async def enter(house: House, name: str, priority: int = 0) -> str:
    """Put the Opportunity of this name into the inbox; gives its id."""
    record_id = str((await house.query(f"SELECT Id FROM Opportunity WHERE Name = '{name}'"))[0]["Id"])
    integration_id = house.integration.integration_id
    await inbox.put(house.db, integration_id, "Opportunity", record_id, cause=Cause.MANUAL, priority=priority)
    return record_id


@asynccontextmanager
async def working(house: House, manner: Manner = FIRM) -> AsyncIterator[None]:
    """The workers alone."""
    kept = vault.load_or_create_key(house.settings.vault_key_path)
    stop = asyncio.Event()
    async with Links(house.db, kept, houses.HURRIED) as links, asyncio.TaskGroup() as group:
        for task in await Tasks(house.db, links, replace(manner, poll=timedelta(milliseconds=20))).wanted():
            if task.name.startswith("worker:"):
                group.create_task(task.run(stop))
        try:
            yield
        finally:
            stop.set()


def ended(house: House, record_id: str, *statuses: RunStatus) -> Callable[[], Awaitable[list[Run]]]:
    async def enough() -> list[Run]:
        found = await house.ended_runs(record_id)
        return found if {run.status for run in found} >= set(statuses) and found else []

    return enough


async def row_of(house: House, record_id: str) -> Any:
    return next(iter(await inbox.find(house.db, record_id=record_id)), None)


def credential_that(house: House, *, is_authorized: bool) -> Callable[[], Awaitable[Credential | None]]:
    """Once a system has said so."""

    async def found() -> Credential | None:
        credential = await credentials.show(house.db, "m3ter")
        is_said = is_authorized or credential.error is not None
        return credential if is_said and credential.is_authorized is is_authorized else None

    return found


def held(house: House) -> Callable[[], Awaitable[bool]]:
    async def is_held() -> bool:
        return any(each["holding"] for each in await house.sandbox.m3ter_control.faults())

    return is_held


async def test_a_record_that_always_fails_is_set_aside_and_others_go_on(house: House) -> None:
    assert (await house.attempt(await enter(house, SEATS))).success
    bad, good = await enter(house, TELEMETRY, priority=9), await enter(house, SEATS)
    match = {"method": "POST", "path": "*/commitments"}
    await house.sandbox.m3ter_control.fault("status", match=match, times=3, status=500)
    async with working(house):
        await until(lambda: _count(house, good, 2))
        await until(ended(house, bad, RunStatus.ERROR))
    row = await row_of(house, bad)
    assert (row.status, row.attempts) == (InboxStatus.SET_ASIDE, 3)
    assert "500" in row.error or "Internal" in row.error
    last = (await house.ended_runs(bad))[0]
    # A try is over for good: what a failure in passing advises, to wait, is said no longer.
    assert last.message.endswith(row.error)
    assert last.instruction == f"Mend what the message names, then `m3sync sync {bad}`."
    statuses = [run.status for run in await house.ended_runs(bad)]
    assert statuses == [RunStatus.ERROR, RunStatus.AWAITING_RETRY, RunStatus.AWAITING_RETRY]
    await inbox.put(house.db, row.integration_id, row.object_name, bad, cause=Cause.MANUAL)
    async with working(house):
        await until(ended(house, bad, RunStatus.COMPLETE))
    assert (await house.census())["Commitment"] == 2


async def test_an_outage_uses_up_no_attempt_and_is_logged_once_at_each_end(house: House) -> None:
    record_id = await enter(house, SEATS)
    await house.sandbox.m3ter_control.fault("refuse", match={"path": "*"})
    with structlog.testing.capture_logs() as logged:
        async with working(house):
            await until(lambda: _count(house, record_id, 5))
            row = await row_of(house, record_id)
            ailing = [each.subject for each in await health.all(house.db) if not each.is_well]
            await house.sandbox.m3ter_control.clear_faults()
            await until(ended(house, record_id, RunStatus.COMPLETE))
            await until(lambda: _is_well(house, "m3ter:m3ter"))
    assert row.attempts <= 1
    assert ailing == ["m3ter:m3ter"]
    outages = [line["event"] for line in logged if line["event"].startswith("outage")]
    assert outages == ["outage began", "outage ended"]


async def _is_well(house: House, subject: str) -> bool:
    return subject in {each.subject for each in await health.all(house.db) if each.is_well}


async def _count(house: House, record_id: str, count: int) -> bool:
    return len(await house.ended_runs(record_id)) >= count


async def test_a_refused_credential_pauses_and_says_so_until_it_is_accepted(house: House) -> None:
    record_id = await enter(house, SEATS)
    match = {"path": "*/oauth/token"}
    await house.sandbox.m3ter_control.fault(
        "status", match=match, status=401, body={"error": "invalid_client"}
    )
    async with working(house):
        await until(ended(house, record_id, RunStatus.AUTH_FAILED))
        # What a system says of a credential is noted beside the run, so a moment after it.
        refused = await until(credential_that(house, is_authorized=False))
        await house.sandbox.m3ter_control.clear_faults()
        await until(ended(house, record_id, RunStatus.COMPLETE))
        await until(credential_that(house, is_authorized=True))
    assert "invalid_client" in str(refused.error)


async def test_a_holder_that_lost_its_lease_writes_nothing_more(house: House) -> None:
    record_id = await enter(house, SEATS)
    match = {"method": "POST", "path": "*/contracts"}
    await house.sandbox.m3ter_control.fault("hang_before", match=match, times=1, seconds=0.2)
    async with working(house, replace(FIRM, lease=timedelta(seconds=30))):
        await until(held(house))
        thief = await _steal(house, record_id)
        entries = "method=POST&path=*/contracts"
        await until(lambda: house.sandbox.m3ter_control.journal(entries))
        writes = await house.writes()
        assert await house.ended_runs(record_id) == []
    assert await house.writes() == writes, "the contract that was under way, and nothing after it"
    assert (await house.census())["Commitment"] == 0
    async with transaction(house.db) as tx:
        await inbox.postpone(tx, thief, inbox.Later(timedelta(0)), "left")
    async with working(house):
        await until(ended(house, record_id, RunStatus.COMPLETE))
    assert (await house.census())["Contract"] == 1


async def _steal(house: House, record_id: str) -> Claim:
    await house.db.execute("UPDATE inbox SET lease_until = now() - interval '1 s'")
    await house.db.execute("UPDATE leases SET lease_until = now() - interval '1 s'")
    row = await row_of(house, record_id)
    ids = [house.integration.integration_id]
    claim = await inbox.claim(
        house.db, worker="thief", lease=timedelta(seconds=60), integration_ids=ids, inbox_id=row.inbox_id
    )
    assert claim is not None
    return claim


async def test_two_records_of_one_account_are_never_in_flight_together(house: House) -> None:
    ids = [await enter(house, TELEMETRY), await enter(house, CUSTOMS)]
    await house.sandbox.m3ter_control.fault("latency", match={"method": "POST"}, seconds=0.01)
    async with working(house, replace(FIRM, in_flight=4)):
        for record_id in ids:
            await until(ended(house, record_id))
    one, other = sorted(
        [(await house.ended_runs(record_id))[-1] for record_id in ids], key=lambda run: run.started_at
    )
    assert one.completed_at is not None
    assert one.completed_at <= other.started_at
    assert (await house.census())["Account"] == 1


async def test_a_stop_lets_the_record_in_hand_finish(house: House) -> None:
    record_id = await enter(house, SEATS)
    match = {"method": "POST", "path": "*/contracts"}
    await house.sandbox.m3ter_control.fault("hang_before", match=match, times=1, seconds=0.2)
    async with working(house):
        await until(held(house))
    assert [run.status for run in await house.ended_runs(record_id)] == [RunStatus.COMPLETE]
    assert await row_of(house, record_id) is None


async def test_a_change_during_the_sync_brings_the_record_back(house: House) -> None:
    record_id = await enter(house, SEATS)
    match = {"method": "POST", "path": "*/contracts"}
    await house.sandbox.m3ter_control.fault("hang_before", match=match, times=1, seconds=0.2)
    async with working(house):
        await until(held(house))
        await enter(house, SEATS)
        await until(lambda: _count(house, record_id, 2))
    actions = await house.writes()
    assert sum(each.endswith("/contracts") for each in actions) == 1
