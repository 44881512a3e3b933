"""Takes one record at a time from the inbox, under a lease kept alive, and records what it came to."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Coroutine
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TypeVar

import structlog

from connectors import calls
from connectors.calls import Call
from daemon import outcomes, retries, waiting
from daemon.standing import Standing
from daemon.to_m3ter.attempt import Attempt
from daemon.to_m3ter.conclusions import Conclusion
from daemon.to_m3ter.workplace import Workplace
from daemon.waiting import Bell
from state import inbox
from state.errors import DatabaseUnavailable, LeaseLost
from state.models import Claim

log = structlog.get_logger(__name__)

T = TypeVar("T")
MARGIN = 10  # work stops this part of a lease, one in so many, before it ends
REMEMBERED = 10_000  # records whose account is remembered, so that it is held before they are read


@dataclass(frozen=True, slots=True)
class Options:
    """`name` tells workers apart in the inbox; `poll` guarantees what a lost wake-up missed."""

    name: str
    lease: timedelta = timedelta(seconds=60)
    poll: timedelta = timedelta(seconds=5)


@dataclass(slots=True)
class Worker:
    """One record in flight. `bell` rings when something may be in the inbox."""

    place: Workplace
    options: Options
    bell: Bell = field(default_factory=Bell)
    _accounts: OrderedDict[str, frozenset[str]] = field(default_factory=OrderedDict)
    _outages: int = 0

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop`: the record in hand is finished first."""
        is_away = 0
        while not stop.is_set():
            ring = self.bell.next_ring()
            try:
                waited = await self._turn()
                is_away = 0
            except LeaseLost as error:
                log.warning("lease lost", reason=error.reason)
                continue
            except DatabaseUnavailable as error:
                if not is_away:
                    log.error("database away", reason=error.reason, instruction=error.instruction)
                is_away += 1
                waited = retries.pause(is_away, self.place.policy)
                await waiting.pause(stop, waited)
                continue
            if waited == self.options.poll:
                await waiting.either(waited, stop, ring)
            elif waited:
                await waiting.pause(stop, waited)

    async def _turn(self) -> timedelta:
        """One claim, if there is any; gives how long to wait before the next."""
        claim = await inbox.claim(
            self.place.db,
            worker=self.options.name,
            lease=self.options.lease,
            integration_ids=list(self.place.mappings),
        )
        if claim is None:
            return self.options.poll
        conclusion = await self.take(claim)
        paused = conclusion.decision if conclusion.blames_system else None
        return paused.delay if paused else timedelta(0)

    async def take(self, claim: Claim) -> Conclusion:
        """Attempt one claimed record and record the outcome. Raises LeaseLost, DatabaseUnavailable."""
        started = asyncio.get_running_loop().time()
        with calls.recording() as made:
            conclusion = await self._under_lease(claim, self._attempt(claim, made))
        self._outages = self._outages + 1 if conclusion.blames_system else 0
        await self._tell(conclusion, made)
        _log_line(claim, conclusion, made, asyncio.get_running_loop().time() - started)
        return conclusion

    async def _attempt(self, claim: Claim, made: list[Call]) -> Conclusion:
        keys = self._accounts.get(claim.record_id, frozenset())
        attempt = Attempt(self.place, claim, made, keys, self._outages)
        conclusion = await attempt.run()
        self._accounts[claim.record_id] = attempt.keys
        self._accounts.move_to_end(claim.record_id)
        while len(self._accounts) > REMEMBERED:
            self._accounts.popitem(last=False)
        await outcomes.record(self.place.db, claim, conclusion.outcome)
        return conclusion

    async def _under_lease(self, claim: Claim, work: Coroutine[None, None, T]) -> T:
        """Do the work while another task prolongs the lease; stop it at once when the lease is lost, and
        shortly before it ends when it was not prolonged, whatever the database is doing meanwhile."""
        tenure = _Tenure(claim)
        working = asyncio.create_task(work, name=f"sync {claim.record_id}")
        renewing = asyncio.create_task(self._renew(claim, tenure), name=f"lease of {claim.record_id}")
        tasks = {working, renewing}
        try:
            while not (working.done() or renewing.done()) and tenure.left > 0:
                await asyncio.wait(tasks, timeout=tenure.left, return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                return working.result()
            if renewing.done():
                renewing.result()
            raise LeaseLost(f"The lease could not be prolonged: {tenure.reason}")
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _renew(self, claim: Claim, tenure: "_Tenure") -> None:
        """Raises LeaseLost when another holder has it."""
        while True:
            await waiting.pause(waiting.never(), claim.lease / 3)
            asked_at = time.monotonic()
            try:
                await inbox.renew(self.place.db, claim)
            except DatabaseUnavailable as error:
                tenure.reason = error.reason
            else:
                tenure.begins(asked_at)

    async def _tell(self, conclusion: Conclusion, made: list[Call]) -> None:
        """How both systems stand, as far as this attempt shows it."""
        standings = {"m3ter": self.place.organization.standing, "Salesforce": self.place.org.standing}
        failed: Standing | None = None
        if conclusion.blames_system and conclusion.error is not None:
            failed = standings.get(made[-1].system if made else "Salesforce")
        for system, standing in standings.items():
            if standing is failed and conclusion.error is not None:
                await standing.unwell(conclusion.error)
            elif any(
                call.system == system and call.status is not None and call.status < 300 for call in made
            ):
                await standing.well()


class _Tenure:
    """How long a lease is certainly good by this machine's monotonic clock: from when it was asked for, as it
    began at the database later than that, and less a margin in which the work is stopped."""

    def __init__(self, claim: Claim) -> None:
        self._span = (claim.lease - claim.lease / MARGIN).total_seconds()
        self.reason = "the database did not answer in time."
        self.begins(claim.asked_at)

    def begins(self, asked_at: float) -> None:
        self._good_until = asked_at + self._span

    @property
    def left(self) -> float:
        """Seconds."""
        return self._good_until - time.monotonic()


def _log_line(claim: Claim, conclusion: Conclusion, made: list[Call], seconds: float) -> None:
    """The one canonical line of an attempt."""
    facts: dict[str, object] = {
        "record_id": claim.record_id,
        "object_name": claim.object_name,
        "cause": claim.cause.value,
        "attempt": claim.attempts,
        "milliseconds": round(seconds * 1000),
        "calls": len(made),
    }
    if conclusion.result is None:
        log.debug("nothing to sync", **facts)
        return
    facts["sync_status"] = conclusion.result.sync_status.value
    facts["objects"] = [
        f"{item.object_name} {item.action.value}" for item in conclusion.result.object_results
    ]
    if conclusion.error is not None:
        facts["reason"] = conclusion.error.message
        log.warning("sync failed", **facts, then=conclusion.decision and conclusion.decision.next.value)
    else:
        log.info("synced", **facts)
