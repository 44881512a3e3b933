"""`runs`: what was run and what came of it."""

from datetime import UTC
from typing import Annotated, Any
from uuid import UUID

import typer

from connectors.salesforce.models import to_id18
from daemon.cli import entity_tables, options, printing, session
from daemon.cli.options import AsJson
from daemon.cli.session import CommandFailed, command
from daemon.web import entity_wording, wording
from state import entity_runs, inbox, integrations, runs, sentence
from state.database import Db
from state.entity_models import EntityRun
from state.errors import NotFound
from state.models import InboxRow, InboxStatus
from state.run_models import LogLine, Run, RunObject

group = typer.Typer(help="What was run, and what came of it; by itself as `list`.")

Failed = Annotated[bool, typer.Option("--failed", help="Only those that did not end well.")]
OfIntegration = Annotated[
    str | None, typer.Option("--integration", metavar="NAME", help="Only those of one integration.")
]
OfRecord = Annotated[str | None, typer.Option("--record", metavar="ID", help="Only those that met a record.")]
Limit = Annotated[int, typer.Option(min=1, max=1_000, help="How many at most.")]


@group.callback(invoke_without_command=True)
def alone(
    context: typer.Context,
    *,
    failed: Failed = False,
    integration: OfIntegration = None,
    record: OfRecord = None,
    limit: Limit = 20,
    as_json: AsJson = False,
) -> None:
    """What was run, and what came of it; by itself as `list`."""
    if options.is_alone(context):
        list_all(failed=failed, integration=integration, record=record, limit=limit, as_json=as_json)


@group.command("list")
@command
async def list_all(
    *,
    failed: Failed = False,
    integration: OfIntegration = None,
    record: OfRecord = None,
    limit: Limit = 20,
    as_json: AsJson = False,
) -> None:
    """The latest runs, newest first."""
    record_id = to_id18(record) if record is not None else None
    async with session.opened() as opened:
        of = None  # a mistyped name is no empty list
        if integration is not None:
            of = (await integrations.get(opened.db, integration)).integration_id
        found = await runs.latest(
            opened.db, integration=integration, record_id=record_id, failed=failed or None, limit=limit
        )
        objects = await runs.objects(opened.db, [run.run_id for run in found])
        aside = await _set_aside(opened.db, integration, record_id) if failed else []
        whole = [] if record_id else await _of_entities(opened.db, of, limit, failed=failed)
    if as_json:
        told = [as_document(run, objects.get(run.run_id, [])) for run in found]
        printing.document([*told, *(entity_wording.run_document(run) for run in whole)])
    elif found or aside or whole:
        _print_all(found, whole)
        _print_set_aside(aside)
    elif failed:
        printing.line("No run has failed.")
    else:
        printing.line("No such run yet." if integration or record else "Nothing was run yet.")


async def _of_entities(db: Db, of: UUID | None, limit: int, *, failed: bool) -> list[EntityRun]:
    """The latest runs of entity data syncs; not ended well is also one of which something was refused."""
    latest = await entity_runs.list_runs(db, of, limit=1_000 if failed else limit)
    return [run for run in latest if not failed or entity_wording.has_failed(run)][:limit]


def _print_all(found: list[Run], whole: list[EntityRun]) -> None:
    if whole:
        printing.heading("To Salesforce")
        entity_tables.print_runs(whole)
    if found and whole:
        printing.line()
        printing.heading("To m3ter")
    if found:
        print_runs(found)


async def _set_aside(db: Db, integration: str | None, record_id: str | None) -> list[InboxRow]:
    """The records that wait for a person, of one integration or record where one is named."""
    rows = await inbox.find(db, record_id=record_id, status=InboxStatus.SET_ASIDE)
    return [row for row in rows if integration in (None, row.integration_name)]


def _print_set_aside(rows: list[InboxRow]) -> None:
    for row in rows:
        times = "1 attempt" if row.attempts == 1 else f"{row.attempts} attempts"
        printing.line(
            f"! {row.record_id} ({row.integration_name}) is set aside after {times}: "
            f"{sentence.ended(row.error or '')} "
            f"Mend what the message names, then `m3sync sync {row.record_id}`.",
            "yellow",
        )


