"""Several calls under way: a slot is never idle for want of the database, and nothing is sent in vain."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from daemon.retries import Policy
from state import entity_copies, entity_runs
from state.database import transaction
from state.entity_models import CopyStatus, EntitySync, EntityType
from state.models import RunStatus
from tests.acceptance import house as houses
from tests.acceptance.house import House, until
from tests.integration import copying

CALLS = "*/composite/sobjects/*"
SINGLE = replace(copying.HASTY, in_flight=1, lease=timedelta(seconds=30))


async def calls(house: House) -> list[dict[str, object]]:
    return await house.sandbox.salesforce_control.journal(f"method=PATCH&path={CALLS}")


async def fault(house: House, kind: str, **more: object) -> None:
    await house.sandbox.salesforce_control.fault(kind, match={"path": CALLS}, **more)


async def scanned(house: House, sync: EntitySync) -> None:
    async def is_scanned() -> bool:
        run = await entity_runs.last(house.db, sync.integration.integration_id)
        return run is not None and run.is_scanned

    await until(is_scanned)


async def held(house: House) -> int:
    return sum(int(each["holding"]) for each in await house.sandbox.salesforce_control.faults())


async def written(house: House, sync: EntitySync) -> int:
    return (await entity_copies.census(house.db, sync.integration.integration_id))[CopyStatus.WRITTEN]


async def backlog(house: House, *, skip: int = 0) -> EntitySync:
    """A thousand to be written: all calls but so many hang until the faults are cleared."""
    await copying.load(house, "Account", copying.rows(1_000))
    await fault(house, "hang_before", skip=skip)
    return await copying.added(house, EntityType.ACCOUNT)


async def test_the_next_call_is_under_way_while_results_are_kept_and_no_more_than_one(house: House) -> None:
    sync = await backlog(house)
    async with copying.copying(house, SINGLE):
        await scanned(house, sync)
        async with transaction(house.db) as elsewhere:  # nobody can keep anything of the run meanwhile
            await elsewhere.execute("SELECT FROM entity_runs FOR UPDATE")
            await house.sandbox.salesforce_control.clear_faults()

            async def are_two() -> bool:
                return len([each for each in await calls(house) if each["status"] == 200]) == 2

            await until(are_two)
            assert await written(house, sync) == 0
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.3):
                    await until(lambda: three(house))
        run = await copying.ended(house, sync)
    assert (run.status, run.written) == (RunStatus.COMPLETE, 1_000)
    assert len(await calls(house)) == 5, "no record was sent twice"


async def three(house: House) -> bool:
    return len(await calls(house)) > 2


async def test_what_waits_for_a_slot_is_not_sent_once_it_is_to_stop(house: House) -> None:
    sync = await backlog(house, skip=1)
    async with copying.copying(house, SINGLE) as stop:
        await scanned(house, sync)
        await until(lambda: held(house))
        stop.set()
        await house.sandbox.salesforce_control.clear_faults()
    assert await written(house, sync) == 400, "what was in flight is kept"
    assert len(await calls(house)) == 2
    run = await copying.once(house, sync)
    assert (run.status, len(await calls(house))) == (RunStatus.COMPLETE, 5)


async def test_what_waits_for_a_slot_is_not_sent_into_an_outage(house: House) -> None:
    sync = await backlog(house, skip=1)
    policy = Policy(
        first=timedelta(minutes=5), longest=timedelta(minutes=5), longest_outage=timedelta(minutes=5)
    )
    async with copying.copying(house, replace(SINGLE, policy=policy)) as stop:
        await scanned(house, sync)
        await until(lambda: held(house))
        (hanging,) = await house.sandbox.salesforce_control.faults()
        await fault(house, "latency", seconds=0.5)  # so that the next records are at hand meanwhile
        await fault(house, "status", status=503)
        await house.sandbox.salesforce_control.clear_faults(hanging["id"])

        async def is_told() -> bool:
            statement = "SELECT EXISTS (SELECT FROM health WHERE subject LIKE 'salesforce:%' AND NOT is_well)"
            return bool(await house.db.fetchval(statement))

        await until(is_told)
        stop.set()
    refused = [each for each in await calls(house) if each["status"] == 503]
    assert len(refused) == houses.HURRIED.salesforce.attempts, "those of one call"
    assert await written(house, sync) < 1_000


async def test_a_backlog_never_begins_with_more_calls_than_the_reserve_allows(house: House) -> None:
    sync = await backlog(house)
    async with copying.copying(house) as stop:
        await scanned(house, sync)
        stop.set()
        await house.sandbox.salesforce_control.clear_faults()
    before = await written(house, sync)
    await house.sandbox.salesforce_control.call("POST", "org/limit", {"max": 1_000, "used": 898})
    async with copying.copying(house):

        async def is_waiting() -> bool:
            statement = (
                "SELECT EXISTS (SELECT FROM health WHERE subject LIKE 'entity budget%' AND NOT is_well)"
            )
            return bool(await house.db.fetchval(statement))

        await until(is_waiting)
        assert await written(house, sync) == before + 400, "two calls were left beside the reserve"
