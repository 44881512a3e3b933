"""Hears one integration's change events: inbox rows and replay ids become durable in one transaction."""

import asyncio
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import timedelta

import structlog

from connectors.errors import SyncError
from connectors.salesforce.models import Batch
from connectors.salesforce.outages import Pace
from connectors.salesforce.stream import ChangeStream, ChannelRefused, ReplayRejected
from daemon.to_m3ter import coverage, intake, retries, waiting
from daemon.to_m3ter.intake import Heard, Watch
from daemon.to_m3ter.retries import Policy
from daemon.to_m3ter.standing import Standing
from daemon.to_m3ter.workplace import Org
from state import checkpoints, health, inbox, record_parents
from state.checkpoints import Reader
from state.database import Connection, Db, transaction
from state.errors import DatabaseUnavailable
from state.models import Cause, Target

log = structlog.get_logger(__name__)

REREAD = "Sync the records that changed meanwhile by hand: `m3sync sync ID`."


@dataclass(frozen=True, slots=True)
class Timings:
    """How patiently trouble is waited out, and how soon a refused channel is asked for again.

    `silence`: how long a channel may hear nothing before Salesforce is asked whether that is so. `overlap`:
    how much earlier a window begins than it seems to need.
    """

    policy: Policy = field(default_factory=Policy)
    pace: Pace = field(default_factory=Pace)
    refused: timedelta = timedelta(minutes=5)
    silence: timedelta = timedelta(minutes=15)
    overlap: timedelta = timedelta(minutes=15)


@dataclass(slots=True)
class Subscriber:
    """One streaming session for all the channels that one integration wants.

    Each integration has its own session and its own checkpoints, whichever credential it uses: what another
    one hears, refuses or misses does not touch it.
    """

    db: Db
    org: Org
    standing: Standing
    watched: Watch
    timings: Timings = field(default_factory=Timings)
    _refused: dict[str, ChannelRefused] = field(default_factory=dict)
    _failures: int = 0

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop`. Trouble with Salesforce or the database is waited out here."""
        while not stop.is_set():
            try:
                await self._listen(stop)
                self._failures = 0
            except ReplayRejected as error:
                await self._start_over(error)
                await self._wait(stop)
            except ChannelRefused as error:
                self._refused[error.channel] = error
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
        reader = await self._reader()
        positions = await coverage.of(self.db, self.org, reader, self.watched.channels)
        wanted = {name: each.replay_id for name, each in positions.items() if name not in self._refused}
        if not wanted:
            await self._until_refused_are_due(stop)
            return
        ending = asyncio.Event()
        stream = ChangeStream(
            self.org.salesforce,
            ending,
            on_outage=self.standing.unwell,
            on_recovery=self._answers,
            pace=self.timings.pace,
        )
        watcher = asyncio.create_task(self._end(stop, ending), name="end of listening")
        try:
            async with aclosing(stream.batches(wanted)) as batches:
                async for batch in batches:
                    if batch.events:
                        await self._keep_until_kept(batch, reader, stop)
                    else:
                        await self._listening()
        finally:
            watcher.cancel()
            await asyncio.gather(watcher, return_exceptions=True)

    async def _reader(self) -> Reader:
        return Reader(self.watched.integration_id, await self.org.org_id())

    async def _end(self, stop: asyncio.Event, ending: asyncio.Event) -> None:
        if self._refused:
            await self._until_refused_are_due(stop)
        else:
            await stop.wait()
        ending.set()

    async def _until_refused_are_due(self, stop: asyncio.Event) -> None:
        await waiting.pause(stop, self.timings.refused)
        self._refused.clear()

    async def _listening(self) -> None:
        """All channels that are not refused are subscribed."""
        self._failures = 0
        await self._answers()
        log.info("listening", channels=[*self.watched.channels], refused=sorted(self._refused))

    async def _answers(self) -> None:
        """The stream is there; it is well only if no channel is refused."""
        for refusal in self._refused.values():
            await self.standing.unwell(refusal)
            return
        await self.standing.well()

    async def _keep_until_kept(self, batch: Batch, reader: Reader, stop: asyncio.Event) -> None:
        """The next batch is asked for only when this one is durable (law 1)."""
        failures = 0
        while True:
            try:
                await self._keep(batch, reader)
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

    async def _keep(self, batch: Batch, reader: Reader) -> None:
        found = intake.sort(batch.events, self.watched)
        async with transaction(self.db) as tx:
            await self._receive(tx, reader.org_id, found.heard)
            await checkpoints.advance(tx, reader, found.steps)
            for each in found.missed:
                await self._tell_window(tx, each.channel, each.detail)

    async def _receive(self, tx: Connection, org_id: str, heard: list[Heard]) -> None:
        """Parents go into the inbox themselves; lines lead to theirs."""
        integration_id = self.watched.integration_id
        target = Target(integration_id, self.watched.parent)
        await inbox.receive(tx, org_id, [each.change for each in heard], [target])
        lines = [each for each in heard if each.change.object_name in self.watched.lines]
        if not lines:
            return
        ids = [each.change.record_id for each in lines]
        remembered = await record_parents.parents_of(tx, integration_id, ids)
        led = {record for each in lines for record in intake.lead(each, remembered, self.watched)}
        await inbox.put_many(tx, integration_id, sorted(led), cause=Cause.CHANGE)
        # In their order: of two events of one line, the later one says where it is now.
        pairs = {each.change.record_id: each.named for each in lines if each.named}
        await record_parents.remember(tx, integration_id, sorted(pairs.items()))

    async def _start_over(self, error: ReplayRejected) -> None:
        """Everything still retained is replayed; what is older than that may be missing, and is told."""
        await self.standing.unwell(error)
        reader = await self._reader()
        async with transaction(self.db) as tx:
            await checkpoints.start_over(tx, reader, error.channel)
            await self._tell_window(tx, error.channel, error.message)

    async def _tell_window(self, tx: Connection, channel: str, what: str) -> None:
        log.warning("changes may be missing", channel=channel, reason=what)
        subject = f"window:{self.standing.subject.partition(':')[2]}:{channel}"
        await health.report(tx, subject, is_well=False, message=f"{channel}: {what}", instruction=REREAD)
