"""Ends what bills a record or a line that was deleted in Salesforce, where its field mapping says so."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from connectors.errors import RejectedError
from connectors.m3ter.models import EntityKind
from connectors.m3ter.rest import BillingEntity, Ending
from daemon import outcomes
from daemon.outcomes import Action, ObjectResult
from daemon.to_m3ter import objects
from daemon.to_m3ter.ledger import Target
from daemon.to_m3ter.leftovers import BY_ACCOUNT_PLAN
from daemon.to_m3ter.wanted import Desk, Wanted
from state.models import ExternalMapping

# (object name, ids) -> those in the recycle bin, and since when
Proof = Callable[[str, Collection[str]], Awaitable[Mapping[str, datetime]]]

# Each has an end date of its own. A Contract and an Account are ended by the operation that m3ter has for it:
# of a Contract only itself, as m3ter's words for the rest ("associated with the Account the Contract has been
# added to") leave open whether another agreement's AccountPlans would end with it.
_DATED = {EntityKind.ACCOUNT_PLAN, EntityKind.PRICING, EntityKind.COMMITMENT}
_BY_OPERATION: Mapping[EntityKind, tuple[BillingEntity, ...]] = {
    EntityKind.CONTRACT: ("CONTRACT",),
    EntityKind.ACCOUNT: ("CONTRACT", "ACCOUNTPLAN", "PREPAYMENT", "PRICINGS"),
}
# What is billed first, its frame last.
_ORDER = (*(EntityKind(name) for name in ("AccountPlan", "Pricing", "Commitment", "Contract", "Account")),)


@dataclass(frozen=True, slots=True)
class Ended:
    """What was ended or refused to be, and what has no end date and goes on being in force."""

    results: tuple[ObjectResult, ...]
    left: tuple[ExternalMapping, ...]


async def proven(proof: Proof, known: Sequence[ExternalMapping]) -> Mapping[str, datetime]:
    """Which records of these entities were certainly deleted, and when."""
    since: dict[str, datetime] = {}
    for table in sorted({each.external_table for each in known}):
        since |= await proof(table, {each.external_id for each in known if each.external_table == table})
    return since


async def end(desk: Desk, known: Sequence[ExternalMapping], since: Mapping[str, datetime]) -> Ended:
    """End these entities when their Salesforce records were deleted (`since`, by record id).

    Those of other records are left. Raises TransientError, AuthenticationError.
    """
    results: list[ObjectResult] = []
    ended: set[str] = set()  # the records whose AccountPlan was
    left = [each for each in known if each.external_id not in since or _kind(each) not in _ORDER]
    for each in sorted((one for one in known if one not in left), key=lambda one: _ORDER.index(_kind(one))):
        if _kind(each) in BY_ACCOUNT_PLAN and each.external_id in ended:
            continue
        result = await _end(desk, each, since[each.external_id])
        results.append(result)
        if _kind(each) is EntityKind.ACCOUNT_PLAN and result.success:
            ended.add(each.external_id)
    left = [one for one in left if not (_kind(one) in BY_ACCOUNT_PLAN and one.external_id in ended)]
    return Ended(tuple(results), tuple(left))


async def _end(desk: Desk, known: ExternalMapping, at: datetime) -> ObjectResult:
    kind = _kind(known)
    try:
        if kind in _DATED:
            changes = await _dated(desk, known, at)
        else:
            changes = {"endDate": (None, _moment(at))}
            await _by_operation(desk, known, at)
    except RejectedError as error:
        return outcomes.refused(kind.value, known.external_id, error.message, _by_hand(known, error))
    desk.note(f"The {kind.value} {known.m3ter_id} of {known.external_id}, which was deleted, ends {at}.")
    written = outcomes.written(kind.value, known.external_id, Action.UPDATED, known.m3ter_id)
    return outcomes.with_changes(written, changes)


async def _dated(desk: Desk, known: ExternalMapping, at: datetime) -> Mapping[str, tuple[object, object]]:
    kind = _kind(known)
    value = at.date().isoformat() if kind is EntityKind.COMMITMENT else _moment(at)
    target = Target(known.m3ter_entity, known.external_table, known.external_id)
    entity = await desk.m3ter.get(kind, known.m3ter_id)
    return await objects.update(desk, Wanted(target, {"endDate": value}), entity)


async def _by_operation(desk: Desk, known: ExternalMapping, at: datetime) -> None:
    send_before = await desk.ledger.fence()
    ending = Ending(_BY_OPERATION[_kind(known)], _moment(at))
    await desk.m3ter.end_billing(_kind(known), known.m3ter_id, ending, send_before=send_before)


def _by_hand(known: ExternalMapping, error: RejectedError) -> str:
    return error.instruction or (
        f"Give the {known.m3ter_entity} {known.m3ter_id} an end date in m3ter, or delete it there."
    )


def _kind(known: ExternalMapping) -> EntityKind:
    return EntityKind(known.m3ter_entity)


def _moment(at: datetime) -> str:
    """As m3ter writes a date-time; `at` is in UTC."""
    return at.strftime("%Y-%m-%dT%H:%M:%S.000Z")
