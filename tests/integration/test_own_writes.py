"""What m3sync writes to Salesforce itself starts no sync; everything else does, and nothing is lost by it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from connectors.salesforce import rest
from connectors.salesforce.models import SalesforceCredential
from connectors.salesforce.rest import Salesforce
from daemon import echoes
from daemon.to_m3ter import presets
from state import inbox, own_writes
from state.database import Pool, transaction
from state.models import Cause
from state.own_writes import LIFETIME, OwnWrite
from tests.acceptance import house as houses
from tests.acceptance.house import House, until
from tests.integration.listening import OPPORTUNITIES, heard_of, listening, positions, rows, touch
from tests.sandboxes import LocalSandbox

OURS = {"NextStep": "Invoiced", "Amount": 1200}


@pytest.fixture
async def house(sandbox: LocalSandbox, db: Pool, database_url: str, tmp_path: Path) -> AsyncIterator[House]:
    async with houses.built(sandbox, db, database_url, tmp_path, presets.text("opportunity")) as built:
        yield built


@pytest.fixture
async def ids(house: House) -> list[str]:
    return [each["Id"] for each in await house.query("SELECT Id FROM Opportunity ORDER BY Name")]


@asynccontextmanager
async def writer(house: House) -> AsyncIterator[Salesforce]:
    """m3sync's own client, which names itself."""
    known = house.sandbox.salesforce
    login = {key: known[key] for key in ("url", "client_id", "client_secret")}
    async with rest.open(SalesforceCredential.model_validate(login)) as salesforce:
        yield salesforce


@asynccontextmanager
async def hearing(house: House) -> AsyncIterator[None]:
    """The subscribers, once the windows of their first start are out of the way: nobody reads them here."""
    async with listening(house):
        await house.db.execute("DELETE FROM rereads")
        yield


async def expect(house: House, *writes: OwnWrite, lifetime: timedelta = LIFETIME) -> list[int]:
    async with transaction(house.db) as tx:
        return await own_writes.expect(tx, house.sandbox.salesforce["org_id"], writes, lifetime)


async def write(
    house: House, record_id: str, told: dict[str, Any], sent: dict[str, Any] | None = None
) -> None:
    """As the other direction does it: told and committed first, then sent."""
    await expect(house, echoes.update("Opportunity", record_id, told))
    async with writer(house) as salesforce:
        await salesforce.update("Opportunity", record_id, told if sent is None else sent)


async def verdicts(house: House, *records: str) -> list[str]:
    """What the events of the records were taken for, in order."""
    found = await house.db.fetch(
        "SELECT own_write FROM change_events WHERE record_id = ANY($1) ORDER BY change_event_id", records
    )
    return [row["own_write"] for row in found]


async def are_heard(house: House, count: int, *records: str) -> bool:
    return len(await verdicts(house, *records)) >= count


async def waiting(house: House) -> set[str]:
    return {row.record_id for row in await inbox.find(house.db, limit=500)}


async def totals(house: House) -> dict[str, int]:
    found = await house.db.fetch("SELECT label, total FROM totals WHERE kind = 'echo'")
    return {row["label"]: row["total"] for row in found}


async def test_what_we_wrote_starts_no_sync_and_moves_the_place(house: House, ids: list[str]) -> None:
    async with hearing(house):
        await write(house, ids[0], OURS)
        await until(partial(heard_of, house, ids[0]))
        before = (await positions(house))[OPPORTUNITIES]
        await touch(house, "Opportunity", ids[1], {"Description": "theirs"})
        await until(rows(house, 1))
    assert await verdicts(house, ids[0]) == ["echo"]
    assert await waiting(house) == {ids[1]}
    assert before.replay_id != "-1"
    assert (await totals(house))["echo"] == 1


async def test_the_same_content_written_once_more_is_synced(house: House, ids: list[str]) -> None:
    async with hearing(house):
        await write(house, ids[0], OURS)
        await touch(house, "Opportunity", ids[0], {"NextStep": "Changed by a person"})
        await touch(house, "Opportunity", ids[0], {"NextStep": OURS["NextStep"]})
        await until(partial(are_heard, house, 3, ids[0]))
        assert await waiting(house) == {ids[0]}
    assert (await verdicts(house, ids[0]))[0] == "echo"
    assert "echo" not in (await verdicts(house, ids[0]))[1:]


async def test_a_write_that_changed_nothing_does_not_hide_a_change_away_and_back(
    house: House, ids: list[str]
) -> None:
    await touch(house, "Opportunity", ids[0], OURS)
    async with hearing(house):
        await write(house, ids[0], OURS)
        await touch(house, "Opportunity", ids[0], {"NextStep": "Away"})
        await touch(house, "Opportunity", ids[0], {"NextStep": OURS["NextStep"]})
        await until(partial(are_heard, house, 2, ids[0]))
        assert await waiting(house) == {ids[0]}
    assert "echo" not in await verdicts(house, ids[0])


