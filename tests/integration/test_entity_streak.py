"""Ten successive errors disable an integration; what counts, what is shown, and how a person begins anew."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from daemon.web.sources import Sources
from state import database, entity_insights, entity_runs, entity_syncs, integrations, retention, signals
from state.database import Pool
from state.entity_models import EntityRun, EntitySync, EntityType, Namespace, RunCause, RunClaim
from state.errors import LeaseLost
from state.insight_models import CurrentStatus
from state.models import RunStatus
from tests.acceptance.commands import Commands
from tests.acceptance.house import House, until
from tests.integration import copying, entity_rows
from tests.integration.state_rows import is_lock_waited_for
from tests.integration.web_pages import served

NAME = "Our bills"
ENABLE = "m3sync integrations enable 'Our bills'"
REASON = "Our bills is disabled after 10 successive errors, the last: No such field."


@pytest.fixture
async def bills(db: Pool) -> UUID:
    """Enabled; what it would be connected to is no matter here."""
    made = await entity_rows.new_sync(db, NAME)
    await switch_on(db)
    return made


async def switch_on(db: Pool) -> None:
    """As `enable`, which demands credentials."""
    await db.execute("UPDATE integrations SET enabled = true, updated_at = clock_timestamp()")


async def end(db: Pool, claim: RunClaim, status: RunStatus = RunStatus.ERROR) -> bool:
    if status is RunStatus.COMPLETE:
        return await entity_runs.end(db, claim, status)
    return await entity_runs.end(db, claim, status, "No such field.", "Deploy it.")


async def errors(db: Pool, integration_id: UUID, number: int) -> None:
    for _ in range(number):
        await end(db, await entity_rows.claimed(db, integration_id))


async def is_enabled(db: Pool) -> bool:
    return (await entity_syncs.get(db, NAME)).integration.enabled


async def last(db: Pool, integration_id: UUID) -> EntityRun:
    found = await entity_runs.last(db, integration_id)
    assert found is not None
    return found


async def test_the_tenth_successive_error_disables_the_integration_and_says_why(
    db: Pool, bills: UUID
) -> None:
    async with database.transaction(db) as tx:
        await entity_syncs.met(tx, bills, datetime.now(UTC))
    await errors(db, bills, 9)
    assert await is_enabled(db)
    assert (await last(db, bills)).error == "No such field."
    claim = await entity_rows.claimed(db, bills)
    async with signals.listen(db, [signals.INTEGRATIONS]) as signal:
        assert await end(db, claim)
        assert await signal.wait(timedelta(seconds=10))
    assert not await is_enabled(db)
    assert (await entity_syncs.get(db, NAME)).scheduled_at is None, "it is run as soon as it is enabled"
    run = await last(db, bills)
    assert (run.status, run.error) == (RunStatus.ERROR, REASON)
    assert run.instruction == f"Deploy it. When it is mended: {ENABLE}"
    status = await entity_insights.status(db, NAME)
    assert (status.current, status.disabled_because) == (
        *(CurrentStatus.DISABLED, f"{REASON} {run.instruction}"),
    )


async def test_a_run_that_waits_then_ends_as_disabled_with_the_same_reason(db: Pool, bills: UUID) -> None:
    await errors(db, bills, 9)
    claim = await entity_rows.claimed(db, bills)
    asked = await entity_runs.ask(db, bills, "manual")
    await end(db, claim)
    run = await entity_runs.get(db, asked)
    assert (run.status, run.error, run.started_at) == (RunStatus.DISABLED, REASON, None)
    assert (await entity_insights.status(db, NAME)).disabled_because.startswith(REASON)
    counted = await db.fetch("SELECT label, total FROM totals WHERE kind = 'run' ORDER BY label")
    assert [tuple(row) for row in counted] == [("DISABLED", 1), ("ERROR", 10)]


async def test_a_run_that_ends_well_begins_the_count_anew(db: Pool, bills: UUID) -> None:
    await errors(db, bills, 9)
    await end(db, await entity_rows.claimed(db, bills), RunStatus.COMPLETE)
    await errors(db, bills, 9)
    assert await is_enabled(db)
    await errors(db, bills, 1)
    assert not await is_enabled(db)


async def test_a_refused_credential_neither_counts_nor_ends_the_count(db: Pool, bills: UUID) -> None:
    await errors(db, bills, 9)
    for _ in range(11):
        assert not await end(db, await entity_rows.claimed(db, bills), RunStatus.AUTH_FAILED)
    assert await is_enabled(db)
    await errors(db, bills, 1)
    assert not await is_enabled(db)


async def test_what_failed_before_a_person_enabled_it_does_not_count(db: Pool, bills: UUID) -> None:
    await errors(db, bills, 10)
    await switch_on(db)
    assert (await entity_insights.status(db, NAME)).disabled_because == ""
    await errors(db, bills, 9)
    assert await is_enabled(db)
    await integrations.disable(db, NAME)
    await switch_on(db)
    await errors(db, bills, 9)
    assert await is_enabled(db)
    await errors(db, bills, 1)
    assert not await is_enabled(db)


@pytest.mark.parametrize("cause", [RunCause.FEED, RunCause.RETRY])
async def test_what_may_be_asked_for_ten_times_in_a_minute_does_not_count(
    db: Pool, bills: UUID, cause: RunCause
) -> None:
    await errors(db, bills, 9)
    for _ in range(3):
        await entity_runs.ask(db, bills, cause)
        claim = await entity_runs.claim(db, bills, worker="one", lease=timedelta(minutes=1))
        assert claim is not None
        assert not await end(db, claim)
    assert await is_enabled(db)
    await errors(db, bills, 1)
    assert not await is_enabled(db)


async def test_who_enables_it_while_the_tenth_ends_has_the_last_word(db: Pool, bills: UUID) -> None:
    await errors(db, bills, 9)
    claim = await entity_rows.claimed(db, bills)
    async with asyncio.TaskGroup() as group, database.transaction(db) as tx:
        await tx.execute("UPDATE integrations SET enabled = true, updated_at = clock_timestamp()")
        ending = group.create_task(end(db, claim))
        await until(lambda: is_lock_waited_for(db))
    assert ending.result() is False
    assert await is_enabled(db)


async def test_one_that_a_person_disabled_is_not_said_to_be_so_by_itself(db: Pool, bills: UUID) -> None:
    await errors(db, bills, 9)
    claim = await entity_rows.claimed(db, bills)
    await integrations.disable(db, NAME)
    assert not await end(db, claim)
    assert (await last(db, bills)).error == "No such field."
    assert (await entity_insights.status(db, NAME)).disabled_because == ""


async def test_the_errors_of_another_integration_do_not_count(db: Pool, bills: UUID) -> None:
    other = await entity_rows.new_sync(db, "Accounts")
    await switch_on(db)
    await errors(db, bills, 9)
    await errors(db, other, 9)
    assert await is_enabled(db)
    await errors(db, other, 1)
    assert await is_enabled(db)


async def test_who_lost_the_run_disables_nothing(db: Pool, bills: UUID) -> None:
    await errors(db, bills, 9)
    claim = await entity_rows.claimed(db, bills, timedelta(0))
    taken = await entity_runs.claim(db, bills, worker="two", lease=entity_rows.LEASE)
    assert taken is not None
    with pytest.raises(LeaseLost):
        await end(db, claim)
    assert await is_enabled(db)
    assert not await end(db, taken, RunStatus.COMPLETE)


async def test_an_end_that_is_not_committed_leaves_the_integration_enabled(db: Pool, bills: UUID) -> None:
    await errors(db, bills, 9)
    claim = await entity_rows.claimed(db, bills)
    await _ended_and_killed(db, claim)
    assert await is_enabled(db)
    assert (await last(db, bills)).status is RunStatus.STARTED


async def _ended_and_killed(db: Pool, claim: RunClaim) -> None:
    async with db.acquire() as connection:
        killed = connection.transaction()
        await killed.start()
        assert await entity_runs.end(connection, claim, RunStatus.ERROR, "No such field.")
        await killed.rollback()


async def test_errors_that_count_are_not_forgotten_however_old(db: Pool, bills: UUID) -> None:
    """Of a run a month nine are nine months."""
    await errors(db, bills, 3)
    await end(db, await entity_rows.claimed(db, bills), RunStatus.COMPLETE)
    await errors(db, bills, 9)
    for table, moment in (("entity_runs", "completed_at"), ("integrations", "updated_at")):
        await db.execute(f"UPDATE {table} SET {moment} = {moment} - interval '100 days'")
    assert (await retention.prune(db))["entity_runs"] == 3
    await errors(db, bills, 1)
    assert not await is_enabled(db)


async def test_the_commands_say_why_it_is_disabled(
    db: Pool, bills: UUID, database_url: str, tmp_path: Path
) -> None:
    await errors(db, bills, 10)
    m3sync = Commands(tmp_path)
    m3sync.configure(database_url)
    for command in (("integrations", "list"), ("integrations", "show", NAME), ("status",)):
        said = " ".join((await m3sync.done(*command)).out.split())
        assert said.count(REASON) == 1, command
        assert ENABLE in said
    assert "no, 10 errors" in (await m3sync.done("integrations")).out
    (found,) = (await m3sync.done("status", "--json")).document()["entity_data_syncs"]
    assert found["disabled_because"].startswith(REASON)


async def test_the_pages_say_why_it_is_disabled(db: Pool, bills: UUID) -> None:
    await errors(db, bills, 10)
    async with served(Sources(lambda: db)) as site:
        page = (await site.get("/")).text
        health = (await site.get("/healthz")).text
        told = (await site.get("/api/v1/status")).text
    assert page.count("disabled after 10 successive errors, the last: No such field.") == 1
    assert "off, after 10 successive errors" in page
    for text in (health, told):
        assert REASON in text
        assert ENABLE in text


def runs_of(house: House, sync: EntitySync) -> Callable[[], Awaitable[list[EntityRun]]]:
    return lambda: entity_runs.list_runs(house.db, sync.integration.integration_id, 100)


async def test_a_missing_object_disables_it_and_once_mended_and_enabled_it_goes_on(house: House) -> None:
    ids = await copying.load(house, "Account", copying.rows(3))
    sync = await copying.added(house, EntityType.ACCOUNT, namespace=Namespace.CONNECTOR)
    other = await copying.added(house, EntityType.CONTRACT)
    name, found = sync.integration.name, runs_of(house, sync)
    async with copying.copying(house):
        for number in range(1, 10):
            await copying.ended(house, sync, number)
            await entity_runs.ask(house.db, sync.integration.integration_id, "manual")
        run = await copying.ended(house, sync, 10)
        assert "is disabled after 10 successive errors" in run.error
        assert "m3__" in run.error
        assert not (await entity_syncs.get(house.db, name)).integration.enabled
        # There is no eleventh though one is asked for, while another integration has its turns.
        await entity_runs.ask(house.db, sync.integration.integration_id, "manual")
        for _ in range(3):
            await copying.again(house, other)
        assert [each.status for each in await found()] == [RunStatus.WAITING] + [RunStatus.ERROR] * 10
        await copying.declare(house, Namespace.CONNECTOR)
        await integrations.enable(house.db, name)
        after = await until(lambda: _complete(found))
    assert (after.status, after.created) == (RunStatus.COMPLETE, 3)
    assert len(await found()) == 11
    copies = await copying.copies(house, EntityType.ACCOUNT, Namespace.CONNECTOR)
    assert set(copies) == set(ids)


async def _complete(found: Callable[[], Awaitable[list[EntityRun]]]) -> EntityRun | None:
    return next((each for each in await found() if each.status is RunStatus.COMPLETE), None)
