"""Writes the copies that wait: several calls of up to 200 in flight, or a Bulk job when very many wait."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import structlog

from connectors.salesforce import bulk_csv
from connectors.salesforce.collections import MAX_RECORDS
from connectors.salesforce.rows import RowResult
from daemon import waiting
from daemon.to_salesforce import parents, portions, sending, turn
from daemon.to_salesforce.delivery import Delivery
from daemon.to_salesforce.flights import Choked, Flights, Grounded
from daemon.to_salesforce.gauge import Gauge
from daemon.to_salesforce.loads import Load
from daemon.to_salesforce.place import Place
from daemon.to_salesforce.sending import Sender
from daemon.to_salesforce.turn import Turn
from state import entity_copies, entity_runs, entity_syncs
from state.database import transaction
from state.entity_models import CopyAction, Waiting

log = structlog.get_logger(__name__)

# So few refused records are each tried alone; more of them apart from the others, 200 a call.
_ALONE = 5
# Records of one job: they are in memory, packed, while they are uploaded.
_JOB_RECORDS = 10_000
_SLICE = 500  # of them, read at a time


class Writer:
    """Beside the scan until that has read everything and nothing waits that is due soon."""

    def __init__(self, place: Place, turn_: Turn) -> None:
        self._place = place
        self._turn = turn_
        self._sender = Sender(place)
        self._gauge = Gauge(place)
        self._flights = Flights(place, turn_)
        self._delivery = Delivery(place, turn_, self._flights)
        self._reader = portions.Reader(place)
        self._may_have_job = True
        self._not_for_bulk = 0  # so many of those due were looked at, and go by Collections
        self._failed_jobs = 0  # in succession, while Salesforce answered other calls

    async def write(self) -> None:
        """Raises LeaseLost, Stopped, DatabaseUnavailable; RejectedError for what concerns every record."""
        try:
            await self._gauge.forget()
            await parents.wait(self._place, self._turn)
            while await self._round():
                if not self._flights:  # who was told to stop keeps what is in flight first
                    self._turn.check()
        finally:
            await self._flights.cancel()

    async def _round(self) -> bool:
        """Start what may be started, wait for what comes; False when all is done."""
        is_read = self._turn.is_read.is_set()
        self._turn.committed.clear()
        await self._start(is_read=is_read)
        if self._flights:
            await self._flights.land()
            return True
        if not is_read:
            await waiting.either(
                self._place.manner.poll, self._turn.stop, self._turn.committed, self._turn.is_read
            )
            return True
        return await self._linger()

    async def _linger(self) -> bool:
        """Whether something is due so soon that the run waits for it; not for parents that do not come."""
        due_at = await entity_copies.next_due(self._place.db, self._place.integration_id, orphans=False)
        if due_at is None:
            return False
        left = max(due_at - datetime.now(UTC), timedelta(milliseconds=10))
        if left > self._place.manner.linger:
            return False
        await self._turn.pause(left)
        return True

    async def _start(self, *, is_read: bool) -> None:
        flights = self._flights
        if flights.room < 1 or self._turn.stop.is_set() or not await self._may_call():
            return
        if self._may_have_job:
            await self._settle_job()
        busy = flights.busy
        due = await self._count_due(len(busy))
        if due >= self._place.manner.bulk_threshold and self._not_for_bulk <= 0:
            if flights:
                return  # what is in flight lands first: a job has nothing beside it
            if await self._starts_bulk():
                return
        calls = min(flights.room, self._place.manner.in_flight)
        if not is_read:
            calls = min(calls, max(0, due) // MAX_RECORDS)
        for portion in await self._reader.portions(calls, without=busy, is_all=is_read):
            if self._gauge.is_spent(len(flights)):
                return
            flights.begin(self._collection(portion.rows), portion.rows, size=portion.size)
            self._not_for_bulk -= len(portion.rows)

    async def _settle_job(self) -> None:
        """Before anything is written: a job that an earlier process, or an outage, left to itself is over."""
        place = self._place
        job_id = await entity_syncs.job(place.db, place.integration_id)
        if job_id is not None:
            if self._flights:
                return  # of this very job, or before it
            await turn.patiently(
                self._turn,
                place.org.standing,
                place.manner.policy,
                lambda: self._sender.settle(job_id, self._turn.stop),
            )
            self._turn.check()
            await self._keep_job(None)
        self._may_have_job = False

    async def _keep_job(self, job_id: str | None) -> None:
        async with transaction(self._place.db) as tx:
            # First, as who edits the settings takes them before the run.
            await entity_syncs.keep_job(tx, self._place.integration_id, job_id)
            await entity_runs.fence(tx, self._turn.claim)

    async def _count_due(self, busy: int) -> int:
        """How many are due besides those on their way, as far as it matters: from `bulk_threshold` on a job
        costs fewer calls."""
        place, enough = self._place, self._place.manner.bulk_threshold + busy
        return await entity_copies.count_waiting(place.db, place.integration_id, up_to=enough) - busy

    async def _starts_bulk(self) -> bool:
        load = await self._load()
        if len(load.rows) <= MAX_RECORDS:
            self._not_for_bulk = _JOB_RECORDS
            return False
        self._flights.begin(self._bulk(load), load.rows)
        return True

    async def _load(self) -> Load:
        place, load, met = self._place, Load(), list[str]()
        while len(met) < _JOB_RECORDS:
            found = await entity_copies.waiting(place.db, place.integration_id, limit=_SLICE, without=met)
            if not found:
                break
            met += [row.m3ter_id for row in found]
            load.add([row for row in found if _is_for_bulk(row)])
        return load

    async def _may_call(self) -> bool:
        """Whether Salesforce need not be left alone just now; waits for that when nothing is in flight."""
        left = self._flights.left_alone
        if left or self._gauge.is_spent(len(self._flights)):
            if self._flights:
                return False
            if left:
                await self._turn.pause(left)
            await self._gauge.wait(self._turn)
        return True

    async def _collection(self, rows: Sequence[Waiting]) -> None:
        """Rows of one kind: all can be sent, or none."""
        if not sending.can_be_sent(rows[0]):
            await self._delivery.keep(rows, await self._sender.unfit(rows), is_last=True)
            return
        again = await self._delivery.send(rows, is_last=len(rows) == 1)
        self._flights.narrow(again)
        apart = [[row] for row in again] if len(again) <= _ALONE else [again]
        for part in apart:
            await self._delivery.send(part, is_last=True)

    async def _bulk(self, load: Load) -> None:
        """Its own call each time: a job has a way of its own to wait."""
        try:
            async with self._flights.heeded():
                async for part in self._sender.bulk(load, self._turn.stop, self._keep_job):
                    await self._judge(part)
        except Grounded:
            self._may_have_job = True
            raise
        except Choked as choked:
            self._may_have_job = True
            self._failed_jobs += 1
            if self._failed_jobs == 1:
                await self._flights.ground(choked.error)
            # By Collections a record that is to blame can be told from the others.
            self._not_for_bulk = _JOB_RECORDS
            log.warning("job failed again", integration=self._place.name, reason=choked.error.message)
        else:
            self._failed_jobs = 0

    async def _judge(self, part: Sequence[tuple[Waiting, RowResult]]) -> None:
        """Some results of a job; what it refused is sent apart from the others."""
        if not part:
            return
        place = self._place
        again = await self._delivery.keep([row for row, _ in part], [result for _, result in part])
        for at in range(0, len(again), MAX_RECORDS):
            ids = [row.m3ter_id for row in again[at : at + MAX_RECORDS]]
            some = await entity_copies.waiting_among(place.db, place.integration_id, ids)
            for alike in portions.cut(some, is_all=True):
                await self._delivery.send(alike.rows, is_last=True)


def _is_for_bulk(row: Waiting) -> bool:
    return row.action is CopyAction.UPSERT and bool(row.payload) and bulk_csv.can_say(row.payload or {})
