"""The world of one example: both systems, a database, two integrations, and a daemon that may die."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from connectors.sandbox import serving
from connectors.sandbox.salesforce.cometd_sessions import Session
from daemon.settings import ListeningSettings, M3terSettings, Settings, SystemSettings, WorkerSettings
from daemon.to_m3ter import presets
from daemon.to_m3ter.mapping import document
from state import database, field_mappings, integrations
from state.models import NewIntegration
from tests import databases, sandboxes
from tests.acceptance import house as houses
from tests.acceptance.house import House
from tests.acceptance.world_company import Company
from tests.acceptance.world_daemon import Daemon
from tests.sandboxes import LocalSandbox

QUIET_SECONDS = 40
SILENCE_SECONDS = 1.5
A_WHILE = 3_600
# Beside the agreements: each Account as it is, and a Contract for each of its sites, which may move.
SITES = """
name = "sites"
flow = "Account Sync"
parent = "Account"

[lines.Service_Sites__r]
object = "Service_Site__c"
parent_field = "Account__c"

[objects.Account]
source = ""

[objects.Account.fields]
name = { path = "Name", transform = ["strip_control", "truncate:200"] }
code = "Id"
emailAddress = "Billing_Email__c"
"address.addressLine1" = { path = "BillingStreet", transform = ["first_line", "truncate:50"] }
"address.addressLine2" = { path = "BillingStreet", transform = ["second_line", "truncate:50"] }
"address.locality" = { path = "BillingCity", transform = "truncate:100" }

[objects.Contract]
source = "Service_Sites__r"

