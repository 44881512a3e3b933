"""Reads the windows of one integration again: page by page, each page and its cursor in one transaction."""

import asyncio
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import structlog

from connectors.errors import AuthenticationError, RateLimited, SyncError, TransientError
from daemon import retries, waiting
from daemon.clients import Org
from daemon.retries import Policy
from daemon.to_m3ter.reread_pages import Pages
from daemon.waiting import Bell
from state import checkpoints, own_writes, rereads
from state.database import Connection, Db, transaction
from state.errors import DatabaseUnavailable, LeaseLost
from state.rereads import Phase, Reread, RereadCause

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Options:
    """`lease`: after so long another process takes a window over whose reader died; `poll` guarantees what a
    lost wake-up missed."""

    lease: timedelta = timedelta(seconds=60)
    poll: timedelta = timedelta(seconds=5)
    page_size: int = 2_000
    policy: Policy = field(default_factory=Policy)


class _Stopped(Exception):  # noqa: N818 - not an error to anyone
    """It was told to stop while it waited for Salesforce."""


@dataclass(slots=True)
class Rereader:
    """One window at a time. `bell` rings when there may be one to read."""

    db: Db
    org: Org
    pages: Pages
    options: Options = field(default_factory=Options)
    bell: Bell = field(default_factory=Bell)
    _failures: int = 0

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop`: the page in hand is kept, or asked for again by whoever goes on."""
        while not stop.is_set():
            ring = self.bell.next_ring()
            try:
                has_read = await self._turn(stop)
                self._failures = 0
            except LeaseLost as error:
                log.warning("lease lost", reason=error.reason)
            except DatabaseUnavailable as error:
                if not self._failures:
                    log.error("database away", reason=error.reason, instruction=error.instruction)
                await self._wait(stop)
            except SyncError as error:  # the org could not even be told by its id
                await self.org.standing.unwell(error)
                await self._wait(stop)
            else:
                if not has_read:
                    await waiting.either(self.options.poll, stop, ring)

    async def _wait(self, stop: asyncio.Event) -> None:
        self._failures += 1
        await waiting.pause(stop, retries.pause(self._failures, self.options.policy))

    async def _turn(self, stop: asyncio.Event) -> bool:
        """Take one window and read it as far as it goes; False when there is none."""
        org_id = await self.org.org_id()
        lease = self.options.lease
        reread = await rereads.claim(self.db, self.pages.integration_id, org_id, lease)
        if reread is not None:
            await self._take(reread, stop)
        return reread is not None

    async def _take(self, reread: Reread, stop: asyncio.Event) -> None:
        """Raises LeaseLost, DatabaseUnavailable; other trouble leaves the window for later, and is told."""
        try:
            await self._read(reread, stop)
        except SyncError as error:
            await self._later(reread, error)
        except (LeaseLost, DatabaseUnavailable):
            raise
        except Exception as error:
            log.exception(
                "unexpected failure", object_name=reread.object_name, reread_id=str(reread.reread_id)
            )
            unexpected = TransientError(
                f"This is a fault of m3sync, {type(error).__name__}: {error}",
                instruction="Report it with the log line of this moment.",
            )
            await self._later(reread, unexpected)

    async def _read(self, reread: Reread, stop: asyncio.Event) -> None:
        """Until its end, until told to stop, or until another window goes before it."""
        try:
            if not self.pages.is_watched(reread):
                await self._drop(reread)
                return
            if not reread.has_begun:
                reread = await self._begin(reread, stop)
            while True:
                following = await self._page(reread, stop)
                await self.org.standing.well()
                if following is None:
                    return
                reread = following
                if stop.is_set() or await rereads.is_outranked(self.db, reread):
                    break
        except _Stopped:
            log.info("re-read interrupted", **_facts(reread))
        async with transaction(self.db) as tx:
            await rereads.postpone(tx, reread, timedelta(0), "")

    async def _drop(self, reread: Reread) -> None:
        """Nobody wants it any more, or only whoever goes by a newer field mapping than this process."""
        if await self.pages.is_wanted(reread):
            async with transaction(self.db) as tx:
                await rereads.postpone(tx, reread, self.options.poll, "")
            return
        log.info("re-read given up: its object is watched no more", **_facts(reread))
        async with transaction(self.db) as tx:
            await rereads.finish(tx, reread)

    async def _begin(self, reread: Reread, stop: asyncio.Event) -> Reread:
        until_at = reread.until_at or await self._asked(reread, self.pages.until_now(), stop)
        total = None
        if reread.cause is not RereadCause.LOOK_UP:  # of which nothing is read but what is known here
            total = await self._asked(reread, self.pages.count(reread, until_at), stop)
        async with transaction(self.db) as tx:
            begun = await rereads.begin(tx, reread, until_at=until_at, total=total)
        log.info("re-read begun", **_facts(begun))
        return begun

    async def _page(self, reread: Reread, stop: asyncio.Event) -> Reread | None:
        """One page and its cursor, durable together; None when it was the last one."""
        if reread.phase is Phase.MISSING or reread.cause is RereadCause.LOOK_UP:
            return await self._lookup(reread, stop)
        size, asked_at = self.options.page_size, await checkpoints.now(self.db)
        records = await self._asked(reread, self.pages.changed(reread, size), stop)
        is_last = len(records) < size
        begins_lookup = is_last and reread.checks_missing
        is_over = is_last and not begins_lookup
        async with transaction(self.db) as tx:
            if is_over:
                await _forget(tx, reread)
            put = await self.pages.lead(tx, reread, records, asked_at)
            phase = Phase.MISSING if begins_lookup else reread.phase
            cursor = None if begins_lookup else self.pages.cursor(reread, records)
            kept = await rereads.keep_page(tx, reread, put, read=len(records), cursor=cursor, phase=phase)
            if is_over:
                await rereads.finish(tx, kept)
        return self._went_on(kept, is_over=is_over)

    async def _lookup(self, reread: Reread, stop: asyncio.Event) -> Reread | None:
        """Of the next records that are known here, those go into the inbox that Salesforce has no more."""
        known = await self.pages.known(self.db, reread)
        gone: Sequence[str] = ()
        if known:
            gone = await self._asked(reread, self.pages.missing(reread, known), stop)
        async with transaction(self.db) as tx:
            if not known:
                await _forget(tx, reread)
            put = await self.pages.lead_ids(tx, reread, gone)
            cursor = (None, known[-1] if known else reread.cursor_id)
            kept = await rereads.keep_page(tx, reread, put, read=0, cursor=cursor, phase=Phase.MISSING)
            if not known:
                await rereads.finish(tx, kept)
        return self._went_on(kept, is_over=not known)

    def _went_on(self, kept: Reread, *, is_over: bool) -> Reread | None:
        if not is_over:
            return kept
        log.info("re-read done", **_facts(kept))
        return None

    async def _asked(self, reread: Reread, question: Coroutine[Any, Any, Any], stop: asyncio.Event) -> Any:
        """What Salesforce answers, while the lease is prolonged. Raises _Stopped without waiting for it."""
        asking = asyncio.create_task(question, name=f"re-read of {reread.object_name}")
        stopping = asyncio.create_task(stop.wait(), name="stop of a re-read")
        tasks = {asking, stopping}
        try:
            while True:
                beat = (reread.lease / 3).total_seconds()
                done, _ = await asyncio.wait(tasks, timeout=beat, return_when=asyncio.FIRST_COMPLETED)
                if asking in done:
                    return asking.result()
                if stopping in done:
                    raise _Stopped
                await rereads.renew(self.db, reread)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _later(self, reread: Reread, error: SyncError) -> None:
        """The window is kept, and goes on at its cursor."""
        delay = retries.pause(reread.attempts, self.options.policy)
        if isinstance(error, RateLimited) and error.retry_after is not None:
            delay = error.retry_after
        if isinstance(error, AuthenticationError) or (
            isinstance(error, TransientError) and error.unreachable
        ):
            await self.org.standing.unwell(error)
        if reread.attempts == 1:  # once: what follows is the same trouble
            log.warning(
                "re-read postponed", reason=error.message, instruction=error.instruction, **_facts(reread)
            )
        async with transaction(self.db) as tx:
            await rereads.postpone(tx, reread, delay, error.message, error.instruction)


async def _forget(tx: Connection, reread: Reread) -> None:
    """First in the transaction that ends a window, before the inbox as whoever hears an echo: no deadlock.

    What we wrote while it was open may have moved a record out of it with a change that was missed. Until now
    the guard let the events of that be synced; one that is still to come must not be an echo either.
    """
    await own_writes.forget(tx, reread.org_id, {reread.object_name})


def _facts(reread: Reread) -> dict[str, object]:
    return {
        "object_name": reread.object_name,
        "cause": reread.cause.value,
        "since": reread.from_at.isoformat() if reread.from_at else None,
        "until": reread.until_at.isoformat() if reread.until_at else None,
        "total": reread.total,
        "read": reread.records_read,
        "put": reread.records_put,
        "reread_id": str(reread.reread_id),
    }
