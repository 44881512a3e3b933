"""Hears one integration's change events: inbox rows and replay ids become durable in one transaction."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial

import structlog

from connectors.errors import SyncError
from connectors.salesforce.models import Batch
from connectors.salesforce.outages import Pace
from connectors.salesforce.stream import ChangeStream, ChannelRefused, PlacesLost, ReplayRejected
from daemon import retries, waiting
from daemon.clients import Org
from daemon.retries import Policy
from daemon.standing import Standing
from daemon.to_m3ter import coverage, guarding, intake, moving, placeless, silence, telling, windows
from daemon.to_m3ter.intake import Heard, Missed, Watch
from daemon.to_m3ter.placeless import Placeless
from daemon.to_m3ter.silence import Doubt, Quiet
from daemon.to_m3ter.windows import Measure
from state import checkpoints, inbox, record_parents, rereads
from state.checkpoints import Reader
from state.database import Connection, Db, transaction
from state.errors import DatabaseUnavailable
from state.models import Target

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Timings:
    """How patiently trouble is waited out, and how soon a refused channel is asked for again.

    `silence`: how long nothing may be heard of an object before Salesforce is asked whether that is so.
    `overlap`: how much earlier a window begins than it seems to need. `look_up`: how often at most all known
    records of an object are asked for because of events that name none.
    """

    policy: Policy = field(default_factory=Policy)
    pace: Pace = field(default_factory=Pace)
    refused: timedelta = timedelta(minutes=5)
    silence: timedelta = timedelta(minutes=15)
    overlap: timedelta = timedelta(minutes=15)
    look_up: timedelta = placeless.LOOK_UP_AGAIN


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
    _lost: dict[str, str] = field(default_factory=dict)
    _failures: int = 0

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop`. Trouble with Salesforce or the database is waited out here."""
        while not stop.is_set():
            try:
                await self._listen_from_places(stop)
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

    async def _listen_from_places(self, stop: asyncio.Event) -> None:
        """As `_listen`; a place that is refused, or from where more is told than can be held, is given up."""
        try:
            await self._listen(stop)
            self._failures = 0
        except (ReplayRejected, PlacesLost) as error:
            await self._lose(error)
            await self._wait(stop)

    async def _listen(self, stop: asyncio.Event) -> None:
        """Until `stop`, until channels that were refused are due to be asked for again, or one was deaf."""
        reader = await self._reader()
        positions = await coverage.of(self.db, self.org, reader, self.watched)
        wanted = {name: each.replay_id for name, each in positions.items() if name not in self._refused}
        if not wanted:
            await self._until_refused_are_due(stop)
            return
        without = placeless.among(self.watched, wanted)
        listener = silence.Listener(self.db, self.org, self.watched, reader, self.timings.overlap)
        doubt, ending = Doubt(listener, wanted, Quiet(self.timings.silence)), asyncio.Event()
        stream = ChangeStream(
            self.org.salesforce,
            ending,
            on_outage=self.standing.unwell,
            on_recovery=self._answers,
            pace=self.timings.pace,
        )
        async with self._ended_by(stop, ending, doubt), aclosing(stream.batches(wanted)) as batches:
            async for batch in batches:
                if batch.events:
                    await self._until_kept(partial(self._keep, batch, reader, without), stop)
                    doubt.heard(telling.told(batch.events, self.watched))
                else:
                    await self._until_kept(partial(self._subscribed, wanted, reader, without), stop)
                    doubt.begin()
                    await self._listening()

    @asynccontextmanager
    async def _ended_by(
        self, stop: asyncio.Event, ending: asyncio.Event, doubt: Doubt
    ) -> AsyncIterator[None]:
        """`ending` is set when listening is to end; what went wrong in finding that out is raised."""
        watchers = [
            asyncio.create_task(self._end(stop, ending), name="end of listening"),
            asyncio.create_task(doubt.run(ending), name="doubt"),
        ]
        try:
            yield
        finally:
            for each in watchers:
                each.cancel()
            ended = await asyncio.gather(*watchers, return_exceptions=True)
        for outcome in ended:
            if isinstance(outcome, Exception):
                raise outcome

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

    async def _until_kept(self, keep: Callable[[], Awaitable[None]], stop: asyncio.Event) -> None:
        """The next batch is asked for only when this one is durable (README, promise 1)."""
        failures = 0
        while True:
            try:
                await keep()
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

    async def _subscribed(self, wanted: Collection[str], reader: Reader, without: Placeless) -> None:
        """What channels without a place missed until their subscription is in a window (README, promise 4).

        First subscribed, then read: between the window and the events there is no hole.
        """
        if without.channels:
            # Anew: a process that goes by an older field mapping may have forgotten one meanwhile.
            positions = await coverage.of(self.db, self.org, reader, self.watched)
            measure = Measure(await coverage.now(self.db, self.org), self.timings.overlap)
            await without.subscribed(self.db, reader, positions, self._lost, measure)
        for channel in wanted:
            self._lost.pop(channel, None)

    async def _keep(self, batch: Batch, reader: Reader, without: Placeless) -> None:
        found = intake.sort(batch.events, self.watched)
        unread = {each.channel for each in found.missed if each.cause == "undecodable"}
        now = await coverage.now(self.db, self.org) if unread else None
        told = {name: at for name, at in telling.told(batch.events, self.watched).items() if at}
        heard = await moving.asked(self.org.salesforce, found.heard, self.watched)
        async with transaction(self.db) as tx:
            await self._read_again(tx, reader, found.missed)
            await silence.heard_again(tx, reader, self.watched, told)
            await without.look_up(tx, reader, found.steps, self.timings.overlap)
            await self._receive(tx, reader.org_id, heard)
            for gap in found.gaps.values():
                named = (gap.object_name, gap.records, gap.detail, gap.channel)
                await rereads.note_gap(tx, reader.integration_id, reader.org_id, *named)
            await checkpoints.advance(tx, reader, found.steps)
            if now is not None:  # all their objects have windows from where they were complete until later
                await checkpoints.complete(tx, reader, unread, now)
                names, unsure_from = self.watched.objects_on(unread), now - self.timings.overlap
                await checkpoints.read_objects(tx, reader, names - told.keys(), now, unsure_from)
                told |= dict.fromkeys(names & told.keys(), now)
            await checkpoints.complete_objects(tx, reader, told)
        without.have_places(found.steps)

    async def _read_again(self, tx: Connection, reader: Reader, missed: list[Missed]) -> None:
        if missed:
            positions = await coverage.kept(tx, reader, {each.channel for each in missed})
            within = self.timings.look_up
            ids = (reader.integration_id, reader.org_id)
            lately = await rereads.looked_up(tx, *ids, within, windows.MISSED)
            opened = windows.of_missed(missed, positions, self.timings.overlap, lately)
            await windows.record(tx, reader, [*opened, *windows.put_off(opened, within)])

    async def _receive(self, tx: Connection, org_id: str, heard: list[Heard]) -> None:
        """Parents go into the inbox themselves; lines lead to theirs; echoes of our own writes stay out."""
        integration_id = self.watched.integration_id
        us = await guarding.ours(self.org)
        heard = await guarding.mark(tx, org_id, integration_id, us, heard)
        news, echoes = guarding.parted(heard)
        lines = [each for each in heard if each.change.object_name in self.watched.lines]
        ids = [each.change.record_id for each in lines]
        remembered = await record_parents.parents_of(tx, integration_id, ids) if ids else {}
        # Before the inbox, as the conclusion of a sync has them: no deadlock. And in their order: of two
        # events of one line, the later one says where it is now.
        pairs = {each.change.record_id: each.named for each in lines if each.named}
        await record_parents.remember(tx, integration_id, sorted(pairs.items()))
        target = Target(integration_id, self.watched.parent)
        changed = (each for each in news if each.change.object_name in self.watched.lines)
        led = {record for each in changed for record in intake.lead(each, remembered, self.watched)}
        led_to = [(integration_id, *record) for record in led]
        await inbox.receive(tx, org_id, [each.change for each in news], [target], led_to)
        await inbox.receive(tx, org_id, [each.change for each in echoes], [])

    async def _lose(self, error: ReplayRejected | PlacesLost) -> None:
        """These channels have no place now; windows are opened once they are subscribed anew."""
        await self.standing.unwell(error)
        self._lost |= dict.fromkeys(error.channels, error.message)
        reader = await self._reader()
        async with transaction(self.db) as tx:
            for channel in error.channels:
                await checkpoints.lose(tx, reader, channel)
