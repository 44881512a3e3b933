"""`make soak`: a hundred thousand accounts and three times as many bills, in flat memory."""

from rich.console import Console

from state.entity_models import EntityType
from state.models import RunStatus
from tests.acceptance import scaled
from tests.bench import stage
from tests.bench.memory import LIMIT

ACCOUNTS = 100_000
CHANGED = {EntityType.ACCOUNT: 1_001, EntityType.BILL: 5_000}
FLAT = 20.0  # MiB between the first tenth and the end


async def test_a_hundred_thousand_accounts_and_their_bills_within_150_mib() -> None:
    """By Bulk jobs where very many wait: never more calls than one for 200 records."""
    console = Console()
    async with (
        stage.server() as server,
        scaled.company(server, ACCOUNTS) as company,
        stage.running(company.m3sync) as daemon,
    ):
        first = await company.round(daemon, 1)
        console.print("first:", first.told())
        unchanged = await company.round(daemon, 2)
        console.print("unchanged:", unchanged.told())
        company.change(CHANGED)
        changed = await company.round(daemon, 3)
        console.print("changed:", changed.told(), f"\nat most {daemon.peak:.0f} MiB")
        peak = daemon.peak
    for each, differing in ((first, company.count), (unchanged, {}), (changed, CHANGED)):
        for kind, run in each.runs.items():
            wanted = differing.get(kind, 0)
            assert (run.status, run.entities_read) == (RunStatus.COMPLETE, company.count[kind]), run
            assert (run.differing, run.written, run.refused) == (wanted, wanted, 0), run
        calls = sum(scaled.calls_for(number) for number in differing.values())
        assert sum(each.salesforce.values()) <= calls, each.salesforce
    assert peak < LIMIT.bound
    assert first.growth < FLAT, first.told()
    assert abs(unchanged.growth) < FLAT, unchanged.told()
