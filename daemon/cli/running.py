"""`run` and `migrate`: the service itself, and the schema it needs."""

import asyncio

from daemon import app, location
from daemon.cli import printing, session
from daemon.cli.options import AsJson
from daemon.cli.session import command
from daemon.cli.stopping import stop_on_signals
from state import migrations


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
    async with location.of_database(settings) as url:
        applied = await migrations.migrate(url)
    if as_json:
        printing.document({"applied": applied})
    elif applied:
        for name in applied:
            printing.line(f"applied {name}")
    else:
        printing.line("The database is up to date.")
