"""What is to be removed although nothing tells whether it came to Salesforce: found there, or forgotten."""

import structlog

from daemon.to_salesforce import live
from daemon.to_salesforce.gauge import Gauge
from daemon.to_salesforce.place import Place
from daemon.to_salesforce.turn import Turn, patiently
from state import entity_copies, entity_runs
from state.database import transaction

log = structlog.get_logger(__name__)

_KEYS_A_QUERY = 100


async def find(place: Place, turn: Turn) -> bool:
    """Look each up by its external id, while nothing is on its way; whether any is there, to be removed now.

    Its first write was sent by somebody who was killed before the answer was kept, or it was never sent.
    Raises LeaseLost, Stopped, DatabaseUnavailable, RejectedError.
    """
    is_any = False
    while ids := await entity_copies.unplaced(place.db, place.integration_id, limit=_KEYS_A_QUERY):
        found = await _found(place, turn, ids)
        async with transaction(place.db) as tx:
            await entity_runs.fence(tx, turn.claim)
            await entity_copies.placed(tx, place.integration_id, ids, found)
            await entity_runs.add(tx, turn.claim, turn.counts())
        log.info("removed before a write was kept", integration=place.name, count=len(ids), there=len(found))
        is_any = is_any or bool(found)
    return is_any


async def _found(place: Place, turn: Turn, ids: list[str]) -> dict[str, str]:
    gauge, reader = Gauge(place), live.Reader(place)
    if gauge.is_spent():
        await gauge.wait(turn)
    return await patiently(turn, place.org.standing, place.manner.policy, lambda: reader.ids(ids))
