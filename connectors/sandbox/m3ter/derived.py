"""What m3ter adds to an entity by itself: product ids, amounts, band ids, segment strings."""

import uuid
from collections.abc import Callable
from typing import Any

from connectors.sandbox.m3ter.store import Store

Entity = dict[str, Any]
Rule = Callable[[Store, Entity, Entity | None], Entity]


def of(store: Store, kind: str, entity: Entity, old: Entity | None) -> Entity:
    """The read-only fields to add to an entity that is about to be kept; `old` is what it replaces."""
    rule = _RULES.get(kind)
    return rule(store, entity, old) if rule else {}


def _plan(store: Store, entity: Entity, _old: Entity | None) -> Entity:
    template = store.find("PlanTemplate", entity.get("planTemplateId", ""))
    return {"productId": template["productId"]} if template and "productId" in template else {}


def _account_plan(store: Store, entity: Entity, _old: Entity | None) -> Entity:
    plan = store.find("Plan", entity.get("planId", ""))
    return {"productId": plan["productId"]} if plan and "productId" in plan else {}


def _aggregation(store: Store, entity: Entity, _old: Entity | None) -> Entity:
    meter = store.find("Meter", entity.get("meterId", ""))
    return {"_productId": meter["productId"]} if meter and "productId" in meter else {}


def _pricing(_store: Store, entity: Entity, _old: Entity | None) -> Entity:
    added: Entity = {"aggregationType": "COMPOUND" if "compoundAggregationId" in entity else "SIMPLE"}
    for name in ("pricingBands", "overagePricingBands"):
        if name in entity:
            added[name] = [{**band, "id": band.get("id") or str(uuid.uuid4())} for band in entity[name]]
    if entity.get("segment"):
        added["segmentString"] = ",".join(
            f"{key}={entity['segment'][key]}" for key in sorted(entity["segment"])
        )
    return added


def _commitment(_store: Store, _entity: Entity, old: Entity | None) -> Entity:
    return {"amountSpent": old.get("amountSpent", 0) if old else 0}


def _balance(_store: Store, entity: Entity, old: Entity | None) -> Entity:
    """A balance that rolls over is filtered by the end of its grace period."""
    ends = entity.get("rolloverEndDate") if "rolloverAmount" in entity else None
    return {"amount": old.get("amount", 0) if old else 0, "_endDate": ends or entity.get("endDate")}


def _bill(_store: Store, entity: Entity, _old: Entity | None) -> Entity:
    lines = entity.get("lineItems", ())
    return {"lineItems": [{**line, "id": line.get("id") or str(uuid.uuid4())} for line in lines]}


_RULES: dict[str, Rule] = {
    "Plan": _plan,
    "AccountPlan": _account_plan,
    "Aggregation": _aggregation,
    "Pricing": _pricing,
    "Commitment": _commitment,
    "Balance": _balance,
    "Bill": _bill,
}
