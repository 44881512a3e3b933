"""Ending what bills an account or a contract, all at once, and replacing an account plan by another."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from aiohttp import web

from connectors.sandbox.m3ter import answers, shapes, times
from connectors.sandbox.m3ter.entities import PREFIX
from connectors.sandbox.m3ter.kinds import Field
from connectors.sandbox.m3ter.organization import Organization
from connectors.sandbox.m3ter.refusals import RefusedError, bad_request

Entity = dict[str, Any]

_KINDS = {
    "CONTRACT": "Contract",
    "ACCOUNTPLAN": "AccountPlan",
    "PREPAYMENT": "Commitment",
    "PRICINGS": "Pricing",
}
_REQUEST = {
    "endDate": Field(type="date-time", is_required=True),
    "applyToChildren": Field(type="boolean"),
    "billingEntities": Field(
        type="list", is_required=True, least=Decimal(1), items=Field(one_of=(*_KINDS, "COUNTER_PRICINGS"))
    ),
}


def routes(organization: Organization) -> list[web.RouteDef]:
    """End-date by account or by contract; replace an account plan."""

    async def by_account(request: web.Request) -> web.Response:
        account = organization.store.get("Account", request.match_info["id"])
        asked = _asked(await answers.body_of(request))
        accounts = [account, *(_descendants(organization, account) if asked.get("applyToChildren") else ())]
        return answers.reply(_end(organization, asked, {"accountId": [one["id"] for one in accounts]}))

    async def by_contract(request: web.Request) -> web.Response:
        contract = organization.store.get("Contract", request.match_info["id"])
        return answers.reply(
            _end(organization, _asked(await answers.body_of(request)), {"contractId": [contract["id"]]})
        )

    async def replace(request: web.Request) -> web.Response:
        return answers.reply(_replace(organization, request.match_info["id"], await answers.body_of(request)))

    return [
        web.put(f"{PREFIX}/accounts/{{id}}/enddatebillingentities", by_account),
        web.put(f"{PREFIX}/contracts/{{id}}/enddatebillingentities", by_contract),
        web.post(f"{PREFIX}/accountplans/{{id}}/replace", replace),
    ]


def _asked(body: Any) -> Entity:
    return shapes.checked(_REQUEST, body, refuse_unknown=False)


def _descendants(organization: Organization, account: Entity) -> Iterator[Entity]:
    for child in organization.store.tables["Account"].having("parentAccountId", account["id"]):
        yield child
        yield from _descendants(organization, child)


def _end(organization: Organization, asked: Entity, owners: Entity) -> Entity:
    """Sets of ids are described as objects that only say whether they are empty: so they are answered."""
    updated: dict[str, Entity] = {}
    failed: dict[str, Entity] = {}
    done = 0
    for entity_type in asked["billingEntities"]:
        for kind, entity in _billing(organization, entity_type, owners):
            end_date = asked["endDate"][:10] if kind in ("Contract", "Commitment") else asked["endDate"]
            if entity.get("endDate") and times.moment_of(entity["endDate"]) <= times.moment_of(end_date):
                continue
            try:
                organization.change(kind, entity, {"endDate": end_date})
            except RefusedError:
                failed[entity_type] = {"empty": False}
            else:
                updated[entity_type] = {"empty": False}
                done += 1
    return {
        "statusMessage": f"{done} billing entities updated",
        "updatedEntities": updated,
        "failedEntities": failed,
    }


def _billing(organization: Organization, entity_type: str, owners: Entity) -> Iterator[tuple[str, Entity]]:
    kind = _KINDS.get(entity_type)
    if kind is None:  # counter pricings: this m3ter has none
        return
    ((owner, owner_ids),) = owners.items()
    for owner_id in owner_ids:
        if kind == "Pricing":
            for plan in (
                organization.store.tables["Plan"].having("accountId", owner_id)
                if owner == "accountId"
                else ()
            ):
                yield from (
                    (kind, pricing)
                    for pricing in organization.store.tables[kind].having("planId", plan["id"])
                )
        elif kind == "Contract" and owner == "contractId":
            yield kind, organization.store.get(kind, owner_id)
        else:
            yield from ((kind, entity) for entity in organization.store.tables[kind].having(owner, owner_id))


def _replace(organization: Organization, account_plan_id: str, body: Any) -> Entity:
    """End the old one where the new one starts; when the new one is refused, the old one stays as it was."""
    old = organization.store.get("AccountPlan", account_plan_id)
    start = body.get("startDate") if isinstance(body, dict) else None
    if not isinstance(start, str):
        raise bad_request("startDate: must not be null")
    try:
        ends_at = times.normalised(start)
    except ValueError:
        raise bad_request("startDate: must be a valid ISO 8601 date-time") from None
    ended = organization.change("AccountPlan", old, {"endDate": ends_at})
    try:
        new = organization.create("AccountPlan", body)
    except RefusedError:
        organization.store.tables["AccountPlan"].put(old)
        organization.events.take_back()
        raise
    return {"originalAccountPlan": ended, "newAccountPlan": new}
