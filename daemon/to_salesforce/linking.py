"""What a page of entities needs to know of other records: standard Accounts, and which parents are copied."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from daemon.to_salesforce import lanes, standard
from daemon.to_salesforce.mapping.derivations import Links
from daemon.to_salesforce.place import Place
from daemon.to_salesforce.targets import ENTITY_TYPES, Target, TargetField
from state import entity_parents, entity_siblings, entity_syncs, standard_accounts
from state.database import Db
from state.entity_models import EntitySync, EntitySyncSettings

_STANDARD = "Account"


async def of(db: Db, place: Place, entities: Sequence[Mapping[str, Any]]) -> Links:
    """The links of these entities, as the database knows them now."""
    siblings = await beside(db, place)
    copied = {each.settings.entity_type.value for each in siblings}
    return Links(
        await _standard_accounts(db, place, entities),
        frozenset(ENTITY_TYPES) - copied,
        await _uncopied(db, place.target, siblings, entities),
    )


async def beside(db: Db, place: Place) -> list[EntitySync]:
    """Those whose copies may be parents of this one's, itself too: in the same namespace of the same org."""
    ids = {each.integration_id for each in await entity_siblings.of(db, place.integration_id)}
    return [each for each in await entity_syncs.list_all(db) if each.integration.integration_id in ids]


async def _standard_accounts(
    db: Db, place: Place, entities: Sequence[Mapping[str, Any]]
) -> Mapping[str, str]:
    if not standard.is_wanted(place):
        return {}
    ids = [str(entity["id"]) for entity in entities]
    return await standard_accounts.known(db, place.organization.m3ter.org_id, ids)


async def _uncopied(
    db: Db, target: Target, siblings: Collection[EntitySync], entities: Sequence[Mapping[str, Any]]
) -> frozenset[str]:
    """The parents named by these entities that no integration copies, by the account lists of theirs; of one
    that is switched off those that are not there.

    A parent belongs to the account that its child names, an Account to itself.
    """
    found = set[str]()
    for field in target.fields:
        if field.relation:
            parents = [each for each in siblings if each.settings.entity_type.value == field.relation]
            lists = [each.settings for each in parents if each.integration.enabled]
            idle = [each.integration.integration_id for each in parents if not each.integration.enabled]
            named = {_parent(field, entity) for entity in entities if entity.get(field.source)}
            uncopied = {parent_id for parent_id, account_id in named if not _is_copied(lists, account_id)}
            found |= uncopied - (await entity_parents.records(db, idle, uncopied)).keys()
    return frozenset(found)


def _parent(field: TargetField, entity: Mapping[str, Any]) -> tuple[str, str]:
    """Its id, and the account that it belongs to."""
    parent_id = str(entity[field.source])
    return parent_id, parent_id if field.relation == _STANDARD else str(entity.get("accountId") or "")


def _is_copied(parents: Iterable[EntitySyncSettings], account_id: str) -> bool:
    parent = {"id": account_id, "accountId": account_id}
    return any(lanes.is_allowed(each, parent) for each in parents)
