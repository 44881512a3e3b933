"""`run` and `migrate`: the service itself, and the schema it needs."""

import asyncio
import signal
from typing import Annotated

import typer

from daemon import app
from daemon.cli import printing, session
from daemon.cli.session import command
from state import migrations

_SAME_WISH_SECONDS = 2

AsJson = Annotated[bool, typer.Option("--json", help="One JSON document instead of text.")]


def is_alone(context: typer.Context) -> bool:
    """Whether a group was called without one of its commands, and so lists.

    Raises typer.BadParameter for an option in front of a command, where it would be ignored.
    """
    if context.invoked_subcommand is None:
        return True
    for name in context.params:
        source = context.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE":
            raise typer.BadParameter(f"Options belong behind {context.invoked_subcommand!r}.")
    return False


def stop_on_signals(stop: asyncio.Event) -> None:
    """SIGTERM, SIGINT or a closed terminal ask for an orderly stop; one more, later, does not wait for it."""
    loop, main = asyncio.get_running_loop(), asyncio.current_task()
    asked_at: list[float] = []

    def ask() -> None:
        asked_at.append(loop.time())
        # A terminal, make and a service manager may each pass on the same wish.
        if main is not None and asked_at[-1] - asked_at[0] > _SAME_WISH_SECONDS:
            main.cancel()
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ask)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as nohup has it
        loop.add_signal_handler(signal.SIGHUP, ask)


@command
async def run() -> None:
    """Run the service until SIGTERM or Ctrl-C."""
    settings = session.load_settings(is_service=True)
    stop = asyncio.Event()
    stop_on_signals(stop)
    await app.run(settings, stop)


@command
async def migrate(*, as_json: AsJson = False) -> None:
    """Bring the database up to this version."""
    settings = session.load_settings()
    async with app.location(settings) as url:
        applied = await migrations.migrate(url)
    if as_json:
        printing.document({"applied": applied})
    elif applied:
        for name in applied:
            printing.line(f"applied {name}")
    else:
        printing.line("The database is up to date.")
