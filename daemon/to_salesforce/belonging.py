"""Whose the copies of an integration are: in another Salesforce org, or of another m3ter, all begins anew."""

from dataclasses import replace

import structlog

from daemon.to_salesforce.place import Place
from daemon.to_salesforce.turn import Turn, patiently
from state import entity_runs, entity_syncs
from state.database import transaction

log = structlog.get_logger(__name__)


async def settled(place: Place, turn: Turn) -> Place:
    """The place as it is to be worked with, once it is known that the copies belong to the two systems that
    answer under its credentials; however these came to be others', the run then begins anew.

    Raises Stopped, LeaseLost, DatabaseUnavailable.
    """
    found = await patiently(turn, place.org.standing, place.manner.policy, lambda: _systems(place))
    before = await entity_syncs.orgs(place.db, place.integration_id)
    if before == found:
        return place
    async with transaction(place.db) as tx:
        await entity_syncs.hold(tx, place.integration_id)
        await entity_runs.fence(tx, turn.claim)
        is_anew = await entity_syncs.belong(tx, turn.claim, *found)
    if not is_anew:
        return place
    turn.claim = replace(turn.claim, cursor=None, is_scanned=False)
    log.warning(
        "copies belong elsewhere: all begins anew",
        integration=place.name,
        salesforce_org_id=found[0],
        m3ter_org_id=found[1],
        salesforce_org_id_before=before[0],
        m3ter_org_id_before=before[1],
    )
    return replace(place, sync=await entity_syncs.get(place.db, place.integration_id))


async def is_elsewhere(place: Place) -> bool:
    """Whether the next run will find that the copies are others', and forget them.

    Raises the SyncError family.
    """
    before = await entity_syncs.orgs(place.db, place.integration_id)
    return before not in ((None, None), await _systems(place))


async def _systems(place: Place) -> tuple[str, str]:
    """The org, as the token in use says it (a sandbox that is refreshed has another id under the same
    credential), and the m3ter organization."""
    org_id = await place.org.org_id()
    holder = place.org.salesforce.auth.holder
    return holder.org_id if holder is not None else org_id, place.organization.m3ter.org_id
