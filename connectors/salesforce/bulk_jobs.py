"""A Bulk API 2.0 job as Salesforce tells of it, and what it means that one failed as a whole."""

from dataclasses import dataclass
from datetime import timedelta

from connectors.errors import RateLimited, RejectedError, TransientError
from connectors.salesforce import refusing
from connectors.salesforce.ids import to_id18
from connectors.wire import Json

# Bulk API 2.0 guide, Job States.
OPEN = "Open"
COMPLETE = "JobComplete"
_OVER = frozenset({COMPLETE, "Failed", "Aborted"})

# Exception codes of the Bulk API guide with which a job fails and may do better another time.
_PASSING = frozenset({"timeout", "toomanylockfailure", "internalservererror", "unknown", ""})
_QUOTAS = frozenset({"exceededquota", "exceededlimit"})


@dataclass(frozen=True, slots=True)
class JobInfo:
    """A job as Salesforce last told of it; `processed` counts the failed rows as well."""

    job_id: str
    object_name: str
    key_field: str
    state: str
    processed: int = 0
    failed: int = 0
    error: str = ""

    @property
    def is_over(self) -> bool:
        return self.state in _OVER


def read(body: Json, known: JobInfo, path: str) -> JobInfo:
    """What `path` answered, over what is known of the job. Raises TransientError."""
    if not isinstance(body, dict) or not isinstance(body.get("state"), str):
        raise refusing.odd("with something other than a Bulk job", path)
    return JobInfo(
        job_id=known.job_id or to_id18(str(body.get("id") or "")),
        object_name=str(body.get("object") or known.object_name),
        key_field=str(body.get("externalIdFieldName") or known.key_field),
        state=body["state"],
        processed=_count(body.get("numberRecordsProcessed")),
        failed=_count(body.get("numberRecordsFailed")),
        error=str(body.get("errorMessage") or ""),
    )


def _count(told: Json) -> int:
    return told if isinstance(told, int) else 0


def check_began(info: JobInfo) -> None:
    """Raises for a job that failed before its first row: what is wrong concerns every row alike.

    `InvalidBatch : Field name not found : Nope__c` is such an error.
    """
    if info.state != "Failed" or info.processed:
        return
    code = info.error.partition(":")[0].strip()
    said = f"Salesforce could not process the Bulk job {info.job_id}: {info.error or 'it gives no reason'}"
    if code.lower() in _QUOTAS:
        error = RateLimited(said, instruction="It is tried again later.", code=code)
        error.retry_after = timedelta(hours=1)
        raise error
    if code.lower() in _PASSING:
        raise TransientError(said, instruction="It is tried again.", code=code)
    raise RejectedError(said, instruction="Compare the fields with the object in Setup.", code=code)
