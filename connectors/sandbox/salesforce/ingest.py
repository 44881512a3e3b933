"""How ingest jobs are worked off: beside the requests, 200 rows a transaction, each row with its result."""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from connectors.sandbox.salesforce import ids, ingest_csv, upserts
from connectors.sandbox.salesforce.errors import SalesforceError, malformed_id
from connectors.sandbox.salesforce.ingest_csv import BadContentError
from connectors.sandbox.salesforce.ingest_jobs import Done, Job, Jobs, Refused, State
from connectors.sandbox.salesforce.records import Org
from connectors.sandbox.salesforce.schema import SObject
from connectors.sandbox.salesforce.transactions import Transaction
from connectors.sandbox.salesforce.usage import Usage

CHUNK = 200
BATCH = 10_000
BATCHES_A_DAY = 15_000


@dataclass(slots=True)
class Manner:
    """How jobs are to go that should not go well: all at once stopped, or the next one failing part-way."""

    fail_after: int | None = None
    message: str = "InternalServerError : An unexpected error occurred"


class Ingest:
    """The jobs of an org and the tasks that work them off.

    Results come in the order in which chunks end, which Salesforce does not promise to be that of the
    upload: here the last chunk comes first.
    """

    def __init__(self, org: Org) -> None:
        self.org = org
        self.jobs = Jobs()
        self.batches = Usage(org.now, BATCHES_A_DAY)
        self.manner = Manner()
        self._go = asyncio.Event()
        self._go.set()
        self._tasks: set[asyncio.Task[None]] = set()

    def hold(self, *, is_held: bool) -> None:
        """Let jobs wait where they stand, or go on."""
        if is_held:
            self._go.clear()
        else:
            self._go.set()

    @property
    def is_held(self) -> bool:
        """Whether jobs wait."""
        return not self._go.is_set()

    def begin(self, job: Job) -> None:
        """Work a job off whose upload is complete."""
        task = asyncio.create_task(self._work(job), name=f"sandbox ingest {job.job_id}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def stop(self) -> None:
        """End what is under way, for the server ends."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def set_state(self, job: Job, state: State) -> None:
        """Let a job stand so from now."""
        job.state, job.modified_at = state, self.org.now()

    async def _work(self, job: Job) -> None:
        lines = ingest_csv.rows(job)
        try:
            await self._go.wait()
            owner = self._opened(job, lines)
            if _stands(job, State.UPLOAD_COMPLETE):
                self.set_state(job, State.IN_PROGRESS)
            await self._all_chunks(job, owner, lines)
        except BadContentError as error:
            job.error = str(error)
            job.unprocessed += _what_can_be_read(lines)
            if not _stands(job, State.ABORTED):
                self.set_state(job, State.FAILED)
        if _stands(job, State.IN_PROGRESS):
            self.set_state(job, State.JOB_COMPLETE)
        job.contents.clear()

    def _opened(self, job: Job, lines: Iterator[list[str]]) -> SObject:
        job.header = next(lines, [])
        owner = self.org.schema.find(job.order.object_name)
        if owner is None or not job.header:
            raise BadContentError("InvalidBatch : Failed to parse CSV. The content has no header")
        ingest_csv.check_header(job, owner, self.org.schema)
        return owner

    async def _all_chunks(self, job: Job, owner: SObject, lines: Iterator[list[str]]) -> None:
        fail_after, self.manner.fail_after = self.manner.fail_after, None
        count = 0
        while chunk := list(islice(lines, CHUNK)):
            await self._go.wait()
            if not _stands(job, State.IN_PROGRESS):
                job.unprocessed += [*chunk, *lines]
                return
            if fail_after is not None and count >= fail_after:
                job.unprocessed += chunk
                raise BadContentError(self.manner.message)
            if count % BATCH == 0 and not self.batches.count():
                job.unprocessed += chunk
                raise BadContentError("ExceededQuota : ApiBatchItems Limit exceeded.")
            began = time.perf_counter()
            self._write(job, owner, chunk)
            job.worked += time.perf_counter() - began
            count += len(chunk)
            await asyncio.sleep(0)  # requests come first

    def _write(self, job: Job, owner: SObject, chunk: list[list[str]]) -> None:
        done: list[Done] = []
        refused: list[Refused] = []
        shared = self._shared(job, owner, chunk)
        with self.org.transaction(job.actor) as tx:
            for row in chunk:
                try:
                    given = ingest_csv.record(owner, job.header, row)
                    record_id, is_new = self._one(tx, job, owner, (given, shared))
                    done.append(Done(record_id, is_new, row))
                except SalesforceError as error:
                    refused.append(Refused(_id_in(job, row), ingest_csv.sf_error(error), row))
        job.done[:0], job.refused[:0] = done, refused

    def _one(
        self, tx: Transaction, job: Job, owner: SObject, what: tuple[dict[str, Any], set[Any]]
    ) -> tuple[str, bool]:
        given, shared = what
        match job.order.operation:
            case "insert":
                return tx.create(owner.name, given), True
            case "upsert":
                by = upserts.external_id(owner, job.order.external_id or "Id")
                return upserts.upsert(tx, self.org, (owner, by), given, shared)
            case operation:
                record_id = _own_id(owner, given)
                if operation == "delete":
                    tx.delete(owner.name, record_id)
                else:
                    tx.update(owner.name, record_id, given)
                return record_id, False

    def _shared(self, job: Job, owner: SObject, chunk: list[list[str]]) -> set[Any]:
        if job.order.operation != "upsert":
            return set()
        by = upserts.external_id(owner, job.order.external_id or "Id")
        return upserts.shared_keys(by, (dict(zip(job.header, row, strict=True)) for row in chunk))


def _stands(job: Job, state: State) -> bool:
    """Whether the job stands so now; a request may have changed that since the last look."""
    return job.state is state


def _own_id(owner: SObject, given: dict[str, Any]) -> str:
    if given.get("Id") is None:
        raise SalesforceError("MISSING_ARGUMENT", "Id not specified in an update call", ())
    record_id = ids.normalize(given["Id"])
    if record_id is None or ids.prefix_of(record_id) != owner.key_prefix:
        raise malformed_id(f"{owner.label} ID", given["Id"], ("Id",))
    return record_id


def _id_in(job: Job, row: list[str]) -> str:
    return next((text for name, text in zip(job.header, row, strict=True) if name.lower() == "id"), "")


def _what_can_be_read(lines: Iterator[list[str]]) -> list[list[str]]:
    try:
        return list(lines)
    except BadContentError:
        return []