def print_runs(found: list[Run]) -> None:
    """A table of runs in 80 columns; the beginning of an id is for `m3sync runs show`."""
    printing.table(
        ("started (UTC)", "run", "record", "status", "sync status"),
        [
            (
                f"{run.started_at.astimezone(UTC):%m-%d %H:%M:%S}",
                *(str(run.run_id)[:8], run.record_id, run.status, run.sync_status),
            )
            for run in found
        ],
        keep=("started (UTC)", "run", "record", "sync status"),
    )


@group.command()
@command
async def show(
    run: Annotated[str, typer.Argument(metavar="RUN", help="Its id, or the beginning of it.")],
    *,
    as_json: AsJson = False,
) -> None:
    """One run: what came of each object, and every call it made."""
    async with session.opened() as opened:
        run_id = await _find(opened.db, run)
        if whole := await _entity_run(opened.db, run_id):
            _show_entity_run(whole, as_json=as_json)
            return
        found = await runs.get(opened.db, run_id)
        objects = (await runs.objects(opened.db, [run_id])).get(run_id, [])
        lines = (await runs.log(opened.db, [run_id])).get(run_id, [])
    if as_json:
        printing.document({**as_document(found, objects), "log": lines})
        return
    printing.heading(f"run {found.run_id}")
    printing.facts(run_facts(found))
    print_objects(objects)
    print_log(lines)


async def _find(db: Any, run: str) -> UUID:
    try:
        return UUID(run)
    except ValueError:
        ids = [each.run_id for each in await runs.latest(db, limit=1_000)]
        ids += [each.run_id for each in await entity_runs.list_runs(db, limit=1_000)]
        matches = [each for each in ids if str(each).startswith(run)]
    if len(matches) != 1:
        raise CommandFailed(
            f"There are {len(matches) or 'no'} runs that begin with {run[:40]!r}.",
            "Give the whole id: m3sync runs list --json",
        )
    return matches[0]


async def _entity_run(db: Db, run_id: UUID) -> EntityRun | None:
    try:
        return await entity_runs.get(db, run_id)
    except NotFound:
        return None


def _show_entity_run(run: EntityRun, *, as_json: bool) -> None:
    if as_json:
        printing.document(entity_wording.run_document(run))
        return
    printing.heading(f"run {run.run_id}")
    printing.facts(entity_tables.run_facts(run))
    if run.calls:
        entity_tables.print_calls(run)


def run_facts(run: Run) -> dict[str, object]:
    """The facts of a run that say something."""
    facts: dict[str, object] = {
        "record": f"{run.object_name} {run.record_id}",
        "integration": run.integration_name,
        "status": run.status,
        "sync status": run.sync_status,
        "message": run.message,
        "what to do": run.instruction,
        "cause": f"{run.cause}, attempt {run.attempt}",
        "changed (UTC)": run.changed_at,
        "started (UTC)": run.started_at,
        "lasted": run.completed_at - run.started_at if run.completed_at else "still running",
        "next attempt (UTC)": run.next_attempt_at,
    }
    return {name: value for name, value in facts.items() if value not in (None, "")}


def print_objects(objects: list[RunObject]) -> None:
    """One row an object with what was done (created, flagged, failed ...), and what an update changed."""
    if not objects:
        return
    printing.table(
        ("object", "done", "Salesforce id", "message"),
        [(each.object_name, each.action, each.salesforce_id, each.message) for each in objects],
        keep=("object", "done", "Salesforce id"),
    )
    for each in objects:
        for name, change in each.changes.items():
            printing.line(f"  {each.object_name}.{name}: {wording.change_text(change)}", printing.PALE)


def print_log(lines: list[LogLine]) -> None:
    """Every call with status and milliseconds, and every note."""
    for each in lines:
        printing.line(f"  {each.logged_at:%H:%M:%S}  {wording.log_text(each)}")


def as_document(run: Run, objects: list[RunObject]) -> dict[str, Any]:
    """A run and its objects as one JSON object."""
    return {**wording.plain(run), "objects": wording.plain(objects)}
