"""Bulk API 2.0 ingest jobs: what each is, how it stands, and which there are."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any

from connectors.sandbox.salesforce import notation
from connectors.sandbox.salesforce.changes import Actor
from connectors.sandbox.salesforce.errors import SalesforceError, not_found
from connectors.sandbox.salesforce.ids import Minter

KEPT = timedelta(days=7)
DELIMITERS = {
    "COMMA": ",",
    "BACKQUOTE": "`",
    "CARET": "^",
    "PIPE": "|",
    "SEMICOLON": ";",
    "TAB": "\t",
}
LINE_ENDINGS = {"LF": "\n", "CRLF": "\r\n"}


class State(StrEnum):
    """Salesforce's words for how a job stands."""

    OPEN = "Open"
    UPLOAD_COMPLETE = "UploadComplete"
    IN_PROGRESS = "InProgress"
    JOB_COMPLETE = "JobComplete"
    FAILED = "Failed"
    ABORTED = "Aborted"

    @property
    def is_over(self) -> bool:
        """Whether nothing more will be done."""
        return self in {State.JOB_COMPLETE, State.FAILED, State.ABORTED}


@dataclass(frozen=True, slots=True)
class Order:
    """What a client asked for when it created a job."""

    operation: str
    object_name: str
    external_id: str | None
    line_ending: str
    delimiter: str
    version: str


@dataclass(frozen=True, slots=True)
class Done:
    """A row that was written."""

    record_id: str
    is_new: bool
    values: list[str]


@dataclass(frozen=True, slots=True)
class Refused:
    """A row that was not; the error is in the words of `sf__Error`."""

    record_id: str
    error: str
    values: list[str]


@dataclass(slots=True)
class Job:
    """One job; `contents` are the uploads, of which only a single one can be processed."""

    job_id: str
    order: Order
    actor: Actor
    created_at: datetime
    modified_at: datetime
    state: State = State.OPEN
    contents: list[bytes] = field(default_factory=list)
    header: list[str] = field(default_factory=list)
    done: list[Done] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    unprocessed: list[list[str]] = field(default_factory=list)
    error: str = ""
    worked: float = 0.0

    def brief(self) -> dict[str, Any]:
        """What the reply to a creation shows of it."""
        order = self.order
        shown = {
            "id": self.job_id,
            "operation": order.operation,
            "object": order.object_name,
            "createdById": self.actor.user_id,
            "createdDate": notation.instant(self.created_at),
            "systemModstamp": notation.instant(self.modified_at),
            "state": self.state.value,
            "externalIdFieldName": order.external_id,
            "concurrencyMode": "Parallel",
            "contentType": "CSV",
            "apiVersion": Decimal(order.version),
            "contentUrl": f"services/data/v{order.version}/jobs/ingest/{self.job_id}/batches",
            "lineEnding": order.line_ending,
            "columnDelimiter": order.delimiter,
        }
        return {name: value for name, value in shown.items() if value is not None}

    def info(self) -> dict[str, Any]:
        """What GET shows of it: numberRecordsProcessed counts the failed ones too."""
        milliseconds = round(self.worked * 1000)
        counted = {
            "jobType": "V2Ingest",
            "numberRecordsProcessed": len(self.done) + len(self.refused),
            "numberRecordsFailed": len(self.refused),
            "retries": 0,
            "totalProcessingTime": milliseconds,
            "apiActiveProcessingTime": milliseconds,
            "apexProcessingTime": 0,
        }
        return {**self.brief(), **counted, **({"errorMessage": self.error} if self.error else {})}


class Jobs:
    """The jobs of an org by id, for seven days."""

    def __init__(self) -> None:
        self._jobs: dict[str, Job] = {}
        self._minter = Minter("750")

    def new(self, order: Order, actor: Actor, at: datetime) -> Job:
        """A job that is open for its upload."""
        job = Job(self._minter.mint(), order, actor, created_at=at, modified_at=at)
        self._jobs[job.job_id] = job
        return job

    def get(self, given: str, at: datetime) -> Job:
        """A job by its 15- or 18-character id; raises NOT_FOUND."""
        self._forget_old(at)
        job = next((each for each in self._jobs.values() if given in {each.job_id, each.job_id[:15]}), None)
        if job is None:
            raise not_found()
        return job

    def delete(self, job: Job) -> None:
        """Take a job away; raises INVALIDJOBSTATE while it is open or under way."""
        if job.state in {State.OPEN, State.IN_PROGRESS}:
            raise wrong_state(job, "deleted")
        del self._jobs[job.job_id]

    def listed(self, at: datetime) -> list[Job]:
        """All jobs, the newest first."""
        self._forget_old(at)
        return list(reversed(self._jobs.values()))

    def _forget_old(self, at: datetime) -> None:
        old = [each.job_id for each in self._jobs.values() if at - each.created_at > KEPT]
        for job_id in old:
            del self._jobs[job_id]


def wrong_state(job: Job, what: str) -> SalesforceError:
    """The job does not stand so that this can be done; Salesforce documents the code, the words are ours."""
    message = f"InvalidJobState : Job {job.job_id} cannot be {what} in state {job.state.value}"
    return SalesforceError("INVALIDJOBSTATE", message)
