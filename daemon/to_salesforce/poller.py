"""Reads a scan's pages from m3ter ahead of what is compared; each page and its cursor are one transaction."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import structlog

from connectors.errors import RejectedError, TooLargeError
from connectors.m3ter.rest import Page
from daemon.to_salesforce import describing, gone_accounts, keeping, lanes, listing, standard, together, unmet
from daemon.to_salesforce.comparing import Mapper
from daemon.to_salesforce.keeping import Entities
from daemon.to_salesforce.lanes import Lane, Position
from daemon.to_salesforce.listing import Question
from daemon.to_salesforce.place import Place
from daemon.to_salesforce.turn import Turn, patiently
from state import entity_copies, entity_runs
from state.database import transaction

log = structlog.get_logger(__name__)

# A page that is refused each time must not be read up to for ever.
_MOST_BEGINNINGS = 3

# What the lists did not show is still to be looked up, from the first copy on.
_ALL_READ = Position(unmet_after="")


@dataclass(frozen=True, slots=True)
class Read:
    """One page as read, and where the scan goes on."""

    entities: Entities
    following: Position


class Poller:
    """One scan of one entity type."""

    def __init__(self, place: Place, turn: Turn) -> None:
        self._place = place
        self._turn = turn
        self._beginnings = 0
        self._pages: asyncio.Queue[Read | None] = asyncio.Queue(max(1, place.manner.lookahead))

    async def scan(self) -> None:
        """From the run's cursor to the end. Raises LeaseLost, Stopped, DatabaseUnavailable, RejectedError."""
        at = lanes.position(self._turn.claim.cursor)
        mapper = await describing.mapper(self._place, self._turn)
        if at is None or at.unmet_after is None:
            await standard.read(self._place, self._turn)
            await gone_accounts.read(self._place, self._turn)
            await together.run(f"scan of {self._place.name}", self._read(at), self._keep(mapper))
        after = (at.unmet_after if at else None) or ""
        await unmet.settle(self._place, self._turn, mapper, after)

    async def _read(self, at: Position | None) -> None:
        async for read in self._walk(at):
            await self._pages.put(read)
        await self._pages.put(None)

    async def _walk(self, at: Position | None) -> AsyncIterator[Read]:
        left = lanes.remaining(lanes.of(self._place.settings), at)
        for number, (lane, first) in enumerate(left):
            after = Position(left[number + 1][0].key) if number + 1 < len(left) else _ALL_READ
            page = await self._page(lane, first)
            while page.next_token is not None:
                yield Read(page.entities, Position(lane.key, page.next_token))
                page = await self._page(lane, page.next_token)
            yield Read(page.entities, after)
        if not left:
            yield Read((), _ALL_READ)  # every account is denied: nothing that was copied is met

    async def _page(self, lane: Lane, token: str | None) -> Page:
        place = self._place

        async def ask(question: Question) -> Page:
            return await patiently(self._turn, place.organization.standing, place.manner.policy, question)

        try:
            return await listing.page(place, token, lane.filters, ask)
        except TooLargeError:
            raise  # the token is good: the same page would be met again
        except RejectedError as error:
            self._beginnings += 1
            if token is None or self._beginnings > _MOST_BEGINNINGS:
                raise
            # Nobody says how long a token is good; what was seen so far stays seen.
            log.warning("scan begins its list anew", integration=place.name, reason=error.message)
            return await listing.page(place, None, lane.filters, ask)

    async def _keep(self, mapper: Mapper) -> None:
        while (read := await self._pages.get()) is not None:
            async with transaction(self._place.db) as tx:
                await entity_runs.fence(tx, self._turn.claim)
                kept = await keeping.keep(tx, self._place, mapper, read.entities)
                ids = [keeping.id_of(each) for each in read.entities]
                await entity_copies.see(tx, self._turn.claim.run_id, ids)
                counts = self._turn.counts(pages=1, entities_read=len(read.entities), **kept)
                await entity_runs.add(tx, self._turn.claim, counts, cursor=read.following.written())
            self._turn.committed.set()
