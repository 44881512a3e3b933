"""Has written anew what was edited or deleted in Salesforce by other hands."""

from collections.abc import AsyncIterator, Sequence

from daemon.to_salesforce import dry_run
from daemon.to_salesforce.dry_run import Cost
from daemon.to_salesforce.gauge import ReserveReached
from daemon.to_salesforce.place import Place
from state import entity_drift
from state.database import transaction
from state.entity_drift import Drift

_PAGE = 200


async def restore(place: Place, cost: Cost) -> AsyncIterator[int]:
    """Find them as a dry run does, and have the next run write them; gives how many, page by page.

    Each page is a transaction: what is wanted anew before a kill stays so, and is no drift to the next
    restore. Raises ReserveReached, after what was found until then, and the SyncError family.
    """
    page: list[Drift] = []
    try:
        async for difference in dry_run.dry_run(place, cost):
            if difference.drift is not None:
                page.append(difference.drift)
            if len(page) == _PAGE:
                yield await _want(place, page)
                page = []
    except ReserveReached:
        yield await _want(place, page)
        raise
    yield await _want(place, page)


async def _want(place: Place, page: Sequence[Drift]) -> int:
    if not page:
        return 0
    async with transaction(place.db) as tx:
        return await entity_drift.want_anew(tx, place.integration_id, page)
