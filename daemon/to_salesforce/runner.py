"""Runs one integration: when its schedule, a person, the feed or a postponed record says so."""

import asyncio
import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import structlog

from connectors import calls
from connectors.calls import Call
from connectors.errors import SyncError
from daemon import retries, tasks, waiting
from daemon.to_salesforce import schedule
from daemon.to_salesforce.feed import Feed
from daemon.to_salesforce.place import Place
from daemon.to_salesforce.running import carry_out
from daemon.to_salesforce.turn import Stopped, Turn
from daemon.waiting import Bell
from state import entity_copies, entity_runs, entity_syncs
from state.database import transaction
from state.entity_models import EntitySync, RunCause, RunClaim
from state.errors import DatabaseUnavailable, LeaseLost
from state.models import RunStatus

log = structlog.get_logger(__name__)

# Runs under way or to come, and such as would only come to the same end again.
_WITHOUT_RETRY = (RunStatus.WAITING, RunStatus.STARTED, RunStatus.ERROR, RunStatus.AUTH_FAILED)


@dataclass(slots=True)
class Runner:
    """One run at a time, whichever daemon has it. `bell` rings when a run may have been asked for."""

    place: Place
    bell: Bell = field(default_factory=Bell)
    _failures: int = 0
    _feed_failures: int = 0
    _feed_at: float = 0.0

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop`: what is in flight is kept, and the run goes on where it is with whoever takes it."""
        feed = Feed(self.place)
        with calls.recording() as recorded:
            while not stop.is_set():
                ring = self.bell.next_ring()
                try:
                    has_worked = await self._turn(stop, recorded, feed)
                    self._failures = 0
                except Stopped:
                    return
                except LeaseLost as error:
                    log.warning("lease lost", integration=self.place.name, reason=error.reason)
                    await waiting.pause(stop, timedelta(seconds=1))
                except DatabaseUnavailable as error:
                    await self._database_away(error, stop)
                else:
                    if not has_worked:
                        await waiting.either(self._rest(), stop, ring)

    async def _database_away(self, error: DatabaseUnavailable, stop: asyncio.Event) -> None:
        if not self._failures:
            log.error("database away", reason=error.reason, instruction=error.instruction)
        self._failures += 1
        await waiting.pause(stop, retries.pause(self._failures, self.place.manner.policy))

    def _rest(self) -> timedelta:
        until_feed = timedelta(seconds=max(0.05, self._feed_at - time.monotonic()))
        return min(self.place.manner.poll, until_feed)

    async def _turn(self, stop: asyncio.Event, recorded: list[Call], feed: Feed) -> bool:
        """Carry a run out if there is one, or see what the feed tells; False when there is nothing to do."""
        place = self.place
        sync = await entity_syncs.get(place.db, place.integration_id)
        if not sync.integration.enabled or sync.stamp != place.sync.stamp:
            return False  # this task ends, or is replaced by one with the settings and credentials of now
        await self._meet_schedule(sync)
        await self._meet_due(sync)
        await self._meet_acceptance(sync)
        claim = await self._claim(sync)
        if claim is not None:
            await carry_out(replace(place, sync=sync), Turn(claim, stop, recorded))
            return True
        return await self._see_feed(feed, sync, recorded)

    async def _claim(self, sync: EntitySync) -> RunClaim | None:
        """Not for settings that somebody has changed since, or is changing now: that is for another task."""
        place = self.place
        worker = f"{tasks.here()}/entity:{place.name}"
        async with transaction(place.db) as tx:
            if not await entity_syncs.is_unchanged(tx, sync):
                return None
            return await entity_runs.claim(tx, place.integration_id, worker=worker, lease=place.manner.lease)

    async def _meet_schedule(self, sync: EntitySync) -> None:
        """However many times were missed while nobody was there, one run makes up for them."""
        planned, now = schedule.parse(sync.settings.schedule), datetime.now(UTC)
        if planned.is_due(sync.scheduled_at, now):
            cause = RunCause.FIRST if sync.first_completed_at is None else RunCause.SCHEDULE
            async with transaction(self.place.db) as tx:
                if not await entity_syncs.is_unchanged(tx, sync):
                    return  # it is for the task that replaces this one
                if await entity_syncs.met(tx, self.place.integration_id, planned.latest(now)):
                    await entity_runs.ask(tx, self.place.integration_id, cause)

    async def _meet_due(self, sync: EntitySync) -> None:
        """What was postponed beyond the end of its run, is to be tried again because a person said so, or is
        to be looked at anew because a person has changed the settings."""
        db, integration_id = self.place.db, self.place.integration_id
        if sync.first_completed_at is None:
            return
        due_at = await entity_copies.next_due(db, integration_id)
        is_due = due_at is not None and due_at <= datetime.now(UTC)
        if is_due or await entity_copies.are_withheld(db, integration_id):
            last = await entity_runs.last(db, integration_id)
            if last is None or last.status not in _WITHOUT_RETRY:
                await entity_runs.ask(db, integration_id, RunCause.RETRY if is_due else RunCause.MANUAL)

    async def _meet_acceptance(self, sync: EntitySync) -> None:
        """A run that a refused credential has ended is begun anew once both are accepted."""
        if not sync.integration.authorized:
            return
        last = await entity_runs.last(self.place.db, self.place.integration_id)
        if last is not None and last.status is RunStatus.AUTH_FAILED:
            await entity_runs.ask(self.place.db, self.place.integration_id, last.cause)

    async def _see_feed(self, feed: Feed, sync: EntitySync, recorded: list[Call]) -> bool:
        """Not while another daemon scans: that sees all anyway. A failure is told, and tried again later."""
        if time.monotonic() < self._feed_at:
            return False
        place = self.place
        last = await entity_runs.last(place.db, place.integration_id)
        self._feed_at = time.monotonic() + place.manner.feed.total_seconds()
        if last is not None and last.status in (RunStatus.STARTED, RunStatus.AUTH_FAILED):
            return False  # nothing is lost: what was told meanwhile is read once a run may be had again
        try:
            is_needed = await feed.read(sync)
        except SyncError as error:
            self._feed_failures += 1
            if self._feed_failures == 1:
                log.warning("feed failed", integration=place.name, reason=error.message)
            pause = retries.pause(self._feed_failures, place.manner.policy)
            self._feed_at = time.monotonic() + max(pause, place.manner.feed).total_seconds()
            return False
        if self._feed_failures:
            log.info("feed works again", integration=place.name)
            self._feed_failures = 0
        if not is_needed:
            recorded.clear()  # the calls of a feed that found something are part of the run that follows
        return is_needed
