"""Bulk API 2.0 ingest over REST: create, upload, close or abort, look at, results, list, delete."""

from typing import Any

from connectors.sandbox.salesforce import ingest_csv
from connectors.sandbox.salesforce.changes import Actor
from connectors.sandbox.salesforce.errors import SalesforceError
from connectors.sandbox.salesforce.ingest_jobs import DELIMITERS, LINE_ENDINGS, Job, Order, State, wrong_state
from connectors.sandbox.salesforce.rest_call import Call, Reply

OPERATIONS = ("insert", "update", "upsert", "delete")
LARGEST_UPLOAD = 150 * 1024 * 1024
_PAGE = 1000


def create(call: Call) -> Reply:
    """POST jobs/ingest."""
    given = call.fields()
    order = _order(call, given)
    batches = call.ingest.batches
    if batches.used >= batches.limit:
        raise SalesforceError("EXCEEDEDQUOTA", "ExceededQuota : ApiBatchItems Limit exceeded.")
    actor = Actor(call.user_id, call.actor.origin.replace("/api/rest/", "/api/bulkapi/"))
    return Reply(200, call.ingest.jobs.new(order, actor, call.org.now()).brief())


def _order(call: Call, given: dict[str, Any]) -> Order:
    operation = str(given.get("operation", ""))
    if operation == "hardDelete":
        message = "hardDelete operation requires special user profile permission"
        raise SalesforceError("FEATURENOTENABLED", f"FeatureNotEnabled : {message}")
    if operation not in OPERATIONS:
        raise SalesforceError("INVALIDOPERATION", f"InvalidOperation : Unknown operation {operation!r}")
    owner = call.org.schema.find(str(given.get("object", "")))
    if owner is None or owner.is_event:
        raise _invalid(f"Unable to find object: {given.get('object')}")
    by = given.get("externalIdFieldName")
    if operation == "upsert":
        if not by:
            words = f"External ID was blank for {owner.name}. An External ID must be specified for upsert."
            raise _invalid(words)
        found = owner.find(str(by))
        if found is None or not found.is_id_lookup:
            words = (
                f"Field name provided, {by} does not match an External ID, Salesforce Id, or indexed field"
            )
            raise _invalid(f"{words} for {owner.name}")
    return Order(
        operation=operation,
        object_name=owner.name,
        external_id=str(by) if by else None,
        line_ending=_one_of(given, "lineEnding", "LF", LINE_ENDINGS),
        delimiter=_one_of(given, "columnDelimiter", "COMMA", DELIMITERS),
        version=_one_of(given, "contentType", "CSV", ("CSV",)) and call.version,
    )


def _one_of(given: dict[str, Any], name: str, default: str, known: Any) -> str:
    value = given.get(name) or default
    if value not in known:
        raise _invalid(f"{name} must be one of {', '.join(known)}, not {value}")
    return str(value)


def _invalid(message: str) -> SalesforceError:
    return SalesforceError("INVALIDJOB", f"InvalidJob : {message}")


def upload(call: Call) -> Reply:
    """PUT jobs/ingest/ID/batches; a second upload is taken too, and refused when the job is closed."""
    job = _job(call)
    if job.state is not State.OPEN:
        raise wrong_state(job, "uploaded to")
    content = call.body if isinstance(call.body, bytes) else b""
    if -(-len(content) // 3) * 4 > LARGEST_UPLOAD:
        # Salesforce keeps the upload in base64; its limit is on that.
        message = "Request exceeded size limit of 150 MB in base64: upload up to 100 MB of CSV"
        raise SalesforceError("REQUEST_ENTITY_TOO_LARGE", message)
    job.contents.append(content)
    return Reply(201)


def close(call: Call) -> Reply:
    """PATCH jobs/ingest/ID with {"state": "UploadComplete" | "Aborted"}."""
    job = _job(call)
    wanted = call.fields().get("state")
    if wanted == State.ABORTED.value:
        if job.state.is_over:
            raise wrong_state(job, "aborted")
        # The one that works it off sees it at its next chunk, and notes what is unprocessed.
        call.ingest.set_state(job, State.ABORTED)
    elif wanted == State.UPLOAD_COMPLETE.value:
        _complete(call, job)
    else:
        message = f"InvalidJobState : A job can be set to UploadComplete or Aborted, not to {wanted}"
        raise SalesforceError("INVALIDJOBSTATE", message)
    return Reply(200, job.brief())


def _complete(call: Call, job: Job) -> None:
    if job.state is not State.OPEN:
        raise wrong_state(job, "closed")
    if len(job.contents) > 1:
        message = (
            f"Found multiple contents for job: <{job.job_id[:15]}>, please 'Close' / 'Abort' / 'Delete' the "
            "current Job then create a new Job and make sure you only do 'PUT' once on a given Job."
        )
        raise SalesforceError("INVALIDJOB", message)
    call.ingest.set_state(job, State.UPLOAD_COMPLETE)
    call.ingest.begin(job)


def read(call: Call) -> Reply:
    """GET jobs/ingest/ID."""
    return Reply(200, _job(call).info())


def delete(call: Call) -> Reply:
    """DELETE jobs/ingest/ID."""
    call.ingest.jobs.delete(_job(call))
    return Reply(204)


def listed(call: Call) -> Reply:
    """GET jobs/ingest?queryLocator=: a thousand a page."""
    found = call.ingest.jobs.listed(call.org.now())
    asked = call.query.get("queryLocator", "0")
    if not asked.isdecimal():
        raise SalesforceError("INVALID_QUERY_LOCATOR", "invalid query locator")
    start = int(asked)
    end = start + _PAGE
    is_done = end >= len(found)
    more = None if is_done else f"{call.url('jobs', 'ingest')}?queryLocator={end}"
    records = [job.brief() | {"jobType": "V2Ingest"} for job in found[start:end]]
    return Reply(200, {"done": is_done, "records": records, "nextRecordsUrl": more})


def successful(call: Call) -> Reply:
    """GET jobs/ingest/ID/successfulResults."""
    job = _finished(call)
    lines = ([each.record_id, str(each.is_new).lower(), *each.values] for each in job.done)
    return _csv(ingest_csv.written(job, ["sf__Id", "sf__Created"], lines))


def failed(call: Call) -> Reply:
    """GET jobs/ingest/ID/failedResults."""
    job = _finished(call)
    lines = ([each.record_id, each.error, *each.values] for each in job.refused)
    return _csv(ingest_csv.written(job, ["sf__Id", "sf__Error"], lines))


def unprocessed(call: Call) -> Reply:
    """GET jobs/ingest/ID/unprocessedrecords."""
    job = _finished(call)
    return _csv(ingest_csv.written(job, [], job.unprocessed))


def _finished(call: Call) -> Job:
    job = _job(call)
    if not job.state.is_over:
        raise wrong_state(job, "asked for its results")
    return job


def _csv(content: bytes) -> Reply:
    return Reply(200, content, {"Content-Type": "text/csv"})


def _job(call: Call) -> Job:
    return call.ingest.jobs.get(call.path[2], call.org.now())
