"""The program itself: global options, every command in its place, and what is left to go wrong."""

import importlib.metadata
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from daemon.cli import (
    applying,
    credentials,
    demo,
    doctor,
    explain,
    integrations,
    mappings,
    running,
    runs,
    salesforce,
    sandbox,
    session,
    status,
    syncing,
)

program = typer.Typer(
    name="m3sync",
    help="Keeps Salesforce and m3ter in step, both ways.",
    epilog="Exit codes: 0 done, 1 it failed, 2 wrong usage, 3 it needs configuration.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"m3sync {importlib.metadata.version('m3sync')}")
        raise typer.Exit


@program.callback()
def _globally(
    config: Annotated[
        Path | None,
        typer.Option(
            "--config",
            "-c",
            envvar="M3SYNC_CONFIG",
            help="The settings file; without it /etc/m3sync/m3sync.toml if that exists.",
        ),
    ] = None,
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and end."),
    ] = False,
) -> None:
    session.config_file.set(config)


program.command("run")(running.run)
program.command("demo")(demo.demo)
program.add_typer(sandbox.group, name="sandbox")
program.command("migrate")(running.migrate)
program.command("doctor")(doctor.doctor)
program.command("status")(status.status)
program.command("sync")(syncing.sync)
program.add_typer(integrations.group, name="integrations")
program.add_typer(credentials.group, name="credentials")
program.add_typer(mappings.group, name="mappings")
program.add_typer(runs.group, name="runs")
program.add_typer(salesforce.group, name="salesforce")
program.command("apply")(applying.apply)
program.command("export")(applying.export)
program.command("explain")(explain.explain)


def main() -> None:
    """Run the command line of this process."""
    if sys.stdout is None:  # closed by whoever started us, who wants the exit code alone
        sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - lasts as long as we
    # typer draws boxes around errors as wide as the terminal says it is; a pipe says nothing.
    os.environ.setdefault("TERMINAL_WIDTH", os.environ.get("COLUMNS", "80"))
    sys.exit(session.guarded(_run))


def _run() -> None:
    for given in sys.argv[1:]:
        try:
            given.encode()
        except UnicodeEncodeError:
            raise session.CommandFailed(
                f"The argument {given!r} is not UTF-8 text.", "Write it so.", exit_code=session.WRONG_USAGE
            ) from None
    program()
