"""One record over which Salesforce fails a whole call, again and again, holds up no other."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from daemon.retries import Policy
from daemon.web import entity_wording
from state import entity_copies
from state.entity_models import CopyStatus, EntitySync, EntityType
from state.models import RunStatus
from tests.acceptance import house as houses
from tests.acceptance.house import House, until
from tests.integration import copying

CALLS = "*/composite/sobjects/*"
SOON = replace(
    copying.HASTY,
    policy=Policy(first=timedelta(milliseconds=5), longest=timedelta(milliseconds=20), max_attempts=3),
)
BULK = replace(SOON, bulk_threshold=1_000)


async def fault(house: House, **more: Any) -> int:
    begun: dict[str, int] = await house.sandbox.salesforce_control.fault("status", **more)
    return begun["id"]


async def poisoned(house: House, *ids: str, status: int = 500, **more: Any) -> None:
    """Salesforce fails over each call that holds one of these, and over no other."""
    for each in ids:
        await fault(house, match={"path": CALLS, "body": f"*{each}*"}, status=status, **more)


async def calls(house: House) -> int:
    return len(await house.sandbox.salesforce_control.journal(f"method=PATCH&path={CALLS}"))


async def most_attempts(house: House) -> int:
    return int(await house.db.fetchval("SELECT coalesce(max(attempts), 0) FROM entity_copies"))


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """A call that fails is not repeated by itself, so that calls can be counted."""
    limits = replace(houses.HURRIED.salesforce, attempts=1)
    monkeypatch.setattr(houses, "HURRIED", replace(houses.HURRIED, salesforce=limits))


async def test_it_becomes_an_issue_and_all_others_are_written(house: House) -> None:
    ids = await copying.load(house, "Account", copying.rows(250))
    await poisoned(house, ids[77])
    sync = await copying.added(house, EntityType.ACCOUNT)
    run = await copying.once(house, sync, SOON)
    assert (run.status, run.written, run.refused) == (RunStatus.COMPLETE, 249, 1)
    (issue,) = await entity_copies.issues(house.db, sync.integration.integration_id)
    assert (issue.m3ter_id, issue.status, issue.code) == (ids[77], CopyStatus.REFUSED, "UNANSWERED")
    assert "fails over this record" in issue.message
    assert "500" in issue.message
    assert "trigger or flow" in entity_wording.remedy(issue)
    assert set(await copying.all_ids(house, EntityType.ACCOUNT)) == set(ids) - {ids[77]}
    assert await house.db.fetchval("SELECT max(attempts) FROM entity_copies WHERE status = 'WRITTEN'") == 0

    await house.sandbox.salesforce_control.clear_faults()
    await entity_copies.retry(house.db, sync.integration.integration_id)
    async with copying.copying(house, SOON):
        assert (await copying.ended(house, sync, 2)).written == 1


@pytest.mark.parametrize("status", [500, 403])
async def test_several_of_them_are_found_wherever_they_are(house: House, status: int) -> None:
    ids = await copying.load(house, "Account", copying.rows(450))
    bad = {ids[0], ids[1], ids[199], ids[300], ids[449]}
    await poisoned(house, *bad, status=status)
    sync = await copying.added(house, EntityType.ACCOUNT)
    run = await copying.once(house, sync, SOON)
    assert (run.status, run.written, run.refused) == (RunStatus.COMPLETE, 445, 5)
    found = await entity_copies.issues(house.db, sync.integration.integration_id)
    assert {each.m3ter_id for each in found} == bad


async def test_while_nothing_at_all_is_taken_records_are_not_sent_one_by_one(house: House) -> None:
    await copying.load(house, "Account", copying.rows(1_000))
    await fault(house, match={"path": CALLS})
    sync = await copying.added(house, EntityType.ACCOUNT)
    patient = replace(SOON, policy=replace(SOON.policy, max_attempts=50))
    async with copying.copying(house, patient):

        async def is_searched_often() -> bool:
            return await calls(house) >= 120

        await until(is_searched_often)
        tried = await house.db.fetchval("SELECT count(*) FROM entity_copies WHERE attempts > 0")
        assert 0 < tried < 20, "one for each search"
        await house.sandbox.salesforce_control.clear_faults()
        run = await copying.ended(house, sync)
    assert (run.status, run.written, run.refused) == (RunStatus.COMPLETE, 1_000, 0)


@pytest.mark.parametrize("status", [500, 503])
async def test_while_salesforce_answers_nothing_no_record_is_blamed(house: House, status: int) -> None:
    await copying.load(house, "Account", copying.rows(250))
    sync = await copying.added(house, EntityType.ACCOUNT)
    await fault(house, match={"path": "/services/data/*"}, status=status)
    async with copying.copying(house, SOON):

        async def is_asked_often() -> bool:
            return await calls(house) >= 6

        await until(is_asked_often)
        assert await most_attempts(house) == 0
        await house.sandbox.salesforce_control.clear_faults()
        run = await copying.ended(house, sync)
    assert (run.status, run.written, run.refused) == (RunStatus.COMPLETE, 250, 0)
    assert await most_attempts(house) == 0


async def test_a_maintenance_that_salesforce_names_blames_no_record(house: House) -> None:
    await copying.load(house, "Account", copying.rows(3))
    sync = await copying.added(house, EntityType.ACCOUNT)
    code = "INSERT_UPDATE_DELETE_NOT_ALLOWED_DURING_MAINTENANCE"
    body = [{"message": "Read only.", "errorCode": code}]
    headers = {"Retry-After": "0"}
    await fault(house, match={"path": CALLS}, status=503, body=body, headers=headers, times=8)
    run = await copying.once(house, sync, SOON)
    assert (run.status, run.written, run.refused) == (RunStatus.COMPLETE, 3, 0)
    assert await most_attempts(house) == 0


async def test_what_a_whole_call_is_refused_for_is_searched_within_the_reserve(house: House) -> None:
    ids = await copying.load(house, "Account", copying.rows(200))
    await poisoned(house, *ids[:3], status=400)
    await copying.added(house, EntityType.ACCOUNT)
    await house.sandbox.salesforce_control.call("POST", "org/limit", {"max": 1_000, "used": 890})
    async with copying.copying(house, SOON):

        async def is_waiting() -> bool:
            statement = "SELECT EXISTS (SELECT FROM health WHERE subject LIKE 'entity budget%')"
            return bool(await house.db.fetchval(statement))

        await until(is_waiting)
        limits = await house.salesforce("GET", "/limits")
        assert limits["DailyApiRequests"]["Remaining"] >= 99, "but for this very question"


async def test_a_search_ends_when_it_is_told_to_stop(house: House) -> None:
    ids = await copying.load(house, "Account", copying.rows(200))
    sync = await copying.added(house, EntityType.ACCOUNT)
    await house.sandbox.salesforce_control.fault("hang_before", match={"path": CALLS}, skip=3)
    await poisoned(house, ids[0], status=400)
    async with copying.copying(house, SOON) as stop:

        async def is_held() -> bool:
            return any(each["holding"] for each in await house.sandbox.salesforce_control.faults())

        await until(is_held)
        stop.set()
        await house.sandbox.salesforce_control.clear_faults()
    assert await calls(house) == 4
    assert (await copying.once(house, sync, SOON)).written + await kept(house, sync) >= 200


async def kept(house: House, sync: EntitySync) -> int:
    return (await entity_copies.census(house.db, sync.integration.integration_id))[CopyStatus.WRITTEN]


async def test_a_job_that_fails_over_one_record_gives_way_to_calls_that_find_it(house: House) -> None:
    ids = await copying.load(house, "Account", copying.rows(1_500))
    sync = await copying.added(house, EntityType.ACCOUNT)
    nothing_is_taken = await fault(house, match={"path": CALLS})  # until very many wait
    failed = {"state": "Failed", "errorMessage": "InternalServerError", "numberRecordsProcessed": 0}
    failed |= {"id": "750S90000010001IAA", "object": "m3ter_Account__c"}
    job = {"method": "GET", "path": "*/jobs/ingest/*"}
    await fault(house, match=job, status=200, body=failed)
    await poisoned(house, ids[42])
    async with copying.copying(house, BULK):
        await until(lambda: copying.jobs(house))
        await house.sandbox.salesforce_control.clear_faults(nothing_is_taken)
        run = await copying.ended(house, sync)
    assert (run.status, run.written, run.refused) == (RunStatus.COMPLETE, 1_499, 1)
