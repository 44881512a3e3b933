"""From the change event to what is written in m3ter, beyond the outside calls' own time."""

import time
from collections.abc import Sequence

from state.database import Pool
from tests.bench import changes, stage
from tests.bench.changes import Observer, Passage
from tests.bench.rows import Reach, Row, percentile
from tests.sandboxes import sandbox_in_process

COMPANY = 400  # accounts with an agreement each; three of four agreements may still be won
FAR_FIRST, FAR_CHANGED = 15, 60
LATENCY = 0.03
P50, P99 = Reach(25), Reach(150)


async def measure() -> list[Row]:
    """A few hundred Opportunities, one after another: first won, then renamed; then some with a latency."""
    async with (
        stage.server() as server,
        sandbox_in_process("--scale", str(COMPANY)) as sandbox,
        stage.staged(sandbox, server) as staged,
        stage.running(staged.m3sync, is_tapped=True) as daemon,
    ):
        await daemon.until_listening()
        ids = await changes.won(staged.house)
        near, far = ids[:-FAR_FIRST], ids[-FAR_FIRST:]
        observer = Observer(staged.house, daemon.calls)
        await observer.passage(near[0], {"StageName": "Closed Won"})  # logs in, looks codes up
        rows = [
            Row("  one durable commit of this PostgreSQL, p50", await _commit(staged.house.db), "ms"),
            *_rows("first sync", await _won(observer, near[1:])),
            *_rows("changed", await _renamed(observer, near[1:])),
        ]
        for control in (sandbox.salesforce_control, sandbox.m3ter_control):
            await control.fault("latency", seconds=LATENCY)
        return [
            *rows,
            *_rows("first sync, 30 ms away", await _won(observer, far)),
            *_rows("changed, 30 ms away", await _renamed(observer, near[-FAR_CHANGED:])),
        ]


async def _won(observer: Observer, ids: Sequence[str]) -> list[Passage]:
    return [await observer.passage(each, {"StageName": "Closed Won"}) for each in ids]


async def _renamed(observer: Observer, ids: Sequence[str]) -> list[Passage]:
    return [
        await observer.passage(each, {"Name": f"Amended {number} {each}"}) for number, each in enumerate(ids)
    ]


async def _commit(db: Pool) -> float:
    """A row on disk, in milliseconds: a first sync waits for several at each create (README, promise 3)."""
    took = []
    await db.execute("CREATE TABLE bench_commits (number integer)")
    for number in range(200):
        began = time.perf_counter()
        await db.execute("INSERT INTO bench_commits VALUES ($1)", number)
        took.append((time.perf_counter() - began) * 1000)
    return percentile(took, 50)


def _rows(which: str, passages: Sequence[Passage]) -> list[Row]:
    beyond = [each.beyond for each in passages]
    calls = percentile([len(each.salesforce) + len(each.m3ter) for each in passages], 50)
    total = percentile([each.total for each in passages], 50)
    unserved = percentile([each.total - each.served for each in passages], 50)
    made_of = f"{len(passages)} of {calls:.0f} calls each, {total:.0f} ms in all"
    return [
        Row(f"event to m3ter written, {which}, p50", percentile(beyond, 50), "ms", P50, made_of),
        Row(f"event to m3ter written, {which}, p99", percentile(beyond, 99), "ms", P99),
        Row(
            f"  beyond the servers' time only, {which}, p50", unserved, "ms", None, "wire and HTTP client too"
        ),
    ]
