"""Bulk API 2.0 ingest in the sandbox: jobs, uploads, results, and what Salesforce refuses."""

import csv
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from connectors import wire
from connectors.sandbox.salesforce.changes import RecordChange
from tests.sandboxes import LocalSandbox

SITE = {
    "fields": {
        "Code__c": {"type": "string", "length": 40, "external_id": True, "unique": True},
        "Size__c": {"type": "double", "precision": 8, "scale": 2},
        "Open__c": {"type": "boolean"},
        "Account__c": {"type": "reference", "to": ["Account"]},
    }
}
UNREADABLE = "InvalidBatch : Failed to parse CSV."
KEY = {"type": "string", "length": 20, "external_id": True}


class Bulk:
    """The jobs resource as a client sees it."""

    def __init__(self, session: aiohttp.ClientSession, sandbox: LocalSandbox) -> None:
        self.session = session
        self.sandbox = sandbox
        self.org = sandbox.running.org
        token = self.org.sessions.open(self.org.actor.user_id).token
        self.headers = {"Authorization": f"Bearer {token}", "Sforce-Call-Options": "client=m3sync"}

    async def call(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        kind = "text/csv" if isinstance(body, bytes) else "application/json"
        data = body if body is None or isinstance(body, bytes) else wire.dumps(body)
        url = f"{self.sandbox.salesforce['url']}/services/data/v67.0/{path}"
        headers = self.headers | ({"Content-Type": kind} if body is not None else {})
        async with self.session.request(method, url, data=data, headers=headers) as response:
            raw = await response.read()
            if response.content_type == "text/csv":
                return response.status, list(csv.DictReader(io.StringIO(raw.decode(), newline="")))
            return response.status, wire.loads(raw) if raw else None

    async def job(self, content: str | bytes, operation: str = "upsert", **more: Any) -> str:
        """A job with its upload, closed."""
        job_id = await self.created(operation, **more)
        data = content if isinstance(content, bytes) else content.encode()
        assert await self.call("PUT", f"jobs/ingest/{job_id}/batches", data) == (201, None)
        status, said = await self.call("PATCH", f"jobs/ingest/{job_id}", {"state": "UploadComplete"})
        assert (status, said["state"]) == (200, "UploadComplete")
        return job_id

    async def created(self, operation: str = "upsert", **more: Any) -> str:
        asked = {"object": "Site__c", "operation": operation, "contentType": "CSV", **more}
        if operation == "upsert":
            asked.setdefault("externalIdFieldName", "Code__c")
        status, made = await self.call("POST", "jobs/ingest", asked)
        assert (status, made["state"]) == (200, "Open"), made
        return str(made["id"])

    async def ended(self, job_id: str) -> dict[str, Any]:
        """The job's info once it is over."""
        while True:
            _, info = await self.call("GET", f"jobs/ingest/{job_id}")
            if info["state"] not in {"UploadComplete", "InProgress"}:
                return dict(info)

    async def results(self, job_id: str, kind: str) -> list[dict[str, str]]:
        status, rows = await self.call("GET", f"jobs/ingest/{job_id}/{kind}")
        assert status == 200, rows
        return list(rows)


@asynccontextmanager
async def _bulk(sandbox: LocalSandbox) -> AsyncIterator[Bulk]:
    sandbox.running.org.schema.declare({"Account": {"fields": {"Key__c": KEY}}, "Site__c": SITE})
    async with aiohttp.ClientSession() as session:
        yield Bulk(session, sandbox)


@pytest.fixture
async def bulk(empty_sandbox: LocalSandbox) -> AsyncIterator[Bulk]:
    async with _bulk(empty_sandbox) as made:
        yield made


async def test_rows_are_upserted_and_each_has_its_result(bulk: Bulk) -> None:
    account = bulk.org.create("Account", {"Name": "Acme", "Key__c": "A"})
    there = bulk.org.create("Site__c", {"Name": "old", "Code__c": "S1", "Size__c": 3, "Account__c": account})
    heard: list[RecordChange] = []
    bulk.org.on_commit(heard.extend)
    content = (
        "Code__c,Name,Size__c,Open__c,Account__r.Key__c\n"
        'S1,"Ünï, ""one""",#N/A,Yes,\n'
        "S2,two,4.50,0,A\n"
        "S3,three,much,0,A\n"
        "S4,four,1,0,B\n"
        ",five,1,0,\n"
    )
    job_id = await bulk.job(content)
    info = await bulk.ended(job_id)
    assert (info["state"], info["numberRecordsProcessed"], info["numberRecordsFailed"]) == (
        "JobComplete",
        5,
        3,
    )
    done = {row["Code__c"]: row for row in await bulk.results(job_id, "successfulResults")}
    assert {code: row["sf__Created"] for code, row in done.items()} == {"S1": "false", "S2": "true"}
    assert done["S1"]["sf__Id"] == there
    assert done["S1"]["Name"] == 'Ünï, "one"'
    one, two = bulk.org.row(there), bulk.org.row(done["S2"]["sf__Id"])
    assert one is not None
    assert two is not None
    assert (one["Name"], one.get("Size__c"), one["Open__c"], one["Account__c"]) == (
        'Ünï, "one"',
        None,
        True,
        account,
    )
    assert (str(two["Size__c"]), two["Open__c"], two["Account__c"]) == ("4.5", False, account)
    errors = {row["Name"]: row["sf__Error"] for row in await bulk.results(job_id, "failedResults")}
    assert errors == {
        "three": "INVALID_TYPE_ON_FIELD_IN_RECORD:Size: value not of required type: much:Size__c --",
        "four": "INVALID_FIELD:Foreign key external ID: B not found for field Key__c in entity Account:--",
        "five": "MISSING_ARGUMENT:Code__c not specified:--",
    }
    assert await bulk.results(job_id, "unprocessedrecords") == []
    assert {change.origin for change in heard} == {"com/salesforce/api/bulkapi/67.0;client=m3sync"}


async def test_records_are_inserted_updated_and_deleted(bulk: Bulk) -> None:
    job_id = await bulk.job(
        b"Name;Code__c\r\na;A\r\nb;B\r\n", "insert", lineEnding="CRLF", columnDelimiter="SEMICOLON"
    )
    assert (await bulk.ended(job_id))["state"] == "JobComplete"
    _, raw = await bulk.call("GET", f"jobs/ingest/{job_id}/successfulResults")
    assert list(raw[0]) == ['sf__Id;"sf__Created";"Name";"Code__c"']
    ids = [row["Id"] for row in bulk.org.table("Site__c").live()]
    await bulk.ended(await bulk.job(f"Id,Name\n{ids[0]},\n{ids[1]},z\n", "update"))
    assert [row["Name"] for row in bulk.org.table("Site__c").live()] == ["a", "z"]
    job_id = await bulk.job(f"Id\n{ids[0]}\n001000000000000AAA\n", "delete")
    assert (await bulk.ended(job_id))["numberRecordsFailed"] == 1
    (refused,) = await bulk.results(job_id, "failedResults")
    assert refused["sf__Error"].startswith("MALFORMED_ID:")
    assert [row["Name"] for row in bulk.org.table("Site__c").live()] == ["z"]


@pytest.mark.parametrize(
    ("content", "more", "message"),
    [
        ("Code__c,Nmae\n1,x\n", {}, "InvalidBatch : Field name not found : Nmae"),
        ("Code__c,Account__r.No__c\n1,x\n", {}, "InvalidBatch : Field name not found : Account__r.No__c"),
        (
            "Code__c\r\n1\r\n",
            {},
            "ClientInputError : LineEnding is invalid on user data. Current LineEnding setting is LF",
        ),
        (
            'Code__c\r\n"1\n"\r\n',
            {"lineEnding": "CRLF"},
            "ClientInputError : LineEnding is invalid on user data. Current LineEnding setting is CRLF",
        ),
        (
            '\ufeff"Code__c"\n1\n',
            {},
            f"{UNREADABLE} Found unescaped quote. A value with quote should be within a quote",
        ),
        (
            "Code__c,Name\n1\n",
            {},
            "InvalidBatch : Failed to parse CSV. Line 2 has 1 of 2 columns",
        ),
        ("", {}, "InvalidBatch : Failed to parse CSV. The content has no header"),
    ],
)
async def test_content_that_cannot_be_read_fails_the_job(
    bulk: Bulk, content: str, more: dict[str, str], message: str
) -> None:
    info = await bulk.ended(await bulk.job(content, **more))
    assert (info["state"], info["errorMessage"], info["numberRecordsProcessed"]) == ("Failed", message, 0)
    assert not list(bulk.org.table("Site__c").live())


async def test_every_row_that_shares_an_external_id_is_refused(bulk: Bulk) -> None:
    job_id = await bulk.job("Code__c,Name\nX,1\nY,2\nx,3\n")
    await bulk.ended(job_id)
    failed = await bulk.results(job_id, "failedResults")
    assert {row["Name"] for row in failed} == {"1", "3"}
    assert failed[0]["sf__Error"] == "DUPLICATE_VALUE:Duplicate external id specified: X:Code__c --"


async def test_a_job_takes_one_upload_and_moves_one_way(bulk: Bulk) -> None:
    job_id = await bulk.created()
    for _ in range(2):
        await bulk.call("PUT", f"jobs/ingest/{job_id}/batches", b"Code__c\n1\n")
    status, said = await bulk.call("PATCH", f"jobs/ingest/{job_id}", {"state": "UploadComplete"})
    assert (status, said[0]["errorCode"]) == (400, "INVALIDJOB")
    assert (await bulk.call("DELETE", f"jobs/ingest/{job_id}"))[0] == 400
    assert (await bulk.call("GET", f"jobs/ingest/{job_id}/failedResults"))[1][0]["errorCode"] == (
        "INVALIDJOBSTATE"
    )
    assert (await bulk.call("PATCH", f"jobs/ingest/{job_id}", {"state": "Aborted"}))[1]["state"] == "Aborted"
    assert (await bulk.call("PUT", f"jobs/ingest/{job_id}/batches", b"Code__c\n"))[0] == 400
    assert (await bulk.call("DELETE", f"jobs/ingest/{job_id}")) == (204, None)
    assert (await bulk.call("GET", f"jobs/ingest/{job_id}"))[0] == 404


async def test_an_aborted_job_says_what_it_left_undone(bulk: Bulk) -> None:
    await bulk.sandbox.salesforce_control.call("POST", "org/ingest", {"hold": True})
    job_id = await bulk.job("Code__c\n1\n2\n")
    await bulk.call("PATCH", f"jobs/ingest/{job_id}", {"state": "Aborted"})
    await bulk.sandbox.salesforce_control.call("POST", "org/ingest", {"hold": False})
    assert (await bulk.ended(job_id))["state"] == "Aborted"
    left = await bulk.results(job_id, "unprocessedrecords")
    assert [row["Code__c"] for row in left] == ["1", "2"]


async def test_a_job_that_fails_part_way_has_all_three_kinds_of_rows(bulk: Bulk) -> None:
    await bulk.sandbox.salesforce_control.call("POST", "org/ingest", {"fail_after": 400})
    lines = "".join(f"{number},{'x' if number % 10 else 'y' * 81}\n" for number in range(1000))
    job_id = await bulk.job(f"Code__c,Name\n{lines}")
    info = await bulk.ended(job_id)
    assert (info["state"], info["numberRecordsProcessed"], info["numberRecordsFailed"]) == ("Failed", 400, 40)
    kinds = ("successfulResults", "failedResults", "unprocessedrecords")
    results = [await bulk.results(job_id, kind) for kind in kinds]
    assert [len(each) for each in results] == [360, 40, 600]
    assert {row["Code__c"] for each in results for row in each} == {str(number) for number in range(1000)}
    assert results[0][0]["Code__c"] == "201", "results come chunk by chunk, the last one first"


async def test_jobs_are_refused_that_cannot_be(bulk: Bulk) -> None:
    async def refused(**asked: Any) -> tuple[int, str]:
        status, said = await bulk.call("POST", "jobs/ingest", asked)
        return status, said[0]["errorCode"]

    assert await refused(object="Nope__c", operation="insert") == (400, "INVALIDJOB")
    assert await refused(object="Site__c", operation="upsert") == (400, "INVALIDJOB")
    assert await refused(object="Site__c", operation="upsert", externalIdFieldName="Size__c") == (
        400,
        "INVALIDJOB",
    )
    assert await refused(object="Site__c", operation="write") == (400, "INVALIDOPERATION")
    assert await refused(object="Site__c", operation="insert", lineEnding="CR") == (400, "INVALIDJOB")
    await bulk.sandbox.salesforce_control.call("POST", "org/ingest", {"batches_max": 1, "batches_used": 1})
    assert await refused(object="Site__c", operation="insert") == (400, "EXCEEDEDQUOTA")
    _, limits = await bulk.call("GET", "limits")
    assert limits["DailyBulkApiBatches"] == {"Max": 1, "Remaining": 0}


async def test_requests_are_counted_and_processing_is_not(bulk: Bulk) -> None:
    before = bulk.org.usage.used
    lines = "".join(f"{number}\n" for number in range(2500))
    job_id = await bulk.job(f"Code__c\n{lines}")
    assert bulk.org.usage.used == before + 3
    listed = (await bulk.call("GET", "jobs/ingest"))[1]
    assert [each["id"] for each in listed["records"]] == [job_id]
    assert (await bulk.ended(job_id))["numberRecordsProcessed"] == 2500
