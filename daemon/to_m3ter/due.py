"""Whether a claimed record is to be synced now, by its criterion and by how its last sync ended."""

from daemon.outcomes import Action
from daemon.to_m3ter.mapping.document import Criterion
from state import runs
from state.database import Db
from state.errors import NotFound
from state.models import Cause, Claim, RecordState, SyncStatus

_UNDONE = frozenset({Action.FAILED.value, Action.NOT_ATTEMPTED.value})


async def is_due(
    db: Db, claim: Claim, criterion: Criterion | None, *, holds: bool, state: RecordState | None
) -> bool:
    """`holds`: what the criterion says of the record as it is now; `state`: what was remembered of it."""
    if claim.cause is Cause.MANUAL:
        return True
    if not holds:
        return False
    if criterion is None or criterion.fires == "each change" or state is None or not state.criterion_held:
        return True
    return await _is_unsettled(db, claim, state)


async def _is_unsettled(db: Db, claim: Claim, state: RecordState) -> bool:
    """It has become true before, but m3ter does not have it whole, or perhaps not as it is."""
    if state.last_run_id is None or state.sync_status is SyncStatus.FAILED:
        return True
    try:
        last = await runs.get(db, state.last_run_id)
    except NotFound:
        return True
    if last.completed_at is not None and claim.first_changed_at <= last.completed_at:
        return True  # heard while that sync had read the record already
    if state.sync_status is SyncStatus.COMPLETED:
        return False
    found = await runs.objects(db, [last.run_id])
    return any(each.action in _UNDONE for each in found[last.run_id])