async def test_an_expectation_expires(house: House, ids: list[str]) -> None:
    async with hearing(house):
        await expect(house, echoes.update("Opportunity", ids[0], OURS), lifetime=timedelta(0))
        async with writer(house) as salesforce:
            await salesforce.update("Opportunity", ids[0], OURS)
        await until(rows(house, 1))
    assert await verdicts(house, ids[0]) == ["near miss"], "it still names us"


async def test_a_near_miss_is_counted_and_synced(house: House, ids: list[str]) -> None:
    async with hearing(house):
        await write(house, ids[0], OURS, {**OURS, "Amount": 1201})
        await until(rows(house, 1))
    assert await verdicts(house, ids[0]) == ["near miss"]
    assert await totals(house) == {"near miss": 1}


async def test_what_a_flow_adds_to_our_write_is_synced(house: House, ids: list[str]) -> None:
    """Salesforce makes one event of all changes of a record in one transaction."""
    async with hearing(house):
        await write(house, ids[0], OURS, {**OURS, "Description": "set by a flow"})
        await until(rows(house, 1))
    assert await verdicts(house, ids[0]) == ["near miss"]


async def test_two_hundred_records_at_once(house: House) -> None:
    won = {"StageName": "Prospecting", "CloseDate": "2026-12-01"}
    org = house.sandbox.running.org  # type: ignore[attr-defined]  # the sandbox of this process
    made = [org.create("Opportunity", {"Name": f"Bulk {number}", **won}) for number in range(200)]
    async with hearing(house):
        await expect(house, *(echoes.update("Opportunity", each, {"NextStep": each}) for each in made))
        async with writer(house) as salesforce:
            for each in reversed(made):
                await salesforce.update("Opportunity", each, {"NextStep": each})
        await until(partial(are_heard, house, 200, *made), seconds=60)
    assert set(await verdicts(house, *made)) == {"echo"}
    assert not await waiting(house) & set(made)
    assert (await totals(house))["echo"] == 200


async def test_the_events_of_two_writes_in_a_row_are_both_ours(house: House, ids: list[str]) -> None:
    async with hearing(house):
        await write(house, ids[0], {"NextStep": "one"})
        await write(house, ids[0], {"Description": "two"})
        await until(partial(are_heard, house, 2, ids[0]))
    assert await verdicts(house, ids[0]) == ["echo", "echo"]
    assert not await waiting(house)


async def test_a_write_told_and_never_sent_hides_nobodys_change_after_the_record_was_synced(
    house: House, ids: list[str]
) -> None:
    """The crash between telling and writing."""
    async with hearing(house):
        await expect(house, echoes.update("Opportunity", ids[0], OURS))
        assert (await house.attempt(ids[0])).message
        await touch(house, "Opportunity", ids[0], OURS)
        await until(rows(house, 1))
    assert "echo" not in await verdicts(house, ids[0])


async def test_an_echo_heard_while_its_record_is_being_synced_is_synced_after_it(
    house: House, ids: list[str]
) -> None:
    """The sync in hand may have read the record before it was written."""
    integration_id: UUID = house.integration.integration_id
    inbox_id = await inbox.put(house.db, integration_id, "Opportunity", ids[0], cause=Cause.CHANGE)
    claim = await inbox.claim(
        house.db, worker="slow", lease=timedelta(minutes=1), integration_ids=[integration_id]
    )
    assert claim is not None
    async with hearing(house):
        await write(house, ids[0], OURS)
        await until(partial(heard_of, house, ids[0]))
        async with transaction(house.db) as tx:
            await inbox.complete(tx, claim)
    assert [row.inbox_id for row in await inbox.find(house.db)] == [inbox_id], "once more"
    assert await verdicts(house, ids[0]) == ["near miss"]


async def test_after_events_may_have_been_missed_nothing_is_expected_any_more(
    house: House, ids: list[str]
) -> None:
    async with hearing(house):
        await expect(house, echoes.update("Opportunity", ids[0], OURS))
        await house.sandbox.salesforce_control.fault("overflow", object="Opportunity")
        await until(lambda: house.db.fetchval("SELECT count(*) FROM rereads WHERE cause = 'overflow'"))
        await house.db.execute("DELETE FROM rereads")  # as if read by now
        async with writer(house) as salesforce:
            await salesforce.update("Opportunity", ids[0], OURS)
        await until(partial(heard_of, house, ids[0]))
    assert await verdicts(house, ids[0]) == ["near miss"]


async def test_a_write_that_was_refused_is_withdrawn(house: House, ids: list[str]) -> None:
    told = await expect(
        house, echoes.update("Opportunity", ids[0], OURS), echoes.removal("Opportunity", ids[1])
    )
    await own_writes.withdraw(house.db, told[:1])
    assert await house.db.fetchval("SELECT array_agg(record_id) FROM own_writes") == [ids[1]]
