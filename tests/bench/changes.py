"""One change in Salesforce and what the daemon made of it: how long, and how much of that was outside."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from state import record_states, runs
from tests.acceptance import house as houses
from tests.acceptance.house import House
from tests.bench import tapped
from tests.bench.tapped import Span

Entry = dict[str, Any]
WRITES = ("POST", "PUT", "DELETE")


@dataclass(frozen=True, slots=True)
class Passage:
    """From a change's commit in Salesforce to its end, in milliseconds.

    `outside` is while a call was under way, as the daemon saw it; `served` is what the sandbox itself spent.
    """

    total: float
    outside: float
    served: float
    salesforce: list[Entry]
    m3ter: list[Entry]

    @property
    def beyond(self) -> float:
        return self.total - self.outside

    @property
    def writes(self) -> int:
        return sum(each["method"] in WRITES for each in self.m3ter)


async def won(house: House) -> list[str]:
    """The Opportunities that may still be won, so that winning each is a change."""
    found = await house.query("SELECT Id FROM Opportunity WHERE StageName <> 'Closed Won' ORDER BY Name")
    return [str(each["Id"]) for each in found]


@dataclass(frozen=True, slots=True)
class Observer:
    """Follows changes through a tapped daemon that has nothing else to do; `calls` is the tap's file."""

    house: House
    calls: Path

    async def passage(self, record_id: str, fields: dict[str, Any]) -> Passage:
        """Change the record and follow it until its run has ended."""
        return await _passage(self, record_id, fields)


async def _passage(observer: Observer, record_id: str, fields: dict[str, Any]) -> Passage:
    house = observer.house
    controls = house.sandbox.salesforce_control, house.sandbox.m3ter_control
    for control in controls:
        await control.clear_journal()
    observer.calls.write_text("")
    before = await _last_run(house, record_id)
    await house.salesforce("PATCH", f"/sobjects/Opportunity/{record_id}", fields)

    async def next_run() -> UUID | None:
        found = await _last_run(house, record_id)
        return found if found != before else None

    run_id = await houses.until(next_run, seconds=60)
    run = await runs.get(house.db, run_id)
    assert run.success, run
    assert run.completed_at
    began = await house.db.fetchval(
        "SELECT max(committed_at) FROM change_events WHERE record_id = $1", record_id
    )
    queries, exchanges = [_exchanges(await control.journal()) for control in controls]
    writes = [_span(each)[1] for each in exchanges if each["method"] in WRITES]
    ended = max(writes, default=run.completed_at)
    return Passage(
        _milliseconds(ended - began),
        _covered(tapped.spans(observer.calls), began, ended),
        _covered(map(_span, [*queries, *exchanges]), began, ended),
        queries,
        exchanges,
    )


async def _last_run(house: House, record_id: str) -> UUID | None:
    state = await record_states.get(house.db, house.integration.integration_id, record_id)
    return None if state is None else state.last_run_id


def _exchanges(entries: Iterable[Entry]) -> list[Entry]:
    """The daemon's: without the change itself, the long polls, and log-ins."""
    beside = ("/cometd", "/services/oauth2", "/oauth")
    return [each for each in entries if each["method"] != "PATCH" and not each["path"].startswith(beside)]


def _span(entry: Entry) -> Span:
    began = datetime.fromisoformat(entry["time"])
    return began, began + timedelta(milliseconds=float(entry["milliseconds"]))


def _covered(spans: Iterable[Span], began: datetime, ended: datetime) -> float:
    """Milliseconds between both times in which at least one of the spans was going on."""
    covered, reached = timedelta(), began
    for first, last in sorted(spans):
        upto = min(last, ended)
        if upto > reached:
            covered += upto - max(first, reached)
            reached = upto
    return _milliseconds(covered)


def _milliseconds(duration: timedelta) -> float:
    return duration / timedelta(milliseconds=1)
