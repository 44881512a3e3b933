"""Entity data syncs in words, for the panel and for the command line."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from daemon.web import wording
from state import entity_runs, sentence
from state.entity_insights import EntityStatus
from state.entity_models import (
    HOURLY,
    CopyIssue,
    CopyStatus,
    EntityRun,
    EntitySync,
    EntitySyncSettings,
    EntityType,
)
from state.models import RunStatus

_IDS_SHOWN = 5
_INNER = ("lease_until", "claimed_by", "cursor")
_MEND = "Mend what Salesforce names; it is tried again when it changes, or when you say so."
# Codes of one row's refusal (Salesforce's StatusCode) that people meet, and what helps.
_REMEDIES = {
    "FIELD_CUSTOM_VALIDATION_EXCEPTION": "A validation rule of the org refuses it: exempt the user of m3sync "
    "from the rule, or correct the value in m3ter.",
    "INVALID_FIELD": "The org has no such field, or the user of m3sync may not see it: deploy the metadata "
    "package and assign its permission set.",
    "INVALID_FIELD_FOR_INSERT_UPDATE": "The user of m3sync may not write the field: assign the "
    "permission set of the metadata package.",
    "INSUFFICIENT_ACCESS_OR_READONLY": "The user of m3sync may not write the record: assign the permission "
    "set of the metadata package.",
    "REQUIRED_FIELD_MISSING": "The org demands a field that m3sync does not fill: map a custom field to it, "
    "or let it be empty.",
    "STRING_TOO_LONG": "The field is too short for the value: lengthen it in Salesforce, or shorten the "
    "value in m3ter.",
    "M3SYNC_UNFIT": "Correct the value in m3ter, and it is tried again by itself; or leave the field out in "
    "[entity_data_sync] names.",
    "UNANSWERED": "Have an administrator see which trigger or flow of the org fails over the record; it is "
    "tried again when it changes, or when you say so.",
    "DUPLICATES_DETECTED": "A duplicate rule of the org refuses it: let the rule pass over m3sync's objects.",
}

_TYPES = {EntityType.COMMITMENT: "Commitment (Prepayment)"}


def entity_type(which: EntityType) -> str:
    """As m3ter calls it, and as its pages do."""
    return _TYPES.get(which, which.value)


def title(sync: EntitySync) -> str:
    """`Entity Data Sync: Bill, to m3ter Connector`."""
    settings = sync.settings
    return f"{sync.integration.flow}: {entity_type(settings.entity_type)}, to {settings.namespace.value}"


def counts(run: EntityRun) -> list[tuple[str, int]]:
    """What was read, and what came of it; what is always said first, the rest where there is any."""
    said = [("read in m3ter", run.entities_read), ("differed", run.differing), ("written", run.written)]
    seldom = [
        ("of these created", run.created),
        ("marked as gone", run.marked),
        ("deleted", run.deleted),
        ("refused", run.refused),
    ]
    return [*said, *((name, count) for name, count in seldom if count)]


def summary(run: EntityRun) -> str:
    """`5 read, 2 differed, 2 written, 1 refused`."""
    short = {"read in m3ter": "read", "of these created": "created", "marked as gone": "marked"}
    return ", ".join(f"{count:,} {short.get(name, name)}" for name, count in counts(run))


def has_failed(run: EntityRun) -> bool:
    """Whether it ended otherwise than well, or something of it was refused."""
    return bool(run.refused) or (run.completed_at is not None and run.status is not RunStatus.COMPLETE)


def lasted(run: EntityRun) -> str:
    """How long, or what it waits for."""
    if run.started_at is None:
        return "waits for the service" if run.completed_at is None else "never begun"
    if run.completed_at is None:
        return f"since {wording.lasting(datetime.now(UTC) - run.started_at)}"
    return wording.lasting(run.completed_at - run.started_at)


def refusal(issue: CopyIssue) -> str:
    """Salesforce's own message, with its code and the fields that it names."""
    fields = f" [{', '.join(issue.fields)}]" if issue.fields else ""
    said = sentence.ended(issue.message)
    is_named = not issue.code or said.startswith(issue.code)
    return f"{said if is_named else f'{issue.code}: {said}'}{fields}"


def remedy(issue: CopyIssue) -> str:
    """What to do about a refusal, by Salesforce's code."""
    if issue.status is CopyStatus.WAITING:
        return f"It is tried again by itself at {wording.shown(issue.due_at)} UTC."
    return _REMEDIES.get(issue.code, _MEND)


def backlog(status: EntityStatus) -> str:
    """`3 waiting, 1 refused`, or nothing."""
    now = status.backlog
    counted = ((now.waiting, "waiting"), (now.retrying, "of these tried again"), (now.refused, "refused"))
    return ", ".join(f"{count:,} {word}" for count, word in counted if count)


def advice(status: EntityStatus) -> str:
    """What went wrong last, and what to do about it; nothing when nothing did."""
    run = status.last_run
    return status.disabled_because or (
        wording.advised(run.error, run.instruction) if run and run.error else ""
    )


def automatic(status: EntityStatus) -> str:
    """`on: every 10m ...`, `off`, or `off, after 10 successive errors`."""
    if status.sync.integration.enabled:
        return f"on: {when(status.sync.settings)}"
    return f"off, after {entity_runs.STREAK} successive errors" if status.disabled_because else "off"


def when(settings: EntitySyncSettings) -> str:
    """`every 10m`, or the cron expression with its zone."""
    text = settings.schedule
    if text == HOURLY:
        return "at the start of each hour, and as m3ter's events tell"
    return f"{text if text.lower().startswith('every') else f'{text} (UTC)'}, and as m3ter's events tell"


def accounts(settings: EntitySyncSettings) -> str:
    """Whose data is synced: all, some, all but some; a few by their ids."""
    allowed, denied = settings.account_ids, settings.restricted_account_ids
    told = _some(allowed) if allowed else "all"
    return f"{told}; never {_some(denied)}" if denied else told


def _some(ids: Sequence[str]) -> str:
    more = len(ids) - _IDS_SHOWN
    shown = ", ".join(ids[:_IDS_SHOWN])
    return f"{shown} and {more:,} more" if more > 0 else shown


def run_document(run: EntityRun) -> dict[str, Any]:
    """A run for machines; how it is leased and where it reads is nobody's concern."""
    fields: dict[str, Any] = wording.plain(run)
    return {name: value for name, value in fields.items() if name not in _INNER}


def status_document(status: EntityStatus) -> dict[str, Any]:
    """An entity data sync's status for machines."""
    fields: dict[str, Any] = wording.plain(status)
    integration = fields["sync"].pop("integration")
    last = None if status.last_run is None else run_document(status.last_run)
    rest = {name: value for name, value in fields.items() if name != "sync"}
    return {
        "integration": integration,
        **fields["sync"],
        **rest,
        "last_run": last,
        "issue_count": status.issue_count,
    }
