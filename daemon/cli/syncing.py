"""`sync`: one record now, or all that there is, that changed since the last time, or since any time."""

from typing import Annotated

import typer

from daemon import app, invocable
from daemon.cli import printing, resyncing, session
from daemon.cli.resyncing import Span
from daemon.cli.session import FAILED, WRONG_USAGE, CommandFailed, command
from daemon.outcomes import SyncResult

_WAYS = "a record id, --initial, --instant or --since TIME"


@command
async def sync(
    ids: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[ID]", help="One Salesforce record id, 15 or 18 characters.", show_default=False
        ),
    ] = None,
    *,
    initial: Annotated[bool, typer.Option("--initial", help="Everything that there is.")] = False,
    instant: Annotated[
        bool, typer.Option("--instant", help="What changed since the last synchronization.")
    ] = False,
    since: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="What changed since: 2026-01-31, 2026-01-31T09:30 (UTC), 36h, 7d."),
    ] = None,
    object_name: Annotated[
        str | None,
        typer.Option("--object", metavar="NAME", help="With --since: only this Salesforce object."),
    ] = None,
    integration: Annotated[
        str | None, typer.Option(help="Which integration; all that are enabled, or the one that fits the id.")
    ] = None,
    no_wait: Annotated[
        bool, typer.Option("--no-wait", help="Ask the service for it, and do not follow.")
    ] = False,
    as_json: Annotated[
        bool,
        typer.Option("--json", help="One JSON document; of an ID the answer of an invocable action."),
    ] = False,
) -> int | None:
    """Sync one record now, or let the service sync many.

    With an ID this very command syncs the record and shows what came of it. --initial, --instant and --since
    have the service read what there is or what changed, behind its live changes, and follow it to the end.
    """
    span = Span(initial=initial, instant=instant, since=since, object_name=object_name)
    _check(ids, span, no_wait=no_wait)
    if not ids:
        return await resyncing.resync(span, integration, waits=not no_wait, as_json=as_json)
    settings = session.load_settings()
    result = await app.sync_one(settings, ids, integration)
    if as_json:
        printing.document(invocable.answer(result))
    else:
        _print(result)
    return None if result.success else FAILED


def _check(ids: list[str] | None, span: Span, *, no_wait: bool) -> None:
    """Exactly one of the ways, and only with what goes with it."""
    given = [*(["a record id"] if ids else []), *span.ways]
    if not given:
        raise _misused("It was not said what to sync.", f"Give one of {_WAYS}.")
    if len(given) > 1:
        raise _misused(f"{' and '.join(given)} exclude one another.", f"Give one of {_WAYS}.")
    if span.object_name is not None and span.since is None:
        raise _misused("--object goes with --since only.", "Leave it out, or say since when.")
    if no_wait and ids:
        raise _misused("--no-wait does not go with a record id.", "A single record is synced at once.")


def _misused(reason: str, instruction: str) -> CommandFailed:
    return CommandFailed(reason, instruction, exit_code=WRONG_USAGE)


def _print(result: SyncResult) -> None:
    printing.facts(
        {
            "Success": "true" if result.success else "false",
            "Sync Status": result.sync_status.value,
            "Message": result.message,
        },
        indent=0,
    )
    if result.object_results:
        printing.line()
        printing.table(
            ("Object", "Success", "Done", "Salesforce ID", "Message"),
            [
                (each.object_name, each.success, each.action, each.salesforce_id, each.message)
                for each in result.object_results
            ],
            keep=("Object", "Salesforce ID"),
        )
    for instruction in dict.fromkeys(
        text for text in (result.instruction, *(each.instruction for each in result.object_results)) if text
    ):
        printing.line(instruction, "yellow")
