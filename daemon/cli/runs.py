"""`runs`: what was run and what came of it."""

from typing import Annotated, Any
from uuid import UUID

import typer

from daemon.cli import printing, session
from daemon.cli.running import AsJson
from daemon.cli.session import CommandFailed, command
from daemon.web import wording
from state import runs
from state.run_models import LogLine, Run, RunObject

group = typer.Typer(help="What was run, and what came of it.", no_args_is_help=True)


@group.command("list")
@command
async def list_all(
    *,
    failed: Annotated[bool, typer.Option("--failed", help="Only those that did not end well.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=1_000)] = 20,
    as_json: AsJson = False,
) -> None:
    """The latest runs, newest first."""
    async with session.opened() as opened:
        found = await runs.latest(opened.db, limit=limit, failed=failed or None)
        objects = await runs.objects(opened.db, [run.run_id for run in found])
    if as_json:
        printing.document([as_document(run, objects.get(run.run_id, [])) for run in found])
    elif not found:
        printing.line("No run has failed." if failed else "Nothing was run yet.")
    else:
        print_runs(found)


def print_runs(found: list[Run]) -> None:
    """A table of runs; the id of one is for `m3sync runs show`."""
    printing.table(
        ("started (UTC)", "run", "record", "came to"),
        [
            (run.started_at, str(run.run_id)[:8], f"{run.object_name} {run.record_id}", wording.came_to(run))
            for run in found
        ],
        keep=("started (UTC)", "run"),
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
        matches = [
            each.run_id for each in await runs.latest(db, limit=1_000) if str(each.run_id).startswith(run)
        ]
    if len(matches) != 1:
        raise CommandFailed(
            f"There are {len(matches) or 'no'} runs that begin with {run}.",
            "Give the whole id: m3sync runs list --json",
        )
    return matches[0]


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
    """One row an object, and what an update changed."""
    if not objects:
        return
    printing.table(
        ("object", "success", "Salesforce id", "message"),
        [(each.object_name, each.success, each.salesforce_id, each.message) for each in objects],
        keep=("object", "Salesforce id"),
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
