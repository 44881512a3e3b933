"""Hears one org's change events and makes them durable: inbox rows and replay ids in one transaction."""

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

import structlog

from connectors.errors import SyncError
from connectors.salesforce.models import Batch
from connectors.salesforce.outages import Pace
from connectors.salesforce.stream import ChangeStream, ChannelRefused, ReplayRejected
from daemon.to_m3ter import intake, retries, waiting
from daemon.to_m3ter.intake import Heard, Watch
from daemon.to_m3ter.retries import Policy
from daemon.to_m3ter.standing import Standing
from daemon.to_m3ter.workplace import Org
from state import checkpoints, health, inbox, record_parents
from state.database import Connection, Db, transaction
from state.errors import DatabaseUnavailable
from state.models import Cause, Target

log = structlog.get_logger(__name__)

COMETD = "cometd"
ALL_RETAINED = "-2"
REREAD = "Sync the records that changed meanwhile by hand: `m3sync sync ID`."


@dataclass(frozen=True, slots=True)
class Timings:
    """How patiently trouble is waited out, and how soon a refused channel is asked for again."""

    policy: Policy = field(default_factory=Policy)
    pace: Pace = field(default_factory=Pace)
    refused: timedelta = timedelta(minutes=5)


@dataclass(slots=True)
class Subscriber:
    """One streaming session for all the channels that integrations of one org want."""

    db: Db
    org: Org
    standing: Standing
    watched: Watch
    timings: Timings = field(default_factory=Timings)
    _refused: set[str] = field(default_factory=set)
    _failures: int = 0

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop`. Trouble with Salesforce or the database is waited out here."""
        while not stop.is_set():
            try:
                await self._listen(stop)
                self._failures = 0
            except ReplayRejected as error:
                await self._start_over(error)
            except ChannelRefused as error:
                self._refused.add(error.channel)
                await self.standing.unwell(error)
            except SyncError as error:
                await self.standing.unwell(error)
                await self._wait(stop)
            except DatabaseUnavailable as error:
                log.error("events cannot be kept", reason=error.reason, instruction=error.instruction)
                await self._wait(stop)

    async def _wait(self, stop: asyncio.Event) -> None:
        self._failures += 1
        await waiting.pause(stop, retries.pause(self._failures, self.timings.policy))

    async def _listen(self, stop: asyncio.Event) -> None:
        """Until `stop`, or until channels that were refused are due to be asked for again."""
        org_id = await self.org.org_id()
        wanted = [channel for channel in self.watched.channels if channel not in self._refused]
        if not wanted:
            await self._until_refused_are_due(stop)
            return
        known = await checkpoints.get(self.db, org_id, COMETD, wanted)
        ending = asyncio.Event()
        stream = ChangeStream(
            self.org.salesforce,
            ending,
            on_outage=self.standing.unwell,
            on_recovery=self.standing.well,
            pace=self.timings.pace,
        )
        watcher = asyncio.create_task(self._end(stop, ending), name="end of listening")
        try:
            async for batch in stream.batches({channel: known.get(channel) for channel in wanted}):
                if not batch.events:
                    await self._listening(org_id, [channel for channel in wanted if channel not in known])
                else:
                    await self._keep_until_kept(batch, org_id, stop)
        finally:
            watcher.cancel()
            await asyncio.gather(watcher, return_exceptions=True)

    async def _end(self, stop: asyncio.Event, ending: asyncio.Event) -> None:
        if self._refused:
            await self._until_refused_are_due(stop)
        else:
            await stop.wait()
        ending.set()

    async def _until_refused_are_due(self, stop: asyncio.Event) -> None:
        await waiting.pause(stop, self.timings.refused)
        self._refused.clear()

    async def _listening(self, org_id: str, without_checkpoint: list[str]) -> None:
        """All channels are subscribed. One that never had an event is replayed whole after a restart: it has
        no replay id yet to go on from, and what comes while the daemon is down must not be missed."""
        self._failures = 0
        async with transaction(self.db) as tx:
            await checkpoints.advance(tx, org_id, COMETD, dict.fromkeys(without_checkpoint, ALL_RETAINED))
        if not self._refused:
            await self.standing.well()
        log.info("listening", channels=[*self.watched.channels], refused=sorted(self._refused))

    async def _keep_until_kept(self, batch: Batch, org_id: str, stop: asyncio.Event) -> None:
        """The next batch is asked for only when this one is durable (law 1)."""
        failures = 0
        while True:
            try:
                await self._keep(batch, org_id)
            except DatabaseUnavailable as error:
                if stop.is_set():
                    raise  # not kept, so the next start hears it again
                if not failures:
                    log.error("events cannot be kept", reason=error.reason, instruction=error.instruction)
                failures += 1
                await waiting.pause(stop, retries.pause(failures, self.timings.policy))
            else:
                if failures:
                    log.info("events can be kept again", failures=failures)
                return

    async def _keep(self, batch: Batch, org_id: str) -> None:
        found = intake.sort(batch.events, self.watched)
        async with transaction(self.db) as tx:
            await self._receive(tx, org_id, found.heard)
            await checkpoints.advance(tx, org_id, COMETD, found.positions, found.event_at)
            for channel, what in found.windows.items():
                await self._tell_window(tx, channel, what)

    async def _receive(self, tx: Connection, org_id: str, heard: list[Heard]) -> None:
        """Lines lead to their parents; one whose parent nobody knows waits for the worker to ask for it."""
        lines = intake.lines_of(heard, self.watched)
        remembered = await record_parents.parents_of(tx, org_id, lines) if lines else {}
        led: dict[UUID, set[tuple[str, str]]] = {}
        by_targets: dict[tuple[Target, ...], list[Heard]] = {}
        for each in heard:
            found = intake.lead(each, remembered, self.watched)
            for integration_id, parents in found.parents.items():
                led.setdefault(integration_id, set()).update(parents)
            by_targets.setdefault(tuple(found.orphans), []).append(each)
        for orphans, some in by_targets.items():
            targets = [*self.watched.parents, *orphans]
            await inbox.receive(tx, org_id, [each.change for each in some], targets)
        for integration_id, parents in led.items():
            await inbox.put_many(tx, integration_id, sorted(parents), cause=Cause.CHANGE)
        pairs = {(each.change.record_id, parent) for each in heard for parent in each.named.values()}
        await record_parents.remember(tx, org_id, sorted(pairs))

    async def _start_over(self, error: ReplayRejected) -> None:
        """Everything still retained is replayed; what is older than that may be missing, and is told."""
        org_id = await self.org.org_id()
        async with transaction(self.db) as tx:
            if error.replay_id == ALL_RETAINED:
                await checkpoints.forget(tx, org_id, COMETD, [error.channel])
            else:
                await checkpoints.advance(tx, org_id, COMETD, {error.channel: ALL_RETAINED})
            await self._tell_window(tx, error.channel, error.message)

    async def _tell_window(self, tx: Connection, channel: str, what: str) -> None:
        log.warning("changes may be missing", channel=channel, reason=what)
        subject = f"window:{self.standing.subject.partition(':')[2]}:{channel}"
        await health.report(tx, subject, is_well=False, message=f"{channel}: {what}", instruction=REREAD)
