"""The subscriber in trouble: its checkpoint waits for the rows, and one strange event stops nothing."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from daemon.clients import Links
from daemon.retries import Policy
from daemon.tasks import Task
from daemon.to_m3ter import presets
from daemon.to_m3ter.tasks import Tasks
from state import inbox, vault
from state.database import Pool
from tests.acceptance import house as houses
from tests.acceptance.house import House, until
from tests.integration.listening import (
    HASTY,
    LINES,
    OPPORTUNITIES,
    begun,
    listening,
    placed,
    positions,
    reported,
    rows,
    touch,
)
from tests.sandboxes import LocalSandbox

REFUSAL = "403::User not allowed to subscribe CDC without View All Data permissions"
FULL, A_FAULT_OF_OURS = "53100", "22012"


@pytest.fixture
async def house(sandbox: LocalSandbox, db: Pool, database_url: str, tmp_path: Path) -> AsyncIterator[House]:
    async with houses.built(sandbox, db, database_url, tmp_path, presets.text("opportunity")) as built:
        yield built


@asynccontextmanager
async def failing_inbox(db: Pool, sqlstate: str) -> AsyncIterator[None]:
    """No row can be written to the inbox. A sequence counts the attempts: it outlives their rollback."""
    await db.execute(
        f"""CREATE SEQUENCE attempts;
        CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            PERFORM nextval('attempts'); RAISE 'no room' USING ERRCODE = '{sqlstate}'; END $$;
        CREATE TRIGGER fail BEFORE INSERT ON inbox FOR EACH STATEMENT EXECUTE FUNCTION fail()"""
    )
    try:
        yield
    finally:
        await db.execute("DROP TRIGGER fail ON inbox")


async def attempts(house: House) -> int:
    return int(await house.db.fetchval("SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM attempts"))


@asynccontextmanager
async def stream(house: House, manner: Any = HASTY) -> AsyncIterator[Task]:
    """The stream of the integration, to be run by the test itself."""
    kept = vault.load_or_create_key(house.settings.vault_key_path)
    async with Links(house.db, kept, houses.HURRIED) as links:
        wanted = await Tasks(house.db, links, manner).wanted()
        yield next(task for task in wanted if task.name.startswith("stream:"))


async def test_a_checkpoint_does_not_move_while_the_inbox_cannot_be_written(house: House, deal: str) -> None:
    async with listening(house):
        before = await positions(house)
        async with failing_inbox(house.db, FULL):
            await touch(house, "Opportunity", deal, {"NextStep": "must not be lost"})
            await until(lambda: tried(house, 2))
            assert await positions(house) == before
            assert await inbox.find(house.db) == []
        await until(rows(house, 1))
        assert (await positions(house))[OPPORTUNITIES] != before[OPPORTUNITIES]


async def tried(house: House, times: int) -> bool:
    return await attempts(house) >= times


async def test_what_could_not_be_kept_when_it_stopped_is_heard_by_the_next(house: House, deal: str) -> None:
    async with listening(house):
        await placed(house)
    before = await positions(house)
    async with failing_inbox(house.db, FULL):
        async with listening(house):
            await touch(house, "Opportunity", deal, {"NextStep": "must not be lost"})
            await until(lambda: tried(house, 1))
        assert await positions(house) == before
    async with listening(house):
        assert [row.record_id for row in await until(rows(house, 1))] == [deal]


async def test_a_fault_of_ours_leaves_no_session_behind(
    house: House, sandbox: LocalSandbox, deal: str
) -> None:
    async with listening(house):
        await placed(house)
    await touch(house, "Opportunity", deal, {"NextStep": "step"})
    async with stream(house) as task, failing_inbox(house.db, A_FAULT_OF_OURS):
        with pytest.raises(asyncpg.DivisionByZeroError):
            await task.run(asyncio.Event())
        assert sandbox.running.stream.cometd.sessions.count() == 0


async def test_of_a_line_with_a_strange_parent_salesforce_is_asked_and_the_stream_goes_on(
    house: House, deal: str
) -> None:
    found = await house.query(f"SELECT Id FROM OpportunityLineItem WHERE OpportunityId = '{deal}'")
    header = {
        "entityName": "OpportunityLineItem",
        "recordIds": [found[0]["Id"]],
        "changeType": "UPDATE",
        "transactionKey": "0Mc000000000001",
    }
    payload = {"ChangeEventHeader": header, "OpportunityId": "006xx"}
    other = (await house.query(f"SELECT Id FROM Opportunity WHERE Id != '{deal}' LIMIT 1"))[0]["Id"]
    async with listening(house):
        await house.sandbox.salesforce_control.fault("publish", channel=LINES, payload=payload)
        await touch(house, "Opportunity", other, {"NextStep": "heard all the same"})
        heard = await until(rows(house, 2))
    assert {row.record_id for row in heard} == {deal, other}


async def test_the_end_of_an_outage_does_not_hide_that_a_channel_is_refused(house: House, deal: str) -> None:
    control = house.sandbox.salesforce_control
    await control.fault("refuse_subscription", channel=LINES, error=REFUSAL, times=None)
    patient = replace(HASTY, listening=replace(HASTY.listening, refused=timedelta(hours=1)))
    async with stream(house, patient) as task, begun_by(task):
        await until(lambda: positions(house))
        await until(lambda: says(house, "refuses the subscription"))
        await control.fault("status", match={"path": "/cometd/*"}, status=503, times=3)
        await control.fault("drop_session")
        await until(lambda: says(house, "503"))
        await until(lambda: says(house, "refuses the subscription"))
        await touch(house, "Opportunity", deal, {"NextStep": "heard on the other channel"})
        await until(rows(house, 1))
        assert await reported(house, "stream:", is_well=True) is None


@asynccontextmanager
async def begun_by(task: Task) -> AsyncIterator[None]:
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(task.run(stop), name=task.name)
        try:
            yield
        finally:
            stop.set()


async def says(house: House, what: str) -> bool:
    found = await reported(house, "stream:", is_well=False)
    return found is not None and what in found.message


async def test_a_replay_that_is_refused_again_and_again_is_waited_out(house: House) -> None:
    refused = "400::The replayId {-1} you provided was invalid."
    control = house.sandbox.salesforce_control
    await control.fault("refuse_subscription", channel=OPPORTUNITIES, error=refused, times=3)
    first = timedelta(milliseconds=200)
    slower = replace(HASTY, listening=replace(HASTY.listening, policy=Policy(first=first)))
    started = asyncio.get_running_loop().time()
    async with stream(house, slower) as task, begun_by(task):
        await until(lambda: reported(house, "stream:", is_well=False))
        await until(lambda: reported(house, "stream:", is_well=True))
    lasted = asyncio.get_running_loop().time() - started
    assert lasted > (first / 2 + first + 2 * first).total_seconds(), "half of 0.2, 0.4 and 0.8 s at least"


async def test_a_channel_that_stays_refused_is_told_and_costs_the_others_nothing(
    house: House, deal: str
) -> None:
    async with listening(house):
        await placed(house)
    before = await positions(house)
    await house.sandbox.salesforce_control.fault(
        "refuse_subscription", channel=LINES, error=REFUSAL, times=None
    )
    async with begun(house):
        await until(lambda: says(house, "refuses the subscription"))
        await touch(house, "Opportunity", deal, {"NextStep": "heard"})
        await until(rows(house, 1))
    after, known = (await positions(house))[LINES], before[LINES]
    assert (after.replay_id, after.complete_until) == (known.replay_id, known.complete_until)
    assert after.objects["OpportunityLineItem"] == known.objects["OpportunityLineItem"]
