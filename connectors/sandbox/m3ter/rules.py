"""What must hold between entities: references, unique codes, periods, overlaps."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from connectors.sandbox.m3ter import times
from connectors.sandbox.m3ter.refusals import bad_request
from connectors.sandbox.m3ter.store import Store

Entity = dict[str, Any]
Rule = Callable[[Store, Entity], None]

_FOR_EVER = datetime.max.replace(tzinfo=UTC)


def check(store: Store, kind: str, entity: Entity) -> None:
    """Hold an entity, with its id and derived fields, against its surroundings; raises RefusedError (400)."""
    _references(store, kind, entity)
    _unique_codes(store, kind, entity)
    _period(entity)
    for rule in _RULES.get(kind, ()):
        rule(store, entity)


def check_delete(store: Store, kind: str, entity: Entity) -> None:
    """Raise RefusedError when something refers to the entity, or when it is a bill that is locked."""
    user = store.using(kind, entity["id"])
    if user is not None:
        raise bad_request(
            f"{kind} {entity['id']} is in use by {user['kind']} {user['id']} and cannot be deleted"
        )
    if kind == "Bill" and entity.get("locked"):
        raise bad_request(f"Bill {entity['id']} is locked")


def _references(store: Store, kind: str, entity: Entity) -> None:
    for name, referred in store.tables[kind].kind.references.items():
        value = entity.get(name)
        for entity_id in value if isinstance(value, list) else [value] if value else ():
            if store.find(referred, entity_id) is None:
                raise bad_request(f"{name}: {referred} with id {entity_id} does not exist")


def _unique_codes(store: Store, kind: str, entity: Entity) -> None:
    table = store.tables[kind]
    for name in table.kind.unique:
        value = entity.get(name)
        for other in table.having(name, value) if value else ():
            if other["id"] != entity["id"]:
                raise bad_request(f"{kind} with {name} {value} already exists")


def _period(entity: Entity) -> None:
    start, end = entity.get("startDate"), entity.get("endDate")
    if start and end and times.moment_of(end) <= times.moment_of(start):
        raise bad_request("endDate: must be after startDate")


def _same_account(store: Store, entity: Entity) -> None:
    contract = store.find("Contract", entity.get("contractId", ""))
    if contract and contract["accountId"] != entity["accountId"]:
        raise bad_request(f"contractId: Contract {contract['id']} belongs to another Account")


def _own_plan(store: Store, entity: Entity) -> None:
    if ("planId" in entity) == ("planGroupId" in entity):
        raise bad_request("exactly one of planId and planGroupId must be given")
    plan = store.find("Plan", entity.get("planId", ""))
    if plan and plan.get("accountId", entity["accountId"]) != entity["accountId"]:
        raise bad_request(f"planId: Plan {plan['id']} is a custom Plan of another Account")


def _no_cycle(store: Store, entity: Entity) -> None:
    seen = {entity["id"]}
    parent = entity.get("parentAccountId")
    while parent:
        if parent in seen:
            raise bad_request("parentAccountId: an Account cannot be its own ancestor")
        seen.add(parent)
        parent = (store.find("Account", parent) or {}).get("parentAccountId")


def _priced_thing(_store: Store, entity: Entity) -> None:
    for one, other in (("planId", "planTemplateId"), ("aggregationId", "compoundAggregationId")):
        if bool(entity.get(one)) == bool(entity.get(other)):
            raise bad_request(f"exactly one of {one} and {other} must be given")


def _no_commitment_overlap(store: Store, entity: Entity) -> None:
    """The words are m3ter's; that contracts play no part and that no products means all is inferred."""
    products = set(entity.get("productIds") or ())
    for other in store.tables["Commitment"].having("accountId", entity["accountId"]):
        others = set(other.get("productIds") or ())
        shares_product = not products or not others or products & others
        if other["id"] != entity["id"] and shares_product and _overlap(entity, other):
            raise bad_request(f"Commitment would overlap with existing Commitment {other['id']}")


def _no_account_plan_overlap(store: Store, entity: Entity) -> None:
    """One AccountPlan per product at a time; an organization may allow more for different contracts."""
    product = entity.get("productId")
    allows_more = store.documents.get("OrganizationConfig", {}).get("allowOverlappingPlans", False)
    if product is None:
        return
    for other in store.tables["AccountPlan"].having("accountId", entity["accountId"]):
        if other["id"] == entity["id"] or other.get("productId") != product:
            continue
        if allows_more and other.get("contractId") != entity.get("contractId"):
            continue
        if _overlap(entity, other):
            raise bad_request(
                f"AccountPlan would overlap with AccountPlan {other['id']} for the same product {product}"
            )


def _overlap(one: Entity, other: Entity) -> bool:
    return _start(one) < _end(other) and _start(other) < _end(one)


def _start(entity: Entity) -> datetime:
    return times.moment_of(entity["startDate"])


def _end(entity: Entity) -> datetime:
    return times.moment_of(entity["endDate"]) if entity.get("endDate") else _FOR_EVER


def _permitted(store: Store, entity: Entity) -> None:
    """Only what the external mapping configuration names; that anything else is refused is inferred."""
    allowed = store.documents["ExternalMappingConfiguration"]
    if entity["m3terEntity"] not in allowed["m3terEntities"]:
        raise bad_request(f"m3terEntity: {entity['m3terEntity']} cannot be mapped")
    system = next((s for s in allowed["externalSystems"] if s["name"] == entity["externalSystem"]), None)
    if system is None:
        raise bad_request(f"externalSystem: {entity['externalSystem']} is not configured")
    if entity["externalTable"] not in system["tables"] and not system["allowCustomExternalTables"]:
        raise bad_request(f"externalTable: {entity['externalTable']} is not configured")


_RULES: dict[str, tuple[Rule, ...]] = {
    "Account": (_no_cycle,),
    "Commitment": (_same_account, _no_commitment_overlap),
    "AccountPlan": (_own_plan, _same_account, _no_account_plan_overlap),
    "Balance": (_same_account,),
    "Pricing": (_priced_thing,),
    "ExternalMapping": (_permitted,),
}
