"""`status`: each integration's Synchronization Information, and the latest runs."""

import shlex
from datetime import datetime

import typer

from daemon.cli import entity_tables, presence, printing, runs, session
from daemon.cli.options import AsJson
from daemon.cli.session import command
from daemon.web import entity_wording, rereading, wording
from state import entity_insights, health, insights
from state.insight_models import RunFilter, Status
from state.models import Health

_SHOWN, _IN_JSON = 5, 10_000  # issues of one integration; whoever reads JSON wants them all
_COLOURS = {"good": printing.GOOD, "warn": "yellow", "bad": printing.BAD}


@command
async def status(
    *, limit: int = typer.Option(5, min=0, max=100, help="How many runs to show."), as_json: AsJson = False
) -> None:
    """Each integration, what is wrong, the latest runs."""
    async with session.opened() as opened:
        issues = _IN_JSON if as_json else _SHOWN
        found = await insights.statuses(opened.db, issues=issues)
        syncs = await entity_insights.statuses(opened.db, issues=issues)
        reports = await health.all(opened.db)
        stories = await insights.latest_runs(opened.db, RunFilter(limit=limit)) if limit else []
    is_wanted = any(each.is_automatic for each in found)
    is_wanted = is_wanted or any(each.sync.integration.enabled for each in syncs)
    is_absent = presence.is_absent(reports, presence.fresh(opened.settings))
    if as_json:
        latest = [runs.as_document(story.run, list(story.objects)) for story in stories]
        integrations = [wording.status_document(each) for each in found]
        printing.document(
            {
                "integrations": integrations,
                "entity_data_syncs": [entity_wording.status_document(each) for each in syncs],
                "health": reports,
                "runs": latest,
                "is_service_running": not is_absent,
            }
        )
        return
    if not found and not syncs:
        printing.line(entity_tables.NO_INTEGRATION)
    for each in found:
        show(each)
    for sync in syncs:
        printing.heading(f"{sync.name} ({entity_wording.title(sync.sync)})")
        entity_tables.print_status(sync)
        printing.line()
    if is_wanted and is_absent:
        _print_absence(presence.last_heard_at(reports))
    for report in reports:
        _print_health(report)
    if stories:
        printing.heading("Latest runs to m3ter" if syncs else "Latest runs")
        runs.print_runs([story.run for story in stories])


def show(each: Status) -> None:
    """One integration, in lines."""
    name = each.integration.name
    printing.heading(f"{name} ({each.integration.flow})")
    waiting = f"{each.inbox.waiting} waiting, {each.inbox.claimed} in hand, {each.inbox.set_aside} set aside"
    lag = f", the oldest change is {wording.lasting(each.lag)} old" if each.lag else ""
    first = (
        f", first record {wording.shown(each.first_synchronized_at)} UTC"
        if each.first_synchronized_at
        else ""
    )
    last = each.last_synchronized_at
    printing.facts(
        {
            "First synchronization status": f"{each.first_synchronization.value}{first}",
            "Current synchronization status": f"{wording.current(each)}: {waiting}{lag}",
            "Synchronization issues": each.issue_count or "none",
            "Date of last synchronization": f"{wording.shown(last)} UTC" if last else "never",
            "Automatic synchronization": "on"
            if each.is_automatic
            else f"off: m3sync integrations enable {shlex.quote(name)}",
            "Force synchronization": "m3sync sync ID",
            **_own_writes(each),
        }
    )
    if each.rereads:
        printing.line("  Re-reads", printing.PALE)
    for told in each.rereads:
        printing.line(f"    {rereading.window(told)}:")
        printing.line(f"      {rereading.progress(told)}", _COLOURS.get(rereading.tone(told), ""))
    for issue in each.issues:
        printing.line(f"  ! {issue.subject}: {wording.advised(issue.message, issue.instruction)}", "yellow")
    if each.issue_count > len(each.issues):
        printing.line(
            f"    and {each.issue_count - len(each.issues):,} more: m3sync status --json", printing.PALE
        )
    printing.line()


def _own_writes(each: Status) -> dict[str, str]:
    """How often what m3sync wrote to Salesforce came back, once it has."""
    if not each.echoes + each.near_misses:
        return {}
    near = f"; {each.near_misses} that bear its mark said something else and were" if each.near_misses else ""
    return {"Own writes heard": f"{each.echoes}, not synced{near}"}


def _print_absence(last_heard_at: datetime | None) -> None:
    ago = "" if last_heard_at is None else f" It was last heard of {wording.since(last_heard_at)}."
    printing.line(
        f"! No m3sync service is running, so that nothing is synced.{ago} {presence.START}", printing.BAD
    )


def _print_health(report: Health) -> None:
    if not report.is_well:
        since = wording.since(report.since)
        printing.line(
            f"! {report.subject} ({since}): {wording.advised(report.message, report.instruction)}",
            printing.BAD,
        )
