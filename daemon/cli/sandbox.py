"""`sandbox`: both emulated systems, and an edit of one record through the emulated Salesforce's own API."""

import asyncio
import errno
import os
import re
import sys
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import typer

from connectors import http
from connectors.salesforce import rest
from connectors.salesforce.models import SalesforceCredential
from connectors.sandbox import serving
from daemon import logs
from daemon.cli import printing, session
from daemon.cli.session import CommandFailed, command
from daemon.cli.stopping import stop_on_signals

# Where `m3sync demo`, started in the same directory, writes how to reach its sandbox.
DEMO_SANDBOX = Path(".demo/sandbox.json")

_NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?")  # a telephone number begins with a zero and is text

group = typer.Typer(
    help="Serve both emulated systems, or edit a record there.",
    invoke_without_command=True,
    rich_markup_mode=None,
)

Port = Annotated[int, typer.Option(min=0, max=65_535, help="0 takes a free one.")]


@group.callback()
def sandbox(
    context: typer.Context,
    *,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print base URLs and credentials as one JSON object on one line.")
    ] = False,
    salesforce_port: Port = 0,
    m3ter_port: Port = 0,
    empty: Annotated[bool, typer.Option("--empty", help="Without the demo company.")] = False,
    scale: Annotated[int | None, typer.Option(min=1, help="A company of so many accounts.")] = None,
    m3ter_scale: Annotated[
        int | None,
        typer.Option(min=1, help="So many accounts in m3ter already, with contracts, balances and bills."),
    ] = None,
    or_free: Annotated[
        bool, typer.Option("--or-free", hidden=True, help="A free port instead of one that is taken.")
    ] = False,
    tied: Annotated[bool, typer.Option("--tied", hidden=True, help="End when standard input ends.")] = False,
) -> None:
    """Serve both emulated systems until Ctrl-C."""
    if context.invoked_subcommand is not None:
        return
    if empty and scale is not None:
        raise typer.BadParameter("--empty and --scale exclude one another.")
    options = serving.Options(
        salesforce_port, m3ter_port, empty, scale, m3ter_scale=m3ter_scale, or_free=or_free
    )
    code = session.guarded(lambda: asyncio.run(_serve(options, as_json=as_json, tied=tied)))
    raise typer.Exit(code)


async def _serve(options: serving.Options, *, as_json: bool, tied: bool) -> None:
    logs.configure("warning")
    stop = asyncio.Event()
    stop_on_signals(stop)
    if tied:
        asyncio.get_running_loop().add_reader(sys.stdin.fileno(), _stop_at_end_of_input, stop)
    try:
        async with serving.serve(options) as running:
            if as_json:
                printing.raw(running.as_json() + "\n")
            else:
                _describe(running)
            await stop.wait()
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        raise CommandFailed(
            f"A port is taken by another program: {error.strerror}.", "Choose another, or 0 for a free one."
        ) from error


def _stop_at_end_of_input(stop: asyncio.Event) -> None:
    if not os.read(sys.stdin.fileno(), 1_024):
        asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
        stop.set()


def _describe(running: serving.Running) -> None:
    for name, facts in (("Salesforce", running.salesforce), ("m3ter", running.m3ter)):
        printing.heading(f"{name} (sandbox)")
        printing.facts(
            (key, value) for key, value in facts.items() if "\n" not in str(value)
        )  # a private key does not help a reader
    printing.line()
    printing.line("Everything here is made up and forgotten at the end. Ctrl-C ends it.", printing.PALE)


@group.command()
@command
async def edit(
    object_name: Annotated[str, typer.Argument(metavar="OBJECT", help="For example Opportunity.")],
    record_id: Annotated[str, typer.Argument(metavar="ID")],
    changes: Annotated[list[str], typer.Argument(metavar="FIELD=VALUE...")],
    *,
    at: Annotated[Path, typer.Option(help="What `m3sync sandbox --json` printed.")] = DEMO_SANDBOX,
) -> None:
    """Change fields of a record in the emulated Salesforce through its REST API, as a user would."""
    logs.configure("error")
    credential = _credential(at)
    values = dict(_change(text) for text in changes)
    async with rest.open(credential, client_name="m3sync-sandbox-edit") as salesforce:
        await salesforce.update(object_name, record_id, values)
    printing.line(f"{object_name} {record_id} changed in Salesforce: {', '.join(values)}.")


def _credential(at: Path) -> SalesforceCredential:
    try:
        facts = http.loads(at.read_bytes())
    except FileNotFoundError:
        raise CommandFailed(
            f"There is no sandbox described in {at}.",
            "Start `m3sync demo` in this directory, or name by --at a file with what "
            "`m3sync sandbox --json` printed.",
        ) from None
    except (OSError, ValueError) as error:
        raise CommandFailed(
            f"{at} cannot be read: {error}.", "It should hold what `m3sync sandbox --json` printed."
        ) from None
    if not isinstance(facts, dict) or not isinstance(facts.get("salesforce"), dict):
        raise CommandFailed(
            f"{at} describes no sandbox.", "It should hold what `m3sync sandbox --json` printed."
        )
    return client_credential(facts["salesforce"])


def client_credential(facts: dict[str, Any]) -> SalesforceCredential:
    """The sandbox's Salesforce by client credentials, the simplest of its flows."""
    wanted = ("url", "client_id", "client_secret", "api_version")
    return SalesforceCredential.model_validate({key: facts[key] for key in wanted if key in facts})


def _change(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals or not name.isidentifier():
        raise CommandFailed(
            f'"{text}" is not a change.',
            "Write FIELD=VALUE, for example Amount=12000.",
            exit_code=session.WRONG_USAGE,
        )
    return name, _value(value)


def _value(text: str) -> bool | Decimal | str | None:
    """As a JSON writer would guess it: empty is null, true and false, numbers, and text."""
    if text in ("", "true", "false"):
        return {"": None, "true": True, "false": False}[text]
    return Decimal(text) if _NUMBER.fullmatch(text) else text
