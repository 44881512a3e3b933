"""`demo`: the whole of m3sync on this machine, between two emulated systems, until Ctrl-C."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from socket import socket
from typing import Annotated, Any
from uuid import UUID

import typer

from connectors.salesforce import rest
from daemon import app, logs
from daemon.cli import demo_stage, printing
from daemon.cli.demo_stage import Stage
from daemon.cli.sandbox import DEMO_SANDBOX, client_credential
from daemon.cli.session import CommandFailed, command
from daemon.cli.stopping import stop_on_signals
from daemon.settings import Settings
from daemon.web import wording
from state import database, embedded, health, insights, integrations, migrations
from state.database import Db
from state.errors import DatabaseUnavailable
from state.insight_models import RunFilter, RunStory

_LOOK_SECONDS = 0.25
_LISTENING_SECONDS = 60
_FIRST_SYNCS = 2
_OPEN = (
    "SELECT Id, Name, AccountId FROM Opportunity WHERE IsClosed = false AND Account.Billing_Email__c != null "
    "ORDER BY Name"
)


@command
async def demo(
    *,
    directory: Annotated[Path, typer.Option(help="Where everything of the demo is kept.")] = Path(".demo"),
) -> None:
    """Show m3sync at work between two emulated systems."""
    demo_stage.forget_environment()
    stop = asyncio.Event()
    stop_on_signals(stop)
    with demo_stage.taken(directory) as stage:
        printing.line("Starting PostgreSQL, both emulated systems and m3sync ...", printing.PALE)
        await demo_stage.clear(stage)
        with demo_stage.door() as door, stage.log.open("w", encoding="utf-8") as log:
            found = demo_stage.configure(stage, door.getsockname()[1])
            logs.configure(found.log.level, "json", stream=log)
            await _play(stage, found, door, stop)
    printing.line()
    printing.line("Everything was stopped.", printing.PALE)


async def _play(stage: Stage, found: Settings, door: socket, stop: asyncio.Event) -> None:
    async with demo_stage.sandbox(stage) as facts, embedded.server(found.state_directory) as url:
        await migrations.migrate(url)
        async with database.connect(url, max_size=3) as db:
            await demo_stage.set_up(db, found, facts)
            daemon = asyncio.create_task(app.run(found, stop, door), name="daemon")
            try:
                await _show(stage, found, facts, db, _Ending(stop, daemon))
            finally:
                stop.set()
                await daemon


class _Ending:
    """When to stop looking: somebody asked for it, or the daemon ended by itself."""

    def __init__(self, stop: asyncio.Event, daemon: asyncio.Task[None]) -> None:
        self._stop = stop
        self._daemon = daemon

    async def has_come(self, seconds: float) -> bool:
        """Waits so long at most."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stop.wait()
        return self._stop.is_set() or self._daemon.done()


async def _show(stage: Stage, found: Settings, facts: Mapping[str, Any], db: Db, ending: _Ending) -> None:
    if not await _listens(db, ending):
        return
    printing.line()
    printing.facts(
        {
            "Panel": f"http://{found.http.host}:{found.http.port}/",
            "Salesforce (sandbox)": facts["salesforce"]["url"],
            "m3ter (sandbox)": facts["m3ter"]["url"],
            "Log": stage.log,
        }
    )
    printing.line()
    printing.heading("First syncs: closing two opportunities in Salesforce")
    names, left = await _win(facts)
    shown: set[UUID] = set()
    latest: list[RunStory] = []
    is_told = False
    while not await ending.has_come(_LOOK_SECONDS):
        with suppress(DatabaseUnavailable):  # then it is looked again
            latest = await insights.latest_runs(db, RunFilter(limit=50))
        for told in reversed(latest):
            if told.run.completed_at is not None and told.run.run_id not in shown:
                shown.add(told.run.run_id)
                _print_run(told, names)
        if not is_told and len(shown) >= _FIRST_SYNCS:
            is_told = True
            _print_hints(stage, found, left)


async def _listens(db: Db, ending: _Ending) -> bool:
    """Once the streams listen; False when asked to end meanwhile."""
    wanted = asyncio.get_running_loop().time() + _LISTENING_SECONDS
    while not await ending.has_come(_LOOK_SECONDS):
        reports = {each.subject: each for each in await health.all(db)}
        streams = [
            reports.get(f"stream:{each.name}") for each in await integrations.to_m3ter(db, only_enabled=True)
        ]
        if streams and all(stream is not None and stream.is_well for stream in streams):
            return True
        if asyncio.get_running_loop().time() > wanted:
            raise CommandFailed(
                "m3sync did not begin to listen within a minute.", "Read the log in the demo's directory."
            )
    return False


async def _win(facts: Mapping[str, Any]) -> tuple[dict[str, str], list[dict[str, Any]]]:
    """Close two opportunities as a salesman would; gives the names of all and those left open.

    One of each account, as two of one may overlap, and m3ter takes only the first.
    """
    async with rest.open(client_credential(facts["salesforce"]), client_name="m3sync-demo") as salesforce:
        found = [record async for page in salesforce.query(_OPEN) for record in page]
        firsts: dict[str, dict[str, Any]] = {}
        for record in found:
            firsts.setdefault(record["AccountId"], record)
        apart = list(firsts.values())
        for record in apart[:_FIRST_SYNCS]:
            await salesforce.update("Opportunity", record["Id"], {"StageName": "Closed Won"})
    return {record["Id"]: record["Name"] for record in found}, apart[_FIRST_SYNCS:]


def _print_run(told: RunStory, names: Mapping[str, str]) -> None:
    run, word = told.run, wording.came_to(told.run)
    name = names.get(run.record_id, run.record_id)
    lasted = wording.lasting(run.completed_at - run.started_at) if run.completed_at else ""
    printing.line(
        f"  {run.started_at:%H:%M:%S}  {run.object_name} {name}: {word}, {_done(told)} in {lasted}",
        printing.style_of(word),
    )


def _done(told: RunStory) -> str:
    """`6 created, 1 unchanged` of a run's objects."""
    actions = [each.action for each in told.objects]
    counts = [f"{actions.count(action)} {action}" for action in dict.fromkeys(actions)]
    return ", ".join(counts) or "no object"


def _print_hints(stage: Stage, found: Settings, left: list[dict[str, Any]]) -> None:
    if not left:
        return
    record_id, program = left[0]["Id"], printing.program()
    place = "" if stage.sandbox == DEMO_SANDBOX.absolute() else f" --at {printing.short(stage.sandbox)}"
    printing.line()
    printing.heading("Try this in another terminal")
    printing.line(f'Close "{left[0]["Name"]}" in Salesforce:', printing.PALE)
    printing.line(f'  {program} sandbox edit{place} Opportunity {record_id} StageName="Closed Won"')
    printing.line("See what became of it, here, in the panel, or in full:", printing.PALE)
    printing.line(f"  {program} --config {printing.short(stage.config)} explain {record_id}")
    printing.line(f"Panel: http://{found.http.host}:{found.http.port}/records/{record_id}", printing.PALE)
    printing.line("Ctrl-C ends everything.", printing.PALE)
    printing.line()
