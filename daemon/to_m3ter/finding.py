"""Which m3ter entity is the one a Salesforce record wants: read before any create (README, promise 3)."""

from collections.abc import AsyncIterator

from connectors.errors import NotFoundError, RejectedError
from connectors.m3ter.models import SALESFORCE, EntityKind
from connectors.m3ter.rest import Entity, Filter
from connectors.salesforce.models import to_id18
from daemon.to_m3ter.ledger import OpenIntent
from daemon.to_m3ter.wanted import Desk, Wanted, differences


async def existing(desk: Desk, wanted: Wanted, intent: OpenIntent | None) -> Entity | None:
    """The entity to adopt: by m3ter's external mapping, by code, or (after a lost answer) by its whole body.

    Raises RejectedError when it is not clear which one it is, or it belongs to another Salesforce record.
    """
    mapped = await by_external_mapping(desk, wanted)
    if mapped is not None:
        return mapped
    found = await _by_code(desk, wanted, wanted.creation)
    for body in intent.bodies if intent else ():
        found = found or await _by_intent(desk, wanted, body)
    return found


async def by_external_mapping(desk: Desk, wanted: Wanted) -> Entity | None:
    """The living entity that m3ter itself maps to this Salesforce record."""
    target = wanted.target
    if not await desk.catalogue.may_map(target.m3ter_entity, target.external_table):
        return None
    alive: dict[str, Entity] = {}
    for row in await desk.mappings_of(target):
        if row["m3terId"] in alive:
            continue
        try:
            alive[row["m3terId"]] = await desk.m3ter.get(wanted.kind, row["m3terId"])
        except NotFoundError:
            desk.note(f"m3ter maps {target} to {row['m3terId']}, which is gone from m3ter.")
    if len(alive) > 1:
        raise RejectedError(
            f"m3ter maps {target} to several entities: {', '.join(alive)}.",
            instruction="Remove the external mappings in m3ter that are wrong.",
        )
    return next(iter(alive.values()), None)


async def _by_code(desk: Desk, wanted: Wanted, body: Entity) -> Entity | None:
    code = body.get("code")
    if not code:
        return None
    found = [
        entity
        async for entity in _candidates(desk, wanted.kind, body)
        if entity.get("code") == code and _is_of_same_account(wanted.kind, entity, body)
    ]
    if len(found) > 1:
        ids = ", ".join(str(entity["id"]) for entity in found)
        raise RejectedError(
            f"m3ter has several {wanted.kind.path} with the code {code!r}: {ids}.",
            instruction="Give each of them a code of its own in m3ter.",
        )
    if not found:
        return None
    other = await _other_holder(desk, wanted, found[0])
    if other:
        raise RejectedError(
            f"The {wanted.kind.value} {found[0]['id']} with the code {code!r} in m3ter belongs to {other}, "
            f"not to {wanted.target.external_table} {wanted.target.external_id}.",
            instruction="Change the code in m3ter or in Salesforce, or remove the external mapping in m3ter.",
        )
    return found[0]


async def _by_intent(desk: Desk, wanted: Wanted, body: Entity) -> Entity | None:
    """What the lost create made: by the code it was sent with, or else equal in every field that was sent."""
    if body.get("code"):
        return await _by_code(desk, wanted, body)
    async for entity in _candidates(desk, wanted.kind, body):
        if not differences(wanted.kind, entity, body) and not await _other_holder(desk, wanted, entity):
            return entity
    return None


def _is_of_same_account(kind: EntityKind, entity: Entity, body: Entity) -> bool:
    """m3ter keeps the codes of Contracts apart only within an account, if at all."""
    return kind is not EntityKind.CONTRACT or entity.get("accountId") == body.get("accountId")


async def _candidates(desk: Desk, kind: EntityKind, body: Entity) -> AsyncIterator[Entity]:
    """The entities that could be it, by the narrowest filter that m3ter's list of the kind has."""
    async for page in desk.m3ter.pages(kind, **await _filters(desk, kind, body)):
        for entity in page:
            yield entity


async def is_listed(desk: Desk, wanted: Wanted, m3ter_id: str) -> bool:
    """Whether m3ter's list of the kind has this entity."""
    narrowed: dict[str, Filter] = {"ids": [m3ter_id]}
    if wanted.kind is EntityKind.ACCOUNT_PLAN:
        # By their ids alone only those active today are listed, and includeall works with an account only.
        narrowed = await _filters(desk, wanted.kind, wanted.creation)
    async for page in desk.m3ter.pages(wanted.kind, **narrowed):
        if any(entity.get("id") == m3ter_id for entity in page):
            return True
    return False


async def _filters(desk: Desk, kind: EntityKind, body: Entity) -> dict[str, Filter]:
    match kind:
        case EntityKind.ACCOUNT:
            return {"codes": [body["code"]]} if "code" in body else {}
        case EntityKind.CONTRACT:
            return {"codes": [body["code"]]} if "code" in body else {"accountId": body.get("accountId")}
        case EntityKind.PLAN:
            if "accountId" in body:
                return {"accountId": [body["accountId"]]}
            return {"productId": await desk.catalogue.product_of_template(body.get("planTemplateId", ""))}
        case EntityKind.PRICING:
            return {name: body[name] for name in ("planId", "planTemplateId") if name in body}
        case EntityKind.ACCOUNT_PLAN:
            # Without includeall only those active today are listed.
            return {"account": body.get("accountId"), "includeall": True}
        case EntityKind.COMMITMENT:
            return {"accountId": body.get("accountId")}
        case _:
            raise ValueError(f"a sync makes no {kind}")


async def _other_holder(desk: Desk, wanted: Wanted, entity: Entity) -> str:
    """The other Salesforce record that this entity belongs to, "" when none."""
    target = wanted.target
    for table, external_id in await desk.ledger.holders(target.m3ter_entity, entity["id"]):
        if external_id != target.external_id:
            return f"Salesforce {table} {external_id}"
    for row in await desk.m3ter.external_mappings_for(target.m3ter_entity, entity["id"]):
        if row.get("externalSystem") == SALESFORCE and not _is_same_record(
            str(row.get("externalId")), target.external_id
        ):
            return f"Salesforce {row.get('externalTable')} {row.get('externalId')}"
    return ""


def _is_same_record(one: str, other: str) -> bool:
    """15 and 18 characters name the same record."""
    try:
        return to_id18(one) == other
    except RejectedError:
        return one == other
