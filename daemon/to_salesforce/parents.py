"""Children wait while the first run of their parents' integration is under way, so that they find them."""

from datetime import UTC, datetime, timedelta

import structlog

from daemon.to_salesforce import linking
from daemon.to_salesforce.place import Place
from daemon.to_salesforce.turn import Turn
from state import entity_runs
from state.entity_models import EntitySync
from state.models import RunStatus

log = structlog.get_logger(__name__)

# All start together with the daemon: whose run is not in hand yet has it by then, or never.
_SOON = timedelta(seconds=20)


async def wait(place: Place, turn: Turn) -> None:
    """Until no parent's first run is under way. A parent that cannot run at all is not waited for, nor is one
    whose run nobody goes on with: then its children are postponed one by one. Raises Stopped."""
    until, names = datetime.now(UTC) + _SOON, set[str]()
    while awaited := await _awaited(place, until):
        if awaited.integration.name not in names:
            names.add(awaited.integration.name)
            log.info(
                "writing waits for its parents", integration=place.name, parents=awaited.integration.name
            )
        await turn.pause(min(timedelta(seconds=1), place.manner.poll))


async def _awaited(place: Place, until: datetime) -> EntitySync | None:
    relations = {field.relation for field in place.target.fields if field.relation}
    relations.discard(place.target.entity_type)
    for each in await linking.beside(place.db, place):
        is_parent = each.integration.enabled and each.settings.entity_type.value in relations
        if is_parent and each.first_completed_at is None and await _may_complete(place, each, until):
            return each
    return None


async def _may_complete(place: Place, parent: EntitySync, until: datetime) -> bool:
    runs = await entity_runs.list_runs(place.db, parent.integration.integration_id, limit=2)
    now = datetime.now(UTC)
    if now < until:
        return not runs or any(run.status in (RunStatus.WAITING, RunStatus.STARTED) for run in runs)
    # One whose holder was killed is soon another's.
    return any(run.lease_until is not None and run.lease_until > now - _SOON for run in runs)
