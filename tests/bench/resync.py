"""The re-sync of an agreement that did not change: calls, writes, time."""

from tests.bench import changes, stage
from tests.bench.changes import Observer
from tests.bench.rows import Reach, Row, percentile
from tests.sandboxes import sandbox_in_process

AGREEMENTS = 40
OBJECTS = 9  # account, contract, commitment, and plan, pricing, account plan of each of two lines


async def measure() -> list[Row]:
    """Agreements are won, then changed in a field that no mapping names."""
    async with (
        stage.server() as server,
        sandbox_in_process("--scale", str(AGREEMENTS * 2)) as sandbox,
        stage.staged(sandbox, server) as staged,
        stage.running(staged.m3sync, is_tapped=True) as daemon,
    ):
        await daemon.until_listening()
        observer = Observer(staged.house, daemon.calls)
        ids = (await changes.won(staged.house))[:AGREEMENTS]
        for each in ids:
            await observer.passage(each, {"StageName": "Closed Won"})
        again = [await observer.passage(each, {"NextStep": "Nothing of m3ter's"}) for each in ids]
    reads = max(len(each.m3ter) - each.writes for each in again) / OBJECTS
    return [
        Row("unchanged re-sync, writes", max(each.writes for each in again), "calls", Reach(0), "the most"),
        Row("unchanged re-sync, Salesforce", max(len(each.salesforce) for each in again), "calls", Reach(1)),
        Row("unchanged re-sync, m3ter", reads, "reads/object", Reach(1), f"{OBJECTS} objects"),
        Row("unchanged re-sync, event to run ended, p50", percentile([e.total for e in again], 50), "ms"),
        Row("  of it beyond the calls, p50", percentile([each.beyond for each in again], 50), "ms"),
    ]
