"""Lookups of copies: which parents are named, and which are left empty since no integration copies them."""

import pytest

from daemon.to_salesforce import targets
from state.entity_models import EntityType
from tests.acceptance import entity_customers as customers
from tests.acceptance.house import House
from tests.integration import copying

ACCOUNT = EntityType.ACCOUNT
RELATIONS = [
    (EntityType(target.entity_type), field)
    for target in targets.every(targets.CUSTOM_OBJECTS)
    for field in target.fields
    if field.relation
]


@pytest.mark.parametrize(
    ("kind", "field"), RELATIONS, ids=[f"{kind.value}.{field.own_name}" for kind, field in RELATIONS]
)
async def test_a_parent_that_a_filter_leaves_out_is_told_by_its_id_only(
    house: House, kind: EntityType, field: targets.TargetField
) -> None:
    (above,) = await customers.made(house, "ABOVE")
    child = {"name": "Below", "code": "BELOW", "emailAddress": "b@example.com"}
    below = (await house.m3ter("POST", "/accounts", child | {"parentAccountId": above[ACCOUNT]}))["id"]
    kinds = {EntityType(str(field.relation)), kind}
    restricted = (above[ACCOUNT],)
    for each in kinds - {kind}:
        await copying.once(house, await copying.added(house, each, restricted_account_ids=restricted))
    own = restricted if kind is ACCOUNT else ()
    run = await copying.once(house, await copying.added(house, kind, restricted_account_ids=own))
    assert (run.written, run.refused) == (1, 0)
    record = (await copying.copies(house, kind))[below if kind is ACCOUNT else above[kind]]
    assert record[field.name] is None
    assert record[field.name.removesuffix("__c") + "_Id__c"] == above[EntityType(str(field.relation))]


async def test_a_contract_whose_account_is_allowed_again_is_named_again(house: House) -> None:
    one, other = await customers.made(house, "ASH", "BIRCH")
    accounts = await copying.added(house, ACCOUNT)
    contracts = await copying.added(
        house, EntityType.CONTRACT, restricted_account_ids=customers.accounts([one])
    )
    commitments = await copying.added(house, EntityType.COMMITMENT)
    await customers.run(house, accounts, contracts, commitments)
    found = await copying.copies(house, EntityType.COMMITMENT)
    assert found[one[EntityType.COMMITMENT]]["m3ter_Contract__c"] is None
    assert found[one[EntityType.COMMITMENT]]["m3ter_Account__c"]
    assert found[other[EntityType.COMMITMENT]]["m3ter_Contract__c"]
    await customers.run(house, await copying.edited(house, contracts, restricted_account_ids=()))
    (run,) = await customers.run(house, commitments)
    assert run.written == 1
    found = await copying.copies(house, EntityType.COMMITMENT)
    assert found[one[EntityType.COMMITMENT]]["m3ter_Contract__c"]
