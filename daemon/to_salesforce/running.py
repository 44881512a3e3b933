"""One run from its claim to its end: scan and writes overlapping, the lease prolonged, the end told."""

import asyncio

import structlog

from connectors.errors import AuthenticationError, SyncError
from daemon import waiting
from daemon.to_salesforce import belonging, budget, outdated, together, unplaced
from daemon.to_salesforce.place import Place
from daemon.to_salesforce.poller import Poller
from daemon.to_salesforce.turn import Stopped, Turn
from daemon.to_salesforce.writer import Writer
from state import entity_copies, entity_runs, entity_syncs
from state.database import transaction
from state.entity_models import RunCause
from state.errors import DatabaseUnavailable, LeaseLost, StateError
from state.models import RunStatus

log = structlog.get_logger(__name__)

_WITHOUT_SCAN = (RunCause.RETRY, RunCause.FEED)


async def carry_out(place: Place, turn: Turn) -> None:
    """Raises Stopped, LeaseLost and DatabaseUnavailable, after which somebody goes on with the run."""
    log.info("run begun", **_facts(place, turn), is_resumed=turn.claim.cursor is not None)
    try:
        await _work(place, turn)
    except Stopped:
        await entity_runs.release(place.db, turn.claim)
        log.info("run interrupted", **_facts(place, turn))
        raise
    except (LeaseLost, DatabaseUnavailable):
        raise
    except (SyncError, StateError) as error:
        said = error.message if isinstance(error, SyncError) else error.reason
        if isinstance(error, AuthenticationError):
            await _end(place, turn, RunStatus.AUTH_FAILED, said, error.instruction)
        else:
            message = f"{place.target.object_name}: {said}"
            await _end(place, turn, RunStatus.ERROR, message, error.instruction)
    except Exception as error:
        log.exception("unexpected failure", **_facts(place, turn))
        message = f"This is a fault of m3sync, {type(error).__name__}: {error}"
        instruction = "Report it with the log line of this moment."
        await _end(place, turn, RunStatus.ERROR, message, instruction)
    else:
        await _end(place, turn, RunStatus.COMPLETE, "", "")


async def _work(place: Place, turn: Turn) -> None:
    is_over, name = asyncio.Event(), f"run of {place.name}"

    async def work() -> None:
        here = await belonging.settled(place, turn)
        await outdated.withhold(here, turn)
        await together.run(name, _scan(here, turn), _write(here, turn))
        is_over.set()

    await together.run(name, work(), _beat(place, turn, is_over))


async def _write(place: Place, turn: Turn) -> None:
    await Writer(place, turn).write()
    while await unplaced.find(place, turn):
        await Writer(place, turn).write()


async def _scan(place: Place, turn: Turn) -> None:
    """When told to stop it just ends: the writer keeps what is in flight, and then says so."""
    if not turn.claim.is_scanned and await _needs_scan(place, turn):
        try:
            await Poller(place, turn).scan()
        except Stopped:
            return
        await _forecast(place)
    turn.is_read.set()


async def _needs_scan(place: Place, turn: Turn) -> bool:
    if place.sync.first_completed_at is None or turn.claim.cause not in _WITHOUT_SCAN:
        return True
    return await entity_copies.are_withheld(place.db, place.integration_id)


async def _forecast(place: Place) -> None:
    """What is still to be spent, and whether it is there."""
    left = await entity_copies.count_waiting(place.db, place.integration_id)
    usage = place.org.salesforce.usage
    if left and usage is not None:
        log.info(
            "scan done",
            integration=place.name,
            waiting=left,
            calls_needed=budget.calls_for(left),
            calls_left=budget.Budget(place.manner.reserve).left(usage),
        )


async def _beat(place: Place, turn: Turn, is_over: asyncio.Event) -> None:
    """Raises what ends everything else of this run here: LeaseLost, and AuthenticationError once a credential
    was refused for as long as a lease lasts, for then it is for a person to mend it."""
    while not is_over.is_set():
        await waiting.either(place.manner.lease / 3, is_over)
        if not is_over.is_set():
            await entity_runs.renew(place.db, turn.claim)
            await _check_accepted(place)
            await _tell(place, turn, "run under way")


async def _check_accepted(place: Place) -> None:
    """What is copied stays; the run is begun anew once the credential is accepted (Runner)."""
    found = await entity_syncs.refusal(place.db, place.integration_id, place.manner.lease)
    if found is not None:
        raise AuthenticationError(
            f"The credential {found.name} is not accepted: {found.error}",
            instruction=f"{found.instruction} When it is accepted, the run begins anew by itself.".strip(),
        )


async def _end(place: Place, turn: Turn, status: RunStatus, error: str, instruction: str) -> None:
    async with transaction(place.db) as tx:
        await entity_runs.add(tx, turn.claim, turn.counts())
    has_disabled = await entity_runs.end(place.db, turn.claim, status, error, instruction)
    if error:
        log.error("run failed", **_facts(place, turn), reason=error, instruction=instruction)
    if has_disabled:
        log.error("integration disabled", **_facts(place, turn), successive_errors=entity_runs.STREAK)
    await _tell(place, turn, "run ended")


async def _tell(place: Place, turn: Turn, what: str) -> None:
    """One line with the figures, for the journal."""
    run = await entity_runs.get(place.db, turn.claim.run_id)
    figures = {
        name: getattr(run, name)
        for name in ("entities_read", "differing", "written", "created", "refused", "marked", "deleted")
    }
    log.info(what, **_facts(place, turn), status=run.status.value, **figures, calls=dict(run.calls))


def _facts(place: Place, turn: Turn) -> dict[str, object]:
    return {
        "integration": place.name,
        "entity_type": place.settings.entity_type.value,
        "cause": turn.claim.cause.value,
        "run_id": str(turn.claim.run_id),
    }
