"""Between scans: reads in m3ter's events what changed, and just these entities; a scan remains the truth."""

from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog

from daemon.to_salesforce import events, poller
from daemon.to_salesforce.comparing import Mapper
from daemon.to_salesforce.events import Told
from daemon.to_salesforce.place import Place
from state import entity_copies, entity_runs, entity_syncs
from state.database import transaction
from state.entity_models import EntitySync, RunCause

log = structlog.get_logger(__name__)

# Events may be listed late and out of order: so much is read again each time.
OVERLAP = timedelta(minutes=2)
_IDS_A_CALL = 100
# Of one name. After a long absence a scan, which is due then anyway, costs less.
_MOST_PAGES = 50


@dataclass(slots=True)
class Feed:
    """Of one integration; `_dealt_with` has the events of the overlap that need no second look."""

    place: Place
    _dealt_with: dict[str, datetime] = field(default_factory=dict)

    async def read(self, sync: EntitySync) -> bool:
        """Have what changed written; whether anything is to be. Raises the SyncError family, which is no
        reason to stop anything: what was not read is read next time, or by the next scan."""
        since = await self._since(sync)
        if since is None:
            return False
        found = [told async for told in self._told(since - OVERLAP)]
        new = [told for told in found if told.event_id not in self._dealt_with]
        ids = list(dict.fromkeys(told.m3ter_id for told in new if told.m3ter_id))
        # All are read before any is kept, so that a failure leaves the place where it was.
        pages = [await self._entities(ids[at : at + _IDS_A_CALL]) for at in range(0, len(ids), _IDS_A_CALL)]
        newest = max(found, key=lambda told: told.at, default=None)
        is_needed = await self._keep(ids, [entity for page in pages for entity in page], newest)
        self._remember(found)
        return is_needed

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
            for _ in range(_MOST_PAGES):
                page = await self.place.organization.m3ter.events(event_name=name, token=token)
                told = [each for event in page.entities if (each := events.told(event)) is not None]
                for each in told:
                    if each.at >= since:
                        yield each
                token = page.next_token
                if token is None or (told and told[-1].at < since):
                    break
            else:
                log.warning("more events than the feed reads: left to the next scan", event_name=name)

    async def _entities(self, ids: Collection[str]) -> list[dict[str, Any]]:
        """Those that are still there; all of one page, as no more ids are asked for."""
        m3ter, found, token = self.place.organization.m3ter, list[dict[str, Any]](), None
        while True:
            page = await m3ter.page(self.place.kind, token, ids=list(ids))
            found += page.entities
            token = page.next_token
            if token is None:
                return found

    async def _keep(self, ids: Collection[str], entities: list[dict[str, Any]], newest: Told | None) -> bool:
        place = self.place
        mapper = Mapper.of(place.target, place.settings.custom_fields)
        there = {str(entity["id"]) for entity in entities}
        async with transaction(place.db) as tx:
            differing, _ = await poller.keep(tx, place, mapper, entities)
            gone = await entity_copies.removed(
                tx, place.integration_id, set(ids) - there, place.settings.on_deletion
            )
            if newest is not None:
                await entity_syncs.fed(tx, place.integration_id, newest.at, newest.event_id)
            waits = bool(ids) and await entity_copies.count_waiting(tx, place.integration_id, up_to=1) > 0
            if waits:
                await entity_runs.ask(tx, place.integration_id, RunCause.FEED)
        if differing or gone:
            log.info("events told of changes", integration=place.name, differing=differing, gone=gone)
        return waits

    def _remember(self, found: Collection[Told]) -> None:
        """Only what the next reading may meet again."""
        newest = max((told.at for told in found), default=datetime.now(UTC))
        self._dealt_with |= {told.event_id: told.at for told in found}
        self._dealt_with = {
            event_id: at for event_id, at in self._dealt_with.items() if at >= newest - 2 * OVERLAP
        }
