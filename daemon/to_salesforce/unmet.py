"""The end of a scan: what its lists did not show is looked up by ids, and what is gone is removed."""

import structlog

from daemon.to_salesforce import keeping
from daemon.to_salesforce.comparing import Mapper
from daemon.to_salesforce.keeping import Entities
from daemon.to_salesforce.lanes import Position
from daemon.to_salesforce.place import Place
from daemon.to_salesforce.turn import Turn, patiently
from state import entity_copies, entity_runs
from state.database import transaction

log = structlog.get_logger(__name__)

_IDS_A_CALL = 100  # as many as one page holds
_COPIES_A_LOOK = 2_000


async def settle(place: Place, turn: Turn, mapper: Mapper, after: str) -> None:
    """From the copy after this id on. A list that is paged while others write to it passes over entities.

    Each answer and the place in the copies are one transaction. Raises LeaseLost, Stopped,
    DatabaseUnavailable, RejectedError, after which nothing was removed that was not looked up.
    """
    removal, gone = place.settings.on_deletion, 0
    at: str | None = after
    while at is not None:
        turn.check()
        missing, at = await entity_copies.unmet(
            place.db, turn.claim, action=removal, after=at, limit=_COPIES_A_LOOK
        )
        for first in range(0, len(missing), _IDS_A_CALL):
            ids = missing[first : first + _IDS_A_CALL]
            gone += await _keep(place, turn, mapper, ids, await _found(place, turn, ids))
            turn.committed.set()
    async with transaction(place.db) as tx:
        await entity_runs.fence(tx, turn.claim)
        await entity_runs.scanned(tx, turn.claim)
    if gone:
        log.info("entities gone from m3ter", integration=place.name, count=gone, action=removal.value)


async def _found(place: Place, turn: Turn, ids: list[str]) -> Entities:
    policy, standing = place.manner.policy, place.organization.standing
    return await patiently(turn, standing, policy, lambda: keeping.look_up(place, ids))


async def _keep(place: Place, turn: Turn, mapper: Mapper, ids: list[str], found: Entities) -> int:
    """Those found are treated as read; gives how many are gone."""
    there = {keeping.id_of(entity) for entity in found}
    async with transaction(place.db) as tx:
        await entity_runs.fence(tx, turn.claim)
        kept = await keeping.keep(tx, place, mapper, found)
        await entity_copies.see(tx, turn.claim.run_id, there)
        gone = await entity_copies.removed(
            tx, place.integration_id, set(ids) - there, place.settings.on_deletion
        )
        counts = turn.counts(entities_read=len(found), **kept)
        await entity_runs.add(tx, turn.claim, counts, cursor=Position(unmet_after=ids[-1]).written())
    return gone
