"""Entity data syncs as tables and documents: their runs, the calls these made, and what was refused."""

import shlex
from collections.abc import Sequence
from datetime import UTC
from typing import Any

from daemon.cli import printing
from daemon.web import entity_wording, wording
from state.entity_insights import EntityStatus
from state.entity_models import Copy, CopyIssue, EntityRun, EntitySync
from state.models import Integration

NO_INTEGRATION = (
    "There is no integration yet. Make one: m3sync integrations add NAME, with --mapping NAME (to m3ter) or "
    "--entity Account (to Salesforce)."
)


def print_run(run: EntityRun) -> None:
    """What a run came to: its counts, and the calls that it made."""
    status = run.status.value
    printing.line(f"{status} after {entity_wording.lasted(run)}", printing.style_of(status))
    for text in (run.error, run.instruction):
        if text:
            printing.line(text, "yellow")
    printing.table(("records", "count"), [(name, f"{count:,}") for name, count in entity_wording.counts(run)])
    if run.calls:
        printing.line()
        print_calls(run)


def print_calls(run: EntityRun) -> None:
    printing.table(("calls", "count"), [(name, f"{count:,}") for name, count in sorted(run.calls.items())])


def print_runs(found: Sequence[EntityRun]) -> None:
    """A table of runs in 80 columns; the beginning of an id is for `m3sync runs show`."""
    printing.table(
        ("asked for (UTC)", "run", "integration", "status", "read", "written", "refused", "lasted"),
        [
            (
                f"{run.requested_at.astimezone(UTC):%m-%d %H:%M:%S}",
                str(run.run_id)[:8],
                run.integration_name,
                run.status,
                run.entities_read,
                run.written + run.marked + run.deleted,
                run.refused,
                entity_wording.lasted(run),
            )
            for run in found
        ],
        keep=("asked for (UTC)", "run", "status"),
    )


def print_issues(found: Sequence[CopyIssue]) -> None:
    for each in found:
        printing.line(f"  ! {each.m3ter_id}: {entity_wording.refusal(each)}", "yellow")
        printing.line(f"    {entity_wording.remedy(each)}", printing.PALE)


def run_facts(run: EntityRun) -> dict[str, object]:
    """The facts of a run that say something."""
    facts: dict[str, object] = {
        "integration": run.integration_name,
        "status": run.status,
        "message": run.error,
        "what to do": run.instruction,
        "cause": run.cause,
        "asked for (UTC)": run.requested_at,
        "started (UTC)": run.started_at,
        "lasted": entity_wording.lasted(run),
        "pages of m3ter": run.pages,
        "records": entity_wording.summary(run),
        "unchanged": run.unchanged,
    }
    return {name: value for name, value in facts.items() if value not in (None, "")}


def integration(found: Integration, sync: EntitySync | None) -> dict[str, Any]:
    """An integration as JSON, with the settings of an entity data sync where it is one."""
    document: dict[str, Any] = wording.plain(found)
    if sync is not None:
        document |= {"entity_data_sync": wording.plain(sync.settings), "revision": sync.revision}
    return document


def print_status(status: EntityStatus) -> None:
    """The synchronization information of one, as `status` and `integrations show` give it."""
    name = shlex.quote(status.name)
    first, last = status.sync.first_completed_at, status.last_synchronized_at
    backlog = entity_wording.backlog(status)
    done = f", {wording.shown(first)} UTC" if first else ""
    on = entity_wording.automatic(status)
    printing.facts(
        {
            "First synchronization status": f"{status.first_synchronization.value}{done}",
            "Current synchronization status": f"{status.current.value}{f': {backlog}' if backlog else ''}",
            "Synchronization issues": status.issue_count or "none",
            "Last run": _last_run(status.last_run),
            "Date of last synchronization": f"{wording.shown(last)} UTC" if last else "never",
            "Automatic synchronization": on
            if status.sync.integration.enabled
            else f"{on}: m3sync integrations enable {name}",
            "Force synchronization": f"m3sync integrations run {name}",
        }
    )
    if advice := entity_wording.advice(status):
        printing.line(f"  ! {advice}", "yellow")
    print_issues(status.issues)
    if status.issue_count > len(status.issues):
        more = status.issue_count - len(status.issues)
        printing.line(f"    and {more:,} more: m3sync status --json", printing.PALE)
    if status.backlog.refused:
        printing.line(f"    When it is mended: m3sync integrations retry {name}", printing.PALE)


def _last_run(run: EntityRun | None) -> str:
    if run is None:
        return "none yet"
    at = run.started_at or run.requested_at
    return f"{run.status.value} {wording.since(at)} ({run.cause.value}): {entity_wording.summary(run)}"


def print_copies(found: Sequence[Copy]) -> None:
    """What m3ter entities are in Salesforce, and what Salesforce says against it."""
    printing.table(
        ("entity", "status", "Salesforce id", "written (UTC)", "by"),
        [
            (each.entity_type, each.status, each.salesforce_id, each.written_at, each.integration_name)
            for each in found
        ],
        keep=("entity", "status", "Salesforce id"),
    )
    for each in found:
        printing.line(f"  m3ter id {each.m3ter_id}, version {each.version}", printing.PALE)
    print_issues([each for each in found if each.message])
