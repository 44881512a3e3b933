"""Bulk jobs against the sandbox: rows in, results out; what a lost answer, a stop and a failure come to."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from connectors.errors import NotFoundError, RateLimited, RejectedError, TransientError
from connectors.exchange import Limits, Request
from connectors.salesforce import bulk, bulk_csv, rest, rows
from connectors.salesforce.bulk import Job, Patience
from connectors.salesforce.models import SalesforceCredential
from connectors.salesforce.rest import Salesforce
from connectors.salesforce.rows import RowResult, Verdict
from tests.integration.test_salesforce_collections import KEY, OBJECTS, bills
from tests.sandboxes import LocalSandbox, until

QUICK = Limits(attempts=2, first_wait=timedelta(milliseconds=1))
SOON = Patience(timedelta(milliseconds=2), timedelta(milliseconds=20), timedelta(seconds=20))
BILL = "m3ter_Bill__c"
JOBS = "*/jobs/ingest"
ONE = "*/jobs/ingest/750*"


@pytest.fixture
async def salesforce(empty_sandbox: LocalSandbox) -> AsyncIterator[Salesforce]:
    empty_sandbox.running.org.schema.declare(OBJECTS)
    credential = SalesforceCredential.model_validate(empty_sandbox.salesforce)
    async with rest.open(credential, limits=QUICK) as opened:
        yield opened


async def begin(job: Job, records: Sequence[dict[str, Any]]) -> None:
    async with bulk_csv.sheet_of(records) as sheet:
        await job.upload(sheet)
    await job.close()


async def results(job: Job) -> dict[str, RowResult]:
    return {key: result async for key, result in job.results()}


async def written(salesforce: Salesforce, records: Sequence[dict[str, Any]]) -> dict[str, RowResult]:
    async with bulk.job(salesforce, BILL, KEY) as job:
        await begin(job, records)
        assert (await job.wait(patience=SOON)).state == "JobComplete"
        return await results(job)


async def states(sandbox: LocalSandbox) -> list[str]:
    """The jobs that Salesforce still has, oldest first."""
    async with rest.open(SalesforceCredential.model_validate(sandbox.salesforce)) as salesforce:
        body = (await salesforce.send(Request("GET", salesforce.path("jobs", "ingest")))).body
    assert isinstance(body, dict)
    return [each["state"] for each in reversed(body["records"])]


async def control(sandbox: LocalSandbox, **asked: Any) -> None:
    await sandbox.salesforce_control.call("POST", "org/ingest", asked)


async def test_every_row_has_its_result_by_its_key(salesforce: Salesforce) -> None:
    await salesforce.upsert("m3ter_Account__c", KEY, "acc", {})
    parent = {"m3ter_Account__r": {KEY: "acc"}}
    records: list[dict[str, Any]] = [
        {KEY: f'b {number}, "é"\nx', "Total__c": Decimal("0.10"), **parent} for number in range(450)
    ]
    made = await written(salesforce, records)
    assert set(made) == {record[KEY] for record in records}
    assert all(result.success and result.was_created and result.record_id for result in made.values())
    records[0]["m3ter_Account__r"] = {KEY: "nobody"}
    records[1]["Total__c"] = None
    again = await written(salesforce, records[:3])
    verdicts = [rows.classify(again[record[KEY]]) for record in records[:3]]
    assert verdicts == [Verdict.PARENT_MISSING, Verdict.OK, Verdict.OK]
    assert not again[records[2][KEY]].was_created
    found = await bills(salesforce)
    assert [found[record[KEY]] for record in records[:3]] == [Decimal("0.10"), None, Decimal("0.10")]


async def test_a_job_left_before_it_was_closed_is_dropped(
    salesforce: Salesforce, empty_sandbox: LocalSandbox
) -> None:
    with pytest.raises(RuntimeError, match="something else"):
        async with bulk.job(salesforce, BILL, KEY):
            raise RuntimeError("something else")
    async with bulk.job(salesforce, BILL, KEY):
        pass
    assert await states(empty_sandbox) == []


async def test_an_upload_whose_answer_is_lost_is_not_repeated_and_its_job_dropped(
    salesforce: Salesforce, empty_sandbox: LocalSandbox
) -> None:
    await empty_sandbox.salesforce_control.fault("reset_after", match={"method": "PUT"}, times=1)
    with pytest.raises(TransientError) as caught:
        await written(salesforce, [{KEY: "a"}])
    assert caught.value.may_have_happened
    assert len(await empty_sandbox.salesforce_control.journal("method=PUT")) == 1
    assert await states(empty_sandbox) == []
    assert (await written(salesforce, [{KEY: "a"}]))["a"].success


async def test_a_job_whose_creation_is_lost_is_left_and_another_begun(
    salesforce: Salesforce, empty_sandbox: LocalSandbox
) -> None:
    await empty_sandbox.salesforce_control.fault(
        "reset_after", match={"path": JOBS, "method": "POST"}, times=1
    )
    with pytest.raises(TransientError):
        await written(salesforce, [{KEY: "a"}])
    assert len(await empty_sandbox.salesforce_control.journal(f"method=POST&path={JOBS}")) == 1
    assert (await written(salesforce, [{KEY: "a"}]))["a"].was_created
    assert await states(empty_sandbox) == ["Open", "JobComplete"]


@pytest.mark.parametrize("kind", ["reset_after", "reset_before"])
async def test_a_close_whose_answer_is_lost_is_looked_at(
    salesforce: Salesforce, empty_sandbox: LocalSandbox, kind: str
) -> None:
    await empty_sandbox.salesforce_control.fault(kind, match={"path": ONE, "method": "PATCH"}, times=1)
    assert (await written(salesforce, [{KEY: "a"}]))["a"].was_created
    closes = await empty_sandbox.salesforce_control.journal(f"method=PATCH&path={ONE}")
    assert len(closes) == (1 if kind == "reset_after" else 2)


async def test_a_stop_ends_the_waiting_and_another_process_takes_the_job_up(
    salesforce: Salesforce, empty_sandbox: LocalSandbox
) -> None:
    await control(empty_sandbox, hold=True)
    stop = asyncio.Event()
    async with bulk.job(salesforce, BILL, KEY) as job:
        await begin(job, [{KEY: "a"}])
        patience = Patience(timedelta(minutes=1), timedelta(minutes=1), timedelta(minutes=5))
        waiting = asyncio.create_task(job.wait(stop, patience))
        await until(lambda: job.info.state == "UploadComplete")
        stop.set()
        assert not (await asyncio.wait_for(waiting, 5)).is_over
        with pytest.raises(ValueError, match="UploadComplete"):
            await results(job)
    await control(empty_sandbox, hold=False)
    resumed = await bulk.resume(salesforce, job.job_id)
    assert (await resumed.wait(patience=SOON)).state == "JobComplete"
    assert (await results(resumed))["a"].was_created
    await resumed.delete()
    with pytest.raises(NotFoundError):
        await bulk.resume(salesforce, job.job_id)


async def test_waiting_has_an_end_and_outages_do_not_shorten_it(
    salesforce: Salesforce, empty_sandbox: LocalSandbox
) -> None:
    await control(empty_sandbox, hold=True)
    async with bulk.job(salesforce, BILL, KEY) as job:
        await begin(job, [{KEY: "a"}])
        brief = Patience(timedelta(milliseconds=1), timedelta(milliseconds=5), timedelta(milliseconds=60))
        with pytest.raises(TransientError, match=f"{job.job_id} is still UploadComplete"):
            await job.wait(patience=brief)
        await empty_sandbox.salesforce_control.fault("status", match={"path": ONE}, status=503, times=5)
        await control(empty_sandbox, hold=False)
        assert (await job.wait(patience=SOON)).is_over
        assert (await empty_sandbox.salesforce_control.faults())[0]["hits"] == 5


async def test_a_field_that_the_object_has_not_refuses_the_whole_job(salesforce: Salesforce) -> None:
    with pytest.raises(RejectedError, match="Field name not found : Nope__c") as caught:
        await written(salesforce, [{KEY: "a", "Nope__c": 1}])
    assert caught.value.code == "InvalidBatch"
    with pytest.raises(RejectedError, match="Unable to find object"):
        async with bulk.job(salesforce, "Nope__c", KEY):
            pass


async def test_the_rows_that_a_failed_job_did_not_come_to_are_told_from_the_others(
    salesforce: Salesforce, empty_sandbox: LocalSandbox
) -> None:
    await control(empty_sandbox, fail_after=200, message="InternalServerError : oh")
    async with bulk.job(salesforce, BILL, KEY) as job:
        await begin(job, [{KEY: str(number)} for number in range(450)])
        assert (await job.wait(patience=SOON)).state == "Failed"
        found = await results(job)
    done = [key for key, result in found.items() if result.success]
    left = [result for result in found.values() if not result.success]
    assert (len(done), len(left)) == (200, 250)
    assert {rows.classify(result) for result in left} == {Verdict.RETRY}
    assert "InternalServerError : oh" in left[0].message


@pytest.mark.parametrize(
    ("message", "error"),
    [
        ("ExceededQuota : ApiBatchItems Limit exceeded.", RateLimited),
        ("TooManyLockFailure : Too many lock failures", TransientError),
        ("InternalServerError : An unexpected error occurred", TransientError),
    ],
)
async def test_a_job_that_failed_at_once_says_whether_waiting_helps(
    salesforce: Salesforce, empty_sandbox: LocalSandbox, message: str, error: type[TransientError]
) -> None:
    await control(empty_sandbox, fail_after=0, message=message)
    with pytest.raises(TransientError) as caught:
        await written(salesforce, [{KEY: "a"}])
    assert type(caught.value) is error


async def test_used_up_batches_are_a_limit(salesforce: Salesforce, empty_sandbox: LocalSandbox) -> None:
    await control(empty_sandbox, batches_max=10, batches_used=10)
    with pytest.raises(RateLimited):
        await written(salesforce, [{KEY: "a"}])


async def test_results_that_are_cut_short_are_fetched_anew(
    salesforce: Salesforce, empty_sandbox: LocalSandbox
) -> None:
    await empty_sandbox.salesforce_control.fault("truncate", match={"path": "*/successfulResults"}, times=1)
    found = await written(salesforce, [{KEY: str(number)} for number in range(50)])
    assert len(found) == 50
    await empty_sandbox.salesforce_control.fault(
        "status", match={"path": "*/successfulResults"}, status=200, body="html", times=1
    )
    with pytest.raises(TransientError, match="not CSV"):
        await written(salesforce, [{KEY: "a"}])
