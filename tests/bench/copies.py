"""The entity data sync: what looking for nothing costs, and how near a first one comes to its slower side."""

from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from daemon.to_salesforce.place import Manner
from state.entity_models import EntityType
from tests.acceptance import scaled
from tests.acceptance.scaled import Round, Scaled
from tests.bench import stage, tapped
from tests.bench.rows import Reach, Row
from tests.bench.stage import Daemon
from tests.sandboxes import ControlApi

ACCOUNTS = 5_000
CEILING = 5_000  # m3ter's: 50 requests a second of 100 entities
LOOKS = (2, 3)


@dataclass(frozen=True, slots=True)
class Pace:
    """How many accounts there are, and seconds that each system takes to answer."""

    accounts: int
    m3ter: float
    salesforce: float


SLOW_M3TER = Pace(7_000, 0.1, 0.4)
SLOW_SALESFORCE = Pace(7_000, 0.02, 1.0)
CALLS_ONLY = "bulk_threshold = 100_000_000\n"  # a Bulk job has no pace to speak of


async def measure() -> list[Row]:
    """Accounts and bills unchanged, then bills alone for the first time each system the slower one."""
    async with stage.server() as server:
        return [*await _unchanged(server), *await _first(server, SLOW_M3TER, SLOW_SALESFORCE)]


async def _unchanged(server: str) -> list[Row]:
    async with (
        scaled.company(server, ACCOUNTS) as company,
        stage.running(company.m3sync) as daemon,
    ):
        first = await company.round(daemon, 1)
        looks = [await company.round(daemon, number) for number in LOOKS]
        peak = daemon.peak
    cpu = sum(each.cpu for each in looks) / sum(each.entities for each in looks)
    calls = max(sum(each.salesforce.values()) for each in looks)
    entities = f"{first.entities:,} Accounts and Bills"
    return [
        Row("entity data sync, unchanged", max(each.rate for each in looks), "records/s",
            Reach(CEILING, is_least=True), f"{entities}, unpaced; the sandbox has its share of the machine"),
        Row("  the daemon's CPU at 5,000 records/s", cpu * CEILING, "cores", Reach(1)),
        Row("  Salesforce calls", calls, "calls", Reach(0)),
        Row("  memory, most", peak, "MiB", Reach(150), "first sync and two more"),
        Row("  first: the daemon's CPU", first.cpu / first.entities * 1_000_000, "µs/record"),
    ]  # fmt: skip


async def _first(server: str, *paces: Pace) -> list[Row]:
    return [row for pace in paces for row in await _paced(server, pace)]


async def _paced(server: str, pace: Pace) -> list[Row]:
    async with AsyncExitStack() as stack:
        opening = scaled.company(server, pace.accounts, kinds=(EntityType.BILL,), more=CALLS_ONLY)
        company = await stack.enter_async_context(opening)
        await company.sandbox.m3ter_control.fault("latency", match={"path": "*/bills"}, seconds=pace.m3ter)
        await company.sandbox.salesforce_control.fault(
            "latency", match={"path": "*/composite/*"}, seconds=pace.salesforce
        )
        daemon = await stack.enter_async_context(stage.running(company.m3sync, is_tapped=True))
        done = await company.round(daemon, 1)
        own = await _own_time(company, daemon)
    slower = max(own, key=own.__getitem__)
    calls = sum(done.salesforce.values())
    made_of = f"{done.entities:,} Bills; {slower} needs {own[slower].total_seconds():.1f} s for its part"
    return [
        Row(f"entity data sync, first, {slower} the slower side", own[slower] / _duration(done) * 100, "%",
            Reach(95, is_least=True), made_of),
        Row("  records for a Salesforce call", done.entities / calls, "records", Reach(200, is_least=True)),
    ]  # fmt: skip


async def _own_time(company: Scaled, daemon: Daemon) -> dict[str, timedelta]:
    """What each system took: m3ter its pages one after the other, Salesforce as many as are in flight."""
    pages = await _taken(company, company.sandbox.m3ter_control, daemon, "*/bills")
    calls = await _taken(company, company.sandbox.salesforce_control, daemon, "*/composite/*")
    return {"m3ter": pages, "Salesforce": calls / Manner().in_flight}


async def _taken(company: Scaled, control: ControlApi, daemon: Daemon, path: str) -> timedelta:
    """Of each call from when the daemon began to send it, by its notes, until the system had answered, by the
    journal of that. A sandbox that is busy hears late of a call, which is its own time; what the daemon needs
    until it reads the answer and then asks again is not."""
    sent = [began for began, _ in tapped.spans(daemon.calls, path)]
    answered = [_answered_at(each) for each in await control.journal(f"path={path}")]
    assert len(sent) == len(answered), "a call that was repeated, or not noted"
    ahead = company.sandbox.running.clock.ahead
    took = (each - ahead - began for began, each in zip(sorted(sent), sorted(answered), strict=True))
    return sum(took, timedelta())


def _answered_at(entry: Mapping[str, Any]) -> datetime:
    return datetime.fromisoformat(entry["time"]) + timedelta(milliseconds=float(entry["milliseconds"]))


def _duration(done: Round) -> timedelta:
    run = done.runs[EntityType.BILL]
    assert run.started_at is not None
    assert run.completed_at is not None
    return run.completed_at - run.started_at
