"""Reads in m3ter which standard Accounts its accounts are: anyone may make external mappings, untold."""

from collections.abc import Awaitable, Collection, Iterator, Mapping
from typing import Any

import structlog

from connectors.errors import RejectedError
from connectors.m3ter.models import SALESFORCE, EntityKind
from connectors.m3ter.rest import Page
from connectors.salesforce.ids import to_id18
from daemon.to_salesforce import lanes, listing
from daemon.to_salesforce.listing import Ask, Question
from daemon.to_salesforce.place import Place
from daemon.to_salesforce.turn import Turn, patiently
from state import standard_accounts

log = structlog.get_logger(__name__)

_ACCOUNT = "Account"  # what both systems call it
_PREFIX = "001"  # of every Account's id (Salesforce, "Standard Field Types", key prefixes)
_IDS_A_CALL = 100


def is_wanted(place: Place) -> bool:
    """Whether this integration's copies have a lookup to the standard Account at all."""
    return bool(place.target.derived("salesforce_account"))


async def read(place: Place, turn: Turn) -> None:
    """Once before a scan, with the largest pages. Raises Stopped."""

    async def ask(question: Question) -> Page:
        return await patiently(turn, place.organization.standing, place.manner.policy, question)

    await refresh(place, ask)


async def refresh(place: Place, ask: Ask = listing.plainly) -> int:
    """Of all accounts that the integration copies; how many calls that needed.

    A list that m3ter refuses stops nothing: what is known stays. Raises what `ask` does, by default the
    SyncError family.
    """
    if not is_wanted(place):
        return 0
    chunks = [lane.filters.get("ids") for lane in lanes.of(place.settings)]
    return sum([await _read(place, ids, ask) for ids in chunks])


async def refresh_of(place: Place, m3ter_ids: Collection[str]) -> None:
    """Of these accounts. Raises the SyncError family, but not RejectedError."""
    ids = list(m3ter_ids)
    if is_wanted(place):
        for at in range(0, len(ids), _IDS_A_CALL):
            await _read(place, ids[at : at + _IDS_A_CALL], listing.plainly)


async def _read(place: Place, ids: Collection[str] | None, ask: Ask) -> int:
    """A list that is paged while others write to it passes over mappings: before one is forgotten, m3ter is
    asked for those of just its account."""
    org_id, after = place.organization.m3ter.org_id, ""
    begun, calls = await standard_accounts.now(place.db), 0
    try:
        calls += await _listed(place, ids, ask)
        while unseen := await standard_accounts.unseen(place.db, org_id, begun, ids, after):
            calls += await _listed(place, unseen, ask)
            await standard_accounts.forget_unseen(place.db, org_id, begun, unseen)
            after = unseen[-1]
    except RejectedError as error:
        log.warning("external mappings not read", integration=place.name, reason=error.message)
    return calls


async def _listed(place: Place, ids: Collection[str] | None, ask: Ask) -> int:
    """Keep what m3ter's list says of these accounts, None is all; how many calls that needed."""
    m3ter, kind = place.organization.m3ter, EntityKind.EXTERNAL_MAPPING
    filters: dict[str, Any] = {"externalSystemId": SALESFORCE, "m3terIds": ids}
    size = place.page_size(kind.path, kind.page_size)

    async def page_at(at: str | None) -> Page:
        def sized(number: int) -> Awaitable[Page]:
            return ask(lambda: m3ter.page(kind, at, page_size=number, **filters))

        return await listing.fitting(size, sized)

    calls, token = 0, None
    while True:
        page = await page_at(token)
        calls += 1
        pairs = [pair for entity in page.entities for pair in _told(entity)]
        await standard_accounts.put(place.db, m3ter.org_id, pairs)
        token = page.next_token
        if token is None:
            return calls


def _told(mapping: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Nothing of a mapping of other things, or with an id that no Account can have."""
    names = (mapping.get("m3terEntity"), mapping.get("externalSystem"), mapping.get("externalTable"))
    if names != (_ACCOUNT, SALESFORCE, _ACCOUNT) or not mapping.get("m3terId"):
        return
    try:
        salesforce_id = to_id18(str(mapping.get("externalId") or ""))
    except RejectedError:
        return
    if salesforce_id.startswith(_PREFIX):
        yield str(mapping["m3terId"]), salesforce_id
