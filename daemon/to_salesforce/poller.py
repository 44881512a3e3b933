"""Reads a scan's pages from m3ter ahead of what is compared; each page and its cursor are one transaction."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from connectors.errors import RejectedError
from connectors.m3ter.rest import Page
from daemon.to_salesforce import comparing, lanes, linking, together
from daemon.to_salesforce.comparing import Mapper, Sifted
from daemon.to_salesforce.lanes import Lane, Position
from daemon.to_salesforce.place import Place
from daemon.to_salesforce.turn import Turn, patiently
from state import entity_copies, entity_runs
from state.database import Connection, transaction
from state.entity_models import Refused

log = structlog.get_logger(__name__)

# A page that is refused each time must not be read up to for ever.
_MOST_BEGINNINGS = 3

Entities = Sequence[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Read:
    """One page as read, and where the next one is; None after the last."""

    entities: Entities
    following: Position | None


class Poller:
    """One scan of one entity type."""

    def __init__(self, place: Place, turn: Turn) -> None:
        self._place = place
        self._turn = turn
        self._mapper = Mapper.of(place.target, place.settings.custom_fields)
        self._beginnings = 0
        self._pages: asyncio.Queue[Read | None] = asyncio.Queue(max(1, place.manner.lookahead))

    async def scan(self) -> None:
        """From the run's cursor to the end. Raises LeaseLost, Stopped, DatabaseUnavailable, RejectedError."""
        await together.run(f"scan of {self._place.name}", self._read(), self._keep())

    async def _read(self) -> None:
        async for read in self._walk():
            await self._pages.put(read)
        await self._pages.put(None)

    async def _walk(self) -> AsyncIterator[Read]:
        left = lanes.remaining(lanes.of(self._place.settings), lanes.position(self._turn.claim.cursor))
        for number, (lane, first) in enumerate(left):
            after = Position(left[number + 1][0].key) if number + 1 < len(left) else None
            page = await self._page(lane, first)
            while page.next_token is not None:
                yield Read(page.entities, Position(lane.key, page.next_token))
                page = await self._page(lane, page.next_token)
            yield Read(page.entities, after)
        if not left:
            yield Read((), None)  # every account is denied: all that was copied is gone

    async def _page(self, lane: Lane, token: str | None) -> Page:
        place = self._place

        async def asked(at: str | None) -> Page:
            organization = place.organization
            return await patiently(
                self._turn,
                organization.standing,
                place.manner.policy,
                lambda: organization.m3ter.page(place.kind, at, **lane.filters),
            )

        try:
            return await asked(token)
        except RejectedError as error:
            self._beginnings += 1
            if token is None or self._beginnings > _MOST_BEGINNINGS:
                raise
            # Nobody says how long a token is good; what was seen so far stays seen.
            log.warning("scan begins its list anew", integration=place.name, reason=error.message)
            return await asked(None)

    async def _keep(self) -> None:
        while (read := await self._pages.get()) is not None:
            async with transaction(self._place.db) as tx:
                await entity_runs.fence(tx, self._turn.claim)
                differing, unchanged = await keep(tx, self._place, self._mapper, read.entities)
                await entity_copies.see(tx, self._turn.claim.run_id, [_id(each) for each in read.entities])
                counts = self._turn.counts(
                    pages=1, entities_read=len(read.entities), differing=differing, unchanged=unchanged
                )
                cursor = None if read.following is None else read.following.written()
                await entity_runs.add(tx, self._turn.claim, counts, cursor=cursor)
                if read.following is None:
                    await self._end(tx)
            self._turn.committed.set()

    async def _end(self, tx: Connection) -> None:
        """All is read: what was not met is gone from m3ter, which is kept with the last page."""
        place, claim = self._place, self._turn.claim
        gone = await entity_copies.gone(tx, claim, action=place.settings.on_deletion)
        await entity_runs.scanned(tx, claim)
        if gone:
            log.info(
                "entities gone from m3ter",
                integration=place.name,
                count=gone,
                action=place.settings.on_deletion.value,
            )


async def keep(tx: Connection, place: Place, mapper: Mapper, entities: Entities) -> tuple[int, int]:
    """Compare with what was last written and have what differs written; how many differ, and how many do not.

    What the account lists leave out, and is copied all the same, has left the filter.
    """
    allowed = [entity for entity in entities if lanes.is_allowed(place.settings, entity)]
    left_out = [_id(entity) for entity in entities if not lanes.is_allowed(place.settings, entity)]
    integration_id = place.integration_id
    known = await entity_copies.known(tx, integration_id, [_id(entity) for entity in allowed])
    links = await linking.of(tx, place, allowed)
    sifted = comparing.sift(mapper, allowed, known, links)
    await entity_copies.touch(tx, integration_id, sifted.touched)
    await entity_copies.want(tx, integration_id, sifted.wanted)
    await _set_aside(tx, place, sifted)
    if left_out:
        await entity_copies.removed(tx, integration_id, left_out, place.settings.on_leaving)
    differing = len(sifted.wanted) + len(sifted.unfit)
    return differing, len(allowed) - differing


def _id(entity: dict[str, Any]) -> str:
    return str(entity["id"])


async def _set_aside(tx: Connection, place: Place, sifted: Sifted) -> None:
    """What no Salesforce field takes is an issue at once, in the words of the mapping."""
    if not sifted.unfit:
        return
    await entity_copies.want(tx, place.integration_id, [wanted for wanted, _ in sifted.unfit])
    refused = [
        Refused(wanted.m3ter_id, wanted.digest, error.code, str(error), error.fields)
        for wanted, error in sifted.unfit
    ]
    await entity_copies.refused(tx, place.integration_id, refused)
