"""The daemon's resident memory: idle, while it works off a backlog, and afterwards."""

import asyncio
import time
from dataclasses import dataclass

from state import insights
from tests.acceptance import house as houses
from tests.acceptance.house import House
from tests.bench import stage
from tests.bench.backlog import serving_backlog
from tests.bench.rows import Reach, Row

BACKLOGS = ((5_000, 100), (50_000, 1_000))  # events, records; every fourth record is an agreement to sync
SETTLING = 2.0
LIMIT = Reach(150)


@dataclass(frozen=True, slots=True)
class Seen:
    """MiB at three times, and events a second while the worker syncs besides."""

    idle: float
    peak: float
    after: float
    rate: float


async def measure() -> list[Row]:
    """A small backlog and one of ten times its size, each before a daemon just started."""
    async with stage.server() as server:
        small, large = [await _seen(server, *each) for each in BACKLOGS]
    events, records = BACKLOGS[-1]
    made_of = f"{events:,} events of {records:,} records, a quarter of them synced"
    return [
        Row("memory, idle", large.idle, "MiB", LIMIT, "listening, nothing to do"),
        Row("memory, most during a backlog", large.peak, "MiB", LIMIT, made_of),
        Row("memory, after it", large.after, "MiB", LIMIT),
        Row("  most, against a tenth of the backlog", large.peak / small.peak, "ratio", None, "1 is flat"),
        Row("  intake while the worker syncs", large.rate, "events/s", Reach(2_000, is_least=True)),
    ]


async def _seen(server: str, events: int, records: int) -> Seen:
    async with serving_backlog(events, records) as sandbox, stage.staged(sandbox, server) as staged:
        async with stage.running(staged.m3sync) as daemon:
            await daemon.until_listening()
            await asyncio.sleep(SETTLING)
            idle = daemon.resident
        last = await sandbox.change()
        async with stage.running(staged.m3sync) as daemon:
            await daemon.until_listening()
            began = time.perf_counter()
            await houses.until(lambda: stage.is_durable(staged.house, last), seconds=120)
            rate = events / (time.perf_counter() - began)
            await houses.until(lambda: _is_empty(staged.house), seconds=240)
            await asyncio.sleep(SETTLING)
            return Seen(idle, daemon.peak, daemon.resident, rate)


async def _is_empty(house: House) -> bool:
    [status] = await insights.statuses(house.db)
    return not status.inbox.waiting and not status.inbox.claimed
