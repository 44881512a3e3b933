"""What a page of entities needs to know of other records: standard Accounts, and which parents are copied."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from daemon.to_salesforce import lanes
from daemon.to_salesforce.mapping.derivations import Links
from daemon.to_salesforce.place import Place
from daemon.to_salesforce.targets import ENTITY_TYPES
from state import entity_syncs, external_mappings
from state.database import Db
from state.entity_models import EntitySync

_STANDARD = "Account"


async def of(db: Db, place: Place, entities: Sequence[Mapping[str, Any]]) -> Links:
    """The links of these entities, as the database knows them now."""
    siblings = [each for each in await entity_syncs.enabled(db) if is_beside(place.sync, each)]
    copied = {each.settings.entity_type.value for each in siblings}
    return Links(
        await _standard_accounts(db, place, entities),
        frozenset(ENTITY_TYPES) - copied,
        _uncopied_accounts(siblings, entities),
    )


def is_beside(one: EntitySync, other: EntitySync) -> bool:
    """Whether the other's copies may be parents of this one's: same namespace, same credentials."""
    same = (one.settings.namespace, one.integration.salesforce_credential_id)
    return same == (other.settings.namespace, other.integration.salesforce_credential_id)


async def _standard_accounts(
    db: Db, place: Place, entities: Sequence[Mapping[str, Any]]
) -> Mapping[str, str]:
    if not any(field.derivation == "salesforce_account" for field in place.target.fields):
        return {}
    ids = [str(entity["id"]) for entity in entities]
    m3ter_org_id = place.organization.m3ter.org_id
    found = await external_mappings.holders(db, m3ter_org_id, _STANDARD, ids)
    # Of several the first by id, so that it stays the same.
    standard = {
        m3ter_id: sorted(record_id for table, record_id in pairs if table == _STANDARD)
        for m3ter_id, pairs in found.items()
    }
    return {m3ter_id: ids[0] for m3ter_id, ids in standard.items() if ids}


def _uncopied_accounts(
    siblings: Collection[EntitySync], entities: Sequence[Mapping[str, Any]]
) -> frozenset[str]:
    """The accounts named by these entities that no integration copies, by their filters."""
    accounts = [each.settings for each in siblings if each.settings.entity_type.value == _STANDARD]
    named = {
        str(entity[name])
        for entity in entities
        for name in ("accountId", "parentAccountId")
        if entity.get(name)
    }
    return frozenset(
        account_id
        for account_id in named
        if not any(lanes.is_allowed(settings, {"id": account_id}) for settings in accounts)
    )
