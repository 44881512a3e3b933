"""Standard Accounts that Salesforce says are gone: copies do without them until they are there again."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

import structlog

from connectors.errors import RejectedError, SyncError
from daemon.to_salesforce import standard
from daemon.to_salesforce.gauge import Gauge, ReserveReached
from daemon.to_salesforce.mapping import digests
from daemon.to_salesforce.place import Place
from daemon.to_salesforce.turn import Turn, is_outage, patiently
from state import entity_copies, standard_accounts
from state.database import transaction
from state.entity_models import Waiting

log = structlog.get_logger(__name__)

_IDS_A_QUERY = 400  # as many as an address has room for


async def leave_out(place: Place, rows: Sequence[Waiting]) -> set[str]:
    """Of these copies of one call, not taken perhaps for an Account that they name, those that wait on, by
    m3ter id: without it where it is gone, and as they are while nobody can say."""
    lookups = place.target.derived("salesforce_account")
    named = {
        str(row.payload[name]) for row in rows if row.payload for name in lookups if row.payload.get(name)
    }
    gone = await _gone(place, named)
    if gone is None:
        return {row.m3ter_id for row in rows}
    without = list[tuple[Waiting, str]]()
    for row in rows:
        payload = dict(row.payload or {})
        dead = [name for name in lookups if payload.get(name) in gone]
        if dead:
            payload |= dict.fromkeys(dead)
            digest = digests.digest(place.target.object_name, payload)
            without.append((replace(row, payload=payload), digest))
    if without:
        async with transaction(place.db) as tx:
            await standard_accounts.gone(tx, place.integration_id, gone)
            await entity_copies.want_instead(tx, place.integration_id, without)
        log.warning("standard account is gone", integration=place.name, count=len(without))
    return {row.m3ter_id for row, _ in without}


async def read(place: Place, turn: Turn) -> None:
    """Once before a scan, unless it would be with calls that are left to others. Raises Stopped."""
    gauge = Gauge(place)
    try:
        await patiently(turn, place.org.standing, place.manner.policy, lambda: look_again(place, gauge.check))
    except ReserveReached as error:
        log.info("standard accounts not looked at", integration=place.name, reason=error.reason)


async def look_again(place: Place, may_call: Callable[[], None]) -> int:
    """Whether some are there again, which their copies are then to name; how many calls that needed. Those
    that nothing names any more are forgotten.

    `may_call` is asked before each call, and raises when there shall be none. Raises the SyncError family,
    but not RejectedError.
    """
    if not standard.is_wanted(place):
        return 0
    calls, after = 0, ""
    await standard_accounts.forget_unnamed(place.db, place.integration_id)
    while ids := await standard_accounts.gone_after(place.db, place.integration_id, after, _IDS_A_QUERY):
        may_call()
        after = ids[-1]
        calls += 1
        try:
            there = await _there(place, ids)
        except RejectedError as error:
            _not_read(place, error)
        else:
            await standard_accounts.back(place.db, place.integration_id, there)
    return calls


async def _gone(place: Place, ids: Collection[str]) -> set[str] | None:
    """Of these Accounts those that Salesforce has no more; None while it cannot be asked. None of them is
    known to be gone where it does not let itself be asked."""
    if Gauge(place).is_spent():
        return None
    try:
        return set(ids) - await _there(place, ids)
    except SyncError as error:
        _not_read(place, error)
        return None if is_outage(error) else set()


async def _there(place: Place, ids: Collection[str]) -> set[str]:
    """Raises the SyncError family."""
    listed = ",".join(f"'{each}'" for each in sorted(ids))
    soql = f"SELECT Id FROM Account WHERE Id IN ({listed})"  # noqa: S608 - ids that Salesforce gave
    return {each["Id"] async for page in place.org.salesforce.query(soql) for each in page}


def _not_read(place: Place, error: SyncError) -> None:
    log.warning("standard accounts not read", integration=place.name, reason=error.message)
