"""A large m3ter organization kept in Salesforce by a daemon of its own, and what each round of runs cost."""

import asyncio
import math
import time
from collections import Counter
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal

import psutil

from connectors.sandbox import serving
from connectors.sandbox.m3ter import billing, crowd
from state import entity_runs, integrations
from state.entity_models import EntityRun, EntitySync, EntityType, RunCause
from tests.acceptance.commands import Commands
from tests.acceptance.house import House
from tests.bench import stage
from tests.bench.stage import Daemon
from tests.integration import copying
from tests.sandboxes import LocalSandbox, local_sandbox

BILLS = crowd.BILLS_EACH
A_CALL = 200
QUIET = "[entity_data_sync]\nfeed_seconds = 86400\n"
PROGRESS = "SELECT coalesce(sum(entities_read + written), 0) FROM entity_runs"


@dataclass(frozen=True, slots=True)
class Round:
    """One run of each integration. `salesforce` is what Salesforce itself was asked, by kind of call; `cpu`
    the daemon's own seconds; `resident` its MiB by how much was done."""

    runs: Mapping[EntityType, EntityRun]
    salesforce: Counter[str]
    seconds: float
    cpu: float
    resident: list[tuple[int, float]] = field(repr=False)

    @property
    def entities(self) -> int:
        return sum(run.entities_read for run in self.runs.values())

    @property
    def rate(self) -> float:
        """Entities a second."""
        return self.entities / self.seconds

    @property
    def growth(self) -> float:
        """MiB from the first tenth of the work to its end."""
        began, ended = self.resident[0][0], self.resident[-1][0]
        early = next(mib for done, mib in self.resident if done - began >= (ended - began) / 10)
        return self.resident[-1][1] - early

    def told(self) -> str:
        """The figures in one line and the tables of calls."""
        tables = "\n".join(f"  {kind.value}: {dict(run.calls)}" for kind, run in self.runs.items())
        return (
            f"{self.entities:,} entities in {self.seconds:.1f} s, {self.rate:,.0f} a second, "
            f"{self.cpu:.1f} s of CPU, {self.resident[-1][1]:.0f} MiB at its end\n{tables}"
        )


@dataclass(slots=True)
class Scaled:
    """The house, its integrations, and how many accounts m3ter has."""

    house: House
    sandbox: LocalSandbox
    accounts: int
    syncs: dict[EntityType, EntitySync]
    m3sync: Commands

    @property
    def count(self) -> dict[EntityType, int]:
        return {EntityType.ACCOUNT: self.accounts, EntityType.BILL: self.accounts * BILLS}

    async def round(self, daemon: Daemon, number: int) -> Round:
        """Until each has ended its run of this number: the first comes by itself, others by hand."""
        process = psutil.Process(daemon.process.pid)
        began, spent = time.perf_counter(), sum(process.cpu_times()[:2])
        await self.sandbox.salesforce_control.clear_journal()
        if number > 1:
            for sync in self.syncs.values():
                await entity_runs.ask(self.house.db, sync.integration.integration_id, RunCause.MANUAL)
        resident = [(int(await self.house.db.fetchval(PROGRESS)), daemon.resident)]
        while len(runs := await self._ended(number)) < len(self.syncs):
            assert daemon.process.returncode is None, daemon.log.read_text()[-2_000:]
            await asyncio.sleep(0.2)  # the daemon is elsewhere: only looking tells
            resident.append((int(await self.house.db.fetchval(PROGRESS)), daemon.resident))
        seconds = time.perf_counter() - began
        resident.append((int(await self.house.db.fetchval(PROGRESS)), daemon.resident))
        return Round(
            runs,
            await copying.calls(self.house),
            seconds,
            sum(process.cpu_times()[:2]) - spent,
            resident,
        )

    async def _ended(self, number: int) -> dict[EntityType, EntityRun]:
        found: dict[EntityType, EntityRun] = {}
        for kind, sync in self.syncs.items():
            runs = await entity_runs.list_runs(self.house.db, sync.integration.integration_id)
            if len([run for run in runs if run.status in copying.OVER]) >= number:
                found[kind] = runs[0]
        return found

    def change(self, changed: Mapping[EntityType, int]) -> None:
        """So many accounts are renamed and so many bills calculated anew, spread over all of them."""
        organization = self.sandbox.running.organization
        for number in range(changed[EntityType.ACCOUNT]):
            at = number * self.accounts // changed[EntityType.ACCOUNT]
            account = organization.store.get("Account", crowd.entity_id("Account", at))
            organization.change("Account", account, {"name": f"{account['name']} & Sons"})
        for number in range(changed[EntityType.BILL]):
            at = number * self.accounts * BILLS // changed[EntityType.BILL]
            lines = [billing.line("Calls", Decimal(number) / 100)]
            billing.rebill(organization, crowd.entity_id("Bill", at), lines)


def calls_for(records: int) -> int:
    """sObject Collections calls that so many records of one type need."""
    return math.ceil(records / A_CALL)


@asynccontextmanager
async def company(
    server: str,
    accounts: int,
    *,
    kinds: Collection[EntityType] = (EntityType.ACCOUNT, EntityType.BILL),
    more: str = "",
) -> AsyncIterator[Scaled]:
    """So many accounts and three times as many bills in m3ter, nothing in Salesforce, no daemon yet.

    `more` is of the settings of entity data syncs."""
    async with (
        local_sandbox(serving.Options(empty=True, m3ter_scale=accounts)) as sandbox,
        stage.staged(sandbox, server, QUIET + more) as staged,
    ):
        house = staged.house
        await integrations.disable(house.db, house.integration.name)
        await copying.declare(house)
        syncs = {kind: await copying.added(house, kind) for kind in kinds}
        yield Scaled(house, sandbox, accounts, syncs, staged.m3sync)
