"""Bulk API 2.0 ingest: one job upserts a sheet of records by external id, in Salesforce's own time."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import BinaryIO, cast

from connectors.errors import NotFoundError, SyncError, TransientError
from connectors.exchange import Repeatable, Request
from connectors.salesforce import bulk_csv, bulk_jobs, refusing, rows
from connectors.salesforce.bulk_csv import Sheet
from connectors.salesforce.bulk_jobs import COMPLETE, OPEN, JobInfo
from connectors.salesforce.ids import to_id18
from connectors.salesforce.rest import Salesforce
from connectors.salesforce.rows import RowResult
from connectors.wire import Json

_TRANSFER_WITHIN = timedelta(minutes=10)
_GIVE_UP_WITHIN = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class Patience:
    """How a job is waited for: the first pause, the longest, and how long altogether."""

    first: timedelta = timedelta(seconds=1)
    longest: timedelta = timedelta(seconds=20)
    total: timedelta = timedelta(hours=2)


class Job:
    """One job: `upload`, `close`, `wait`, `results`. The id outlives this process: see `resume`."""

    def __init__(self, salesforce: Salesforce, info: JobInfo) -> None:
        self.info = info
        self._salesforce = salesforce
        self._is_ours_to_drop = info.state == OPEN

    @property
    def job_id(self) -> str:
        return self.info.job_id

    async def upload(self, sheet: Sheet) -> None:
        """Sent once: a job takes one upload. After a lost answer leave the job, which drops it, and begin
        another: nothing of this one will be processed."""
        if not sheet.rows:
            raise ValueError("a job needs records")
        await self._salesforce.send(
            Request(
                "PUT",
                self._path("batches"),
                content=sheet.content(),
                repeatable=Repeatable.IF_UNTOUCHED,
                answer_within=_TRANSFER_WITHIN,
            )
        )

    async def close(self) -> None:
        """Hands the job to Salesforce.

        A TransientError.may_have_happened leaves open whether it runs: another job with the same records does
        no harm, since both upsert.
        """
        for is_last in (False, True):
            self._is_ours_to_drop = False
            try:
                await self._set("UploadComplete", Repeatable.IF_UNTOUCHED)
            except TransientError as error:
                if error.may_have_happened and (await self.refresh()).state != OPEN:
                    return
                self._is_ours_to_drop = True
                if is_last or not error.may_have_happened:
                    raise
            except SyncError:
                self._is_ours_to_drop = True
                raise
            else:
                return

    async def refresh(self) -> JobInfo:
        """The job as it is now."""
        body = (await self._salesforce.send(Request("GET", self._path()))).body
        self.info = bulk_jobs.read(body, self.info, self._path())
        return self.info

    async def wait(self, stop: asyncio.Event | None = None, patience: Patience | None = None) -> JobInfo:
        """The job when it is over, or as it is when `stop` is set: look at `is_over`.

        Outages are waited out. Raises TransientError when the job takes longer than `patience`; it goes on,
        and `resume` finds it. A job that failed before its first row raises RejectedError, RateLimited or
        TransientError; one that failed later, or was aborted, has results for every row.
        """
        pause, longest = (patience or Patience()).first, (patience or Patience()).longest
        clock = asyncio.get_running_loop().time
        ends_at = clock() + (patience or Patience()).total.total_seconds()
        stopped = stop or asyncio.Event()
        while not stopped.is_set():
            trouble = await self._look()
            if self.info.is_over:
                bulk_jobs.check_began(self.info)
                return self.info
            left = ends_at - clock()
            if left <= 0:
                raise trouble or self._overdue()
            asked = (trouble.retry_after if trouble else None) or timedelta(0)
            await _pause(stopped, min(max(pause, asked).total_seconds(), left))
            pause = min(pause * 1.5, longest)
        return self.info

    async def results(self) -> AsyncIterator[tuple[str, RowResult]]:
        """External id and result of every row of a job that is over, in no particular order.

        Rows that it never came to have the code UNPROCESSED, and why.
        """
        info = self.info
        if not info.is_over:
            raise ValueError(f"the job {info.job_id} is {info.state}")
        if info.processed:
            async for row in self._rows("successfulResults"):
                was_created = row.get("sf__Created", "").lower() == "true"
                yield self._key(row), RowResult(_id(row), success=True, was_created=was_created)
        if info.failed:
            async for row in self._rows("failedResults"):
                code, message, fields = rows.of_sf_error(row.get("sf__Error", ""))
                yield self._key(row), RowResult(_id(row), False, False, code, message, fields)
        if info.state != COMPLETE:
            why = f"The Bulk job ended as {info.state} before this record. {info.error}".strip()
            async for row in self._rows("unprocessedrecords"):
                yield self._key(row), RowResult("", success=False, code=rows.UNPROCESSED, message=why)

    async def abort(self) -> None:
        """Rows that were processed stay written."""
        await self._set("Aborted", Repeatable.ALWAYS)

    async def delete(self) -> None:
        """Removes a job that does not run, with its data and results; Salesforce does so after seven days."""
        with suppress(NotFoundError):  # deleted by the call whose answer was lost
            await self._salesforce.send(Request("DELETE", self._path()))

    async def drop(self) -> None:
        """Aborts and deletes a job that was never closed.

        One that cannot be reached is never processed either, and Salesforce removes it after seven days.
        """
        if not self._is_ours_to_drop:
            return
        self._is_ours_to_drop = False
        with suppress(SyncError, TimeoutError):
            async with asyncio.timeout(_GIVE_UP_WITHIN.total_seconds()):
                await self.abort()
                await self.delete()

    async def _look(self) -> TransientError | None:
        try:
            await self.refresh()
        except TransientError as error:
            return error
        return None

    async def _set(self, state: str, repeatable: Repeatable) -> None:
        request = Request("PATCH", self._path(), json={"state": state}, repeatable=repeatable)
        self.info = bulk_jobs.read((await self._salesforce.send(request)).body, self.info, request.path)

    async def _rows(self, what: str) -> AsyncIterator[dict[str, str]]:
        with tempfile.SpooledTemporaryFile(max_size=1024 * 1024) as spool:
            file = cast("BinaryIO", spool)
            request = Request(
                "GET",
                self._path(what),
                headers={"Accept": "text/csv"},
                sink=file,
                answer_within=_TRANSFER_WITHIN,
            )
            media_type = (await self._salesforce.send(request)).headers.get("Content-Type", "")
            if not media_type.lower().startswith("text/csv"):
                raise refusing.odd(f"with {media_type or 'no type'}, not CSV", request.path)
            async for row in bulk_csv.rows_of(file):
                yield row

    def _key(self, row: dict[str, str]) -> str:
        for name, value in row.items():
            if name.lower() == self.info.key_field.lower():
                return value
        raise refusing.odd(f"with results that have no column {self.info.key_field}", self._path())

    def _path(self, *parts: str) -> str:
        return self._salesforce.path("jobs", "ingest", self.job_id, *parts)

    def _overdue(self) -> TransientError:
        return TransientError(
            f"Salesforce's Bulk job {self.job_id} is still {self.info.state}.",
            instruction="See Setup, Bulk Data Load Jobs. It goes on; its records may be sent again.",
        )


@asynccontextmanager
async def job(salesforce: Salesforce, object_name: str, key_field: str) -> AsyncIterator[Job]:
    """A new job that upserts records of one object by `key_field`; dropped when left without being closed.

    A lost answer to its creation raises TransientError and leaves an empty open job behind, which Salesforce
    never processes and removes after seven days: begin another.
    """
    body: Json = {
        "object": object_name,
        "externalIdFieldName": key_field,
        "operation": "upsert",
        "contentType": "CSV",
        "columnDelimiter": "COMMA",
        "lineEnding": "LF",
    }
    path = salesforce.path("jobs", "ingest")
    request = Request("POST", path, json=body, repeatable=Repeatable.IF_UNTOUCHED)
    known = JobInfo("", object_name, key_field, OPEN)
    begun = Job(salesforce, bulk_jobs.read((await salesforce.send(request)).body, known, path))
    try:
        yield begun
    finally:
        await begun.drop()


async def resume(salesforce: Salesforce, job_id: str) -> Job:
    """A job of an earlier process; raises NotFoundError when Salesforce has removed it."""
    found = Job(salesforce, JobInfo(to_id18(job_id), "", "", "Unknown"))
    await found.refresh()
    return found


def _id(row: dict[str, str]) -> str:
    return to_id18(row["sf__Id"]) if row.get("sf__Id") else ""


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stop.wait()
