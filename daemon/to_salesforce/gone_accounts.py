"""Standard Accounts that Salesforce says are gone: copies do without them until they are there again."""

from collections.abc import Iterable
from dataclasses import replace

import structlog

from connectors.errors import RejectedError
from daemon.to_salesforce import standard
from daemon.to_salesforce.mapping import digests
from daemon.to_salesforce.place import Place
from daemon.to_salesforce.turn import Turn, patiently
from state import entity_copies, standard_accounts
from state.database import transaction
from state.entity_models import Waiting

log = structlog.get_logger(__name__)

_IDS_A_QUERY = 400  # as many as an address has room for


async def leave_out(place: Place, rows: Iterable[Waiting]) -> None:
    """These copies were not taken for an Account that they name: they wait on without it."""
    lookups = place.target.derived("salesforce_account")
    gone, without = set[str](), list[tuple[Waiting, str]]()
    for row in rows:
        payload = dict(row.payload or {})
        gone |= {str(payload[name]) for name in lookups if payload.get(name)}
        payload |= dict.fromkeys(lookups)
        digest = digests.digest(place.target.object_name, payload)
        without.append((replace(row, payload=payload), digest))
    async with transaction(place.db) as tx:
        await standard_accounts.gone(tx, place.integration_id, gone)
        await entity_copies.want_instead(tx, place.integration_id, without)
    log.warning("standard account is gone", integration=place.name, count=len(without))


async def read(place: Place, turn: Turn) -> None:
    """Once before a scan. Raises Stopped."""
    await patiently(turn, place.org.standing, place.manner.policy, lambda: look_again(place))


async def look_again(place: Place) -> int:
    """Whether some are there again, which their copies are then to name; how many calls that needed.

    Raises the SyncError family, but not RejectedError.
    """
    calls, after = 0, ""
    while standard.is_wanted(place):
        ids = await standard_accounts.gone_after(place.db, place.integration_id, after, _IDS_A_QUERY)
        if not ids:
            break
        after = ids[-1]
        calls += 1
        await standard_accounts.back(place.db, place.integration_id, await _there(place, ids))
    return calls


async def _there(place: Place, ids: list[str]) -> list[str]:
    listed = ",".join(f"'{each}'" for each in ids)
    soql = f"SELECT Id FROM Account WHERE Id IN ({listed})"  # noqa: S608 - ids that Salesforce gave
    try:
        return [each["Id"] async for page in place.org.salesforce.query(soql) for each in page]
    except RejectedError as error:
        log.warning("standard accounts not read", integration=place.name, reason=error.message)
        return []
