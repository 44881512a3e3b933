"""What waits under another mapping than that of now: after an upgrade, or under names changed in a file."""

import structlog

from daemon.to_salesforce import describing
from daemon.to_salesforce.place import Place
from daemon.to_salesforce.turn import Turn
from state import entity_copies, entity_runs
from state.database import transaction

log = structlog.get_logger(__name__)


async def withhold(place: Place, turn: Turn) -> None:
    """Such records are not sent: the run's scan looks at them anew, from the first page on.

    Raises Stopped, LeaseLost, DatabaseUnavailable.
    """
    mapper = await describing.mapper(place, turn)
    while count := await _withhold_some(place, turn, mapper.fingerprint):
        log.info("what waits is mapped anew", integration=place.name, count=count)
        turn.check()


async def _withhold_some(place: Place, turn: Turn, mapping: str) -> int:
    async with transaction(place.db) as tx:
        await entity_runs.fence(tx, turn.claim)
        count = await entity_copies.withhold(tx, place.integration_id, mapping)
        claim = await entity_runs.begin_anew(tx, turn.claim) if count else turn.claim
    turn.claim = claim
    return count