[objects.Contract.fields]
accountId = { object = "Account" }
name = "Name"
code = "Id"
startDate = "Opened_On__c"
endDate = { literal = "2099-10-10" }
"""


@dataclass(frozen=True, slots=True)
class Ground:
    """Where worlds are made: the database server and template, and a directory."""

    server: str
    template: str
    directory: Path


@dataclass(slots=True)
class World:
    """`seen`: the m3ter ids that were there when it was last quiet, as nothing ever deletes one.

    `is_busy`: Salesforce said that it is, and the daemon may be waiting for minutes. `is_deaf`: sessions may
    be given nothing, which is seen by changes that are older than Salesforce needs to tell of them.
    """

    house: House
    sandbox: LocalSandbox
    company: Company
    daemon: Daemon
    channels: list[set[str]]
    seen: set[str] = field(default_factory=set)
    is_busy: bool = False
    is_deaf: bool = False

    async def quiet(self) -> None:
        """Let everything be well, the daemon run, and all that is known be done with."""
        await self.sandbox.salesforce_control.clear_faults()
        await self.sandbox.m3ter_control.clear_faults()
        self.daemon.disarm()
        if self.is_busy:
            await self.daemon.stop()
            self.is_busy = False
        if self.is_deaf:
            self.company.touch()
            await self.sandbox.salesforce_control.advance_clock(A_WHILE)
            self.is_deaf = False
        await self._until_quiet()
        if await self.house.db.fetchval("SELECT count(*) FROM checkpoints WHERE replay_id = '-1'"):
            # What was deleted for good is looked for when a channel without a place gets one.
            self.company.touch()
            await self._until_quiet()

    async def _until_quiet(self) -> None:
        try:
            async with asyncio.timeout(QUIET_SECONDS):
                while not await self._is_quiet():  # noqa: ASYNC110 - of other processes, which no event tells
                    await asyncio.sleep(0.01)
        except TimeoutError:
            raise AssertionError(f"It does not become quiet. {await self.story()}") from None

    async def has_begun(self) -> bool:
        """Whether every channel is listened to, or was."""
        begun = await self.house.db.fetchval("SELECT count(*) FROM checkpoints")
        return bool(begun == sum(map(len, self.channels)))

    async def _is_quiet(self) -> bool:
        self.daemon.start()
        return self._is_heard() and not await self._left() and self._is_heard()

    def _is_heard(self) -> bool:
        """Each integration waits on all its channels behind their last event: what came before is durable."""
        waiting = [each for each in self._sessions() if each.is_held and not each.is_deaf]
        return all(
            any(channels <= set(each.positions) and self._is_at_end(each) for each in waiting)
            for channels in self.channels
        )

    def _is_at_end(self, session: Session) -> bool:
        bus = self.sandbox.running.stream.bus
        return not any(
            channel in event.channels
            for channel, position in session.positions.items()
            for event in bus.after(position)
        )

    def _sessions(self) -> list[Session]:
        return list(self.sandbox.running.stream.cometd.sessions._sessions.values())

    async def _left(self) -> list[str]:
        """What is to be done yet, of the inbox and of the windows that are read again."""
        rows = await self.house.db.fetch(
            """SELECT record_id || ' ' || status || ' ' || coalesce(error, '') AS line FROM inbox
               WHERE status <> 'SET_ASIDE'
               UNION ALL
               SELECT object_name || ' ' || cause || ' ' || status || ' ' || coalesce(error, '') FROM rereads
               WHERE status <> 'READ'"""
        )
        return [row["line"] for row in rows]

    async def story(self) -> str:
        """What there is to see when something is wrong."""
        health = await self.house.db.fetch("SELECT subject, message FROM health WHERE NOT is_well")
        sessions = [(dict(each.positions), each.is_held) for each in self._sessions()]
        told = [f"{row['subject']}: {row['message']}" for row in health]
        return "\n".join(
            [
                f"left: {await self._left()}",
                f"sessions: {sessions}",
                f"newest event: {self.sandbox.running.stream.bus.last_id}",
                f"health: {told}",
                f"log: ...{self.daemon.tail()}",
            ]
        )


@asynccontextmanager
async def opened(ground: Ground, name: str) -> AsyncIterator[World]:
    """Products in both systems, no customer in either, and no daemon yet."""
    place = ground.directory / name
    place.mkdir()
    async with (
        databases.own_database(ground.server, ground.template) as url,
        database.connect(url, min_size=1, max_size=3) as db,
        sandboxes.local_sandbox(serving.Options(scale=0)) as sandbox,
        houses.built(sandbox, db, url, place, presets.text("opportunity")) as house,
    ):
        await _add_sites(house)
        settings = _hurried(house.settings)
        daemon = Daemon(settings, place / "daemon.log")
        wanted = [
            set(document.channels(document.parse(text))) for text in (presets.text("opportunity"), SITES)
        ]
        try:
            world = World(house, sandbox, Company(sandbox.running.org), daemon, wanted)
            world.company.appear()
            yield world
        finally:
            await daemon.kill()


async def _add_sites(house: House) -> None:
    saved = await field_mappings.save(house.db, "sites", SITES)
    await integrations.add(
        house.db,
        NewIntegration(
            "sites",
            "Account Sync",
            saved.field_mapping_id,
            salesforce_credential_id=house.integration.salesforce_credential_id,
            m3ter_credential_id=house.integration.m3ter_credential_id,
            enabled=True,
        ),
    )


def _hurried(settings: Settings) -> Settings:
    worker = WorkerSettings(
        backoff_seconds=0.05,
        backoff_limit_seconds=0.3,
        settle_seconds=0.2,
        poll_seconds=0.3,
        grace_seconds=5,
        lease_seconds=1,
        attempts=100,
    )
    patience = {"connect_seconds": 1, "total_seconds": 1, "attempts": 2, "probe_seconds": 3_600}
    listening = ListeningSettings(silence_minutes=SILENCE_SECONDS / 60)
    m3ter = M3terSettings(**patience, per_second=1_000)
    return settings.model_copy(
        update={
            "worker": worker,
            "listening": listening,
            "salesforce": SystemSettings(**patience),
            "m3ter": m3ter,
        }
    )
