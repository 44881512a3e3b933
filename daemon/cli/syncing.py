"""`sync`: one record, now, with what came of each object."""

from typing import Annotated

import typer

from daemon import app, outcomes
from daemon.cli import printing, session
from daemon.cli.session import FAILED, command
from daemon.outcomes import SyncResult


@command
async def sync(
    ids: Annotated[
        list[str], typer.Argument(metavar="ID", help="One Salesforce record id, 15 or 18 characters.")
    ],
    *,
    integration: Annotated[
        str | None, typer.Option(help="Which integration, if several watch this kind of record.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="The answer of a Salesforce invocable action.")
    ] = False,
) -> int | None:
    """Sync one record to m3ter and show what came of it."""
    settings = session.load_settings()
    result = await app.sync_one(settings, ids, integration)
    if as_json:
        printing.document(outcomes.invocable_action(result))
    else:
        _print(result)
    return None if result.success else FAILED


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
