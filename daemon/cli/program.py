"""The program itself: global options, every command in its place, and what is left to go wrong."""

import importlib
import importlib.metadata
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from daemon.cli import session

# The parts of a command are imported when it is called: some need a good part of a second.
_COMMANDS = {
    "run": "running:run",
    "demo": "demo:demo",
    "sandbox": "sandbox:group",
    "migrate": "running:migrate",
    "doctor": "doctor:doctor",
    "status": "status:status",
    "sync": "syncing:sync",
    "integrations": "integrations:group",
    "credentials": "credentials:group",
    "mappings": "mappings:group",
    "runs": "runs:group",
    "salesforce": "salesforce:group",
    "apply": "applying:apply",
    "export": "applying:export",
    "explain": "explain:explain",
}


class _Commands(dict[str, Any]):
    """Where each command is, and the command itself when it is got."""

    def get(self, name: str, default: Any = None) -> Any:
        if name not in self:
            return default
        module, attribute = self[name].split(":")
        found = getattr(importlib.import_module(f"daemon.cli.{module}"), attribute)
        parent = typer.Typer(add_completion=False, rich_markup_mode=None)
        if isinstance(found, typer.Typer):
            parent.add_typer(found, name=name)
        else:
            parent.command(name)(found)
        return typer.main.get_group(parent).commands[name]


class _Program(TyperGroup):
    def __init__(self, **attrs: Any) -> None:
        super().__init__(**attrs)
        self.commands = _Commands(_COMMANDS)


program = typer.Typer(
    name="m3sync",
    cls=_Program,
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
