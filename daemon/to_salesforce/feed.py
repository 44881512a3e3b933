"""Between scans: reads in m3ter's events what changed, and just these entities; a scan remains the truth."""

import time
from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import structlog

from connectors.errors import TooLargeError
from connectors.m3ter.rest import EVENTS_PAGE_SIZE, Page
from daemon.to_salesforce import describing, events, keeping, listing, standard
from daemon.to_salesforce.events import Told
from daemon.to_salesforce.place import Place
from state import entity_copies, entity_runs, entity_syncs
from state.database import Connection, transaction
from state.entity_models import EntitySync, RunCause

log = structlog.get_logger(__name__)

# Events may be listed late and out of order: so much is read again each time.
OVERLAP = timedelta(minutes=2)
_IDS_A_CALL = 100
# Of one name; an empty page counts as a full one. After a long absence a scan, due then anyway, costs less.
_MOST_EVENTS = 50 * EVENTS_PAGE_SIZE


@dataclass(slots=True)
class Feed:
    """Of one integration; `_dealt_with` has the events of the overlap that need no second look, and
    `_unshown` since when, on the monotonic clock, others are looked at. `_cut` has the names of events whose
    list was told to end early."""

    place: Place
    _dealt_with: dict[str, datetime] = field(default_factory=dict)
    _unshown: dict[str, float] = field(default_factory=dict)
    _cut: set[str] = field(default_factory=set)

    async def read(self, sync: EntitySync) -> bool:
        """Have what changed written; whether anything is to be. Raises the SyncError family, which is no
        reason to stop anything: what was not read is read next time, or by the next scan."""
        since = await self._since(sync)
        if since is None:
            return False
        found = [told async for told in self._told(since - OVERLAP)]
        new = [told for told in found if told.event_id not in self._dealt_with]
        if not new:
            return False
        ids = list(dict.fromkeys(told.m3ter_id for told in new if told.m3ter_id))
        deleted = frozenset(told.m3ter_id for told in found if told.is_deletion)
        newest = max(found, key=lambda told: told.at)
        is_further = sync.feed_at is None or newest.at > sync.feed_at
        is_needed, unsure = False, set[str]()
        # So many at a time are in memory. The place moves with the last of them, so that a failure passes
        # over nothing: what was kept before it is met again as it is.
        for at in range(0, max(len(ids), 1), _IDS_A_CALL):
            seen = await self._look_up(ids[at : at + _IDS_A_CALL], deleted)
            is_last = at + _IDS_A_CALL >= len(ids)
            kept = await self._keep(seen, newest if is_further and is_last else None)
            if kept is None:
                return False  # read for settings that are not those any more: their task reads it again
            is_needed = is_needed or kept
            unsure |= seen.unsure
        self._remember(found, unsure)
        return is_needed

    async def _look_up(self, ids: Collection[str], deleted: Collection[str]) -> "Seen":
        entities = await keeping.look_up(self.place, ids)
        await standard.refresh_of(self.place, ids)
        return Seen.of(ids, deleted, entities)

    async def _since(self, sync: EntitySync) -> datetime | None:
        """Up to when events were read; at first, when the latest scan began. None: there was no scan yet."""
        if sync.first_completed_at is None:
            return None
        if sync.feed_at is not None:
            return sync.feed_at
        run = await entity_runs.last(self.place.db, self.place.integration_id)
        return (run.started_at if run else None) or sync.first_completed_at

    async def _told(self, since: datetime) -> AsyncIterator[Told]:
        for name in events.names(self.place.settings.entity_type):
            token: str | None = None
            number = 0
            while number < _MOST_EVENTS:
                page = await self._page(name, token)
                number += len(page.entities) or EVENTS_PAGE_SIZE
                told = [each for event in page.entities if (each := events.told(event)) is not None]
                for each in told:
                    if each.at >= since:
                        yield each
                token = page.next_token
                if token is None or (told and told[-1].at < since):
                    break
            else:
                log.warning("more events than the feed reads: left to the next scan", event_name=name)

    async def _page(self, name: str, token: str | None) -> Page:
        """The list ends at an event that is too large for m3ter even alone: a scan has what is before it."""
        m3ter, size = self.place.organization.m3ter, self.place.page_size(name, EVENTS_PAGE_SIZE)
        try:
            return await listing.fitting(
                size, lambda number: m3ter.events(event_name=name, token=token, page_size=number)
            )
        except TooLargeError as error:
            if name not in self._cut:
                log.warning("event too large: left to the next scan", event_name=name, reason=error.message)
            self._cut.add(name)
            return Page((), None)

    async def _keep(self, seen: "Seen", newest: Told | None) -> bool | None:
        """Whether something is to be written; None when the integration is not what it was read for."""
        if not (seen.entities or seen.gone or newest):
            return False
        place = self.place
        mapper = await describing.mapper(place)
        async with transaction(place.db) as tx:
            if not await entity_syncs.is_unchanged(tx, place.sync):
                return None
            kept = await keeping.keep(tx, place, mapper, seen.entities)
            gone = await entity_copies.removed(
                tx, place.integration_id, seen.gone, place.settings.on_deletion
            )
            if newest is not None:
                await entity_syncs.fed(tx, place.integration_id, newest.at, newest.event_id)
            is_needed = bool(seen.entities or seen.gone) and await self._waits(tx)
            if is_needed:
                await entity_runs.ask(tx, place.integration_id, RunCause.FEED)
        if kept["differing"] or gone:
            differing = kept["differing"]
            log.info("events told of changes", integration=place.name, differing=differing, gone=gone)
        return is_needed

    async def _waits(self, tx: Connection) -> bool:
        integration_id = self.place.integration_id
        is_any = await entity_copies.count_waiting(tx, integration_id, up_to=1) > 0
        return is_any or bool(await entity_copies.unplaced(tx, integration_id, limit=1))

    def _remember(self, found: Collection[Told], unsure: Collection[str]) -> None:
        """Only what the next reading may meet again. What m3ter's list does not show as it was told is looked
        at again, for as long as an event may be listed late."""
        now = time.monotonic()
        oldest = max(told.at for told in found) - 2 * OVERLAP
        for told in found:
            first = self._unshown.setdefault(told.event_id, now) if told.m3ter_id in unsure else None
            if first is None or now - first >= OVERLAP.total_seconds():
                self._dealt_with[told.event_id] = told.at
        listed = {told.event_id for told in found}
        self._dealt_with = {each: at for each, at in self._dealt_with.items() if at >= oldest}
        self._unshown = {each: first for each, first in self._unshown.items() if each in listed}


@dataclass(frozen=True, slots=True)
class Seen:
    """What the look-up of some of the told ids came to; `unsure` are those not shown as the events tell.

    m3ter's list may lag behind its events: one it does not give is gone only if its deletion was told, and
    one whose deletion was told is gone only once the list agrees.
    """

    entities: list[dict[str, Any]]
    gone: frozenset[str]
    unsure: frozenset[str]

    @classmethod
    def of(cls, ids: Collection[str], deleted: Collection[str], entities: list[dict[str, Any]]) -> "Seen":
        there = {keeping.id_of(entity) for entity in entities}
        return cls(
            [entity for entity in entities if keeping.id_of(entity) not in deleted],
            frozenset(set(ids).intersection(deleted) - there),
            frozenset(each for each in ids if (each in there) == (each in deleted)),
        )
