"""Where each entity type is kept: every field of m3ter, in three namespaces, under names one may change."""

import pytest

from daemon.to_salesforce import targets
from daemon.to_salesforce.targets import Naming
from tests import openapi
from tests.entity_examples import ENTITIES

PREFIXES = {"Custom Objects": "m3ter_", "m3ter Connector": "m3__", "m3ter Connector (Testing)": "m3t__"}


@pytest.mark.parametrize("entity_type", targets.ENTITY_TYPES)
def test_every_field_that_m3ter_describes_has_a_place(entity_type: str) -> None:
    described = set(openapi.load().fields(f"{entity_type}Response"))
    sources = {each.path[0] for each in targets.target(entity_type, "Custom Objects").fields if each.path}
    assert sources == described


def test_every_part_of_an_address_has_a_place() -> None:
    sources = {each.source for each in targets.target("Account", "Custom Objects").fields}
    parts = openapi.load().fields("Address")
    assert {f"address.{part}" for part in parts} <= sources


@pytest.mark.parametrize("entity_type", targets.ENTITY_TYPES)
def test_the_examples_of_the_tests_are_whole(entity_type: str) -> None:
    assert set(ENTITIES[entity_type]) == set(openapi.load().fields(f"{entity_type}Response"))


@pytest.mark.parametrize("namespace", targets.namespaces())
@pytest.mark.parametrize("entity_type", targets.ENTITY_TYPES)
def test_each_namespace_has_its_own_names(namespace: str, entity_type: str) -> None:
    made = targets.target(entity_type, namespace)
    assert made.object_name == f"{PREFIXES[namespace]}{entity_type}__c"
    names = [each.name for each in made.fields]
    prefix = "" if namespace == "Custom Objects" else PREFIXES[namespace]
    assert all(name == "Name" or (name.startswith(prefix) and name.endswith("__c")) for name in names)
    assert len({name.lower() for name in names}) == len(names)
    assert (made.key_field, made.mark_field) == (f"{prefix}m3ter_Id__c", f"{prefix}m3ter_Deleted_At__c")


@pytest.mark.parametrize("entity_type", targets.ENTITY_TYPES)
def test_salesforce_takes_the_names_and_labels(entity_type: str) -> None:
    made = targets.target(entity_type, "Custom Objects")
    for each in made.fields:
        assert len(each.name.removesuffix("__c")) <= 40
        assert "__" not in each.name.removesuffix("__c")
        assert len(each.label) <= 40
        assert len(each.description) <= 1000
        assert each.length <= 131_072
        assert each.precision <= 18
    labels = [each.label for each in made.fields]
    assert len(set(labels)) == len(labels)


def test_the_field_that_the_vendor_names_is_used_as_it_names_it() -> None:
    field = targets.target("Account", "m3ter Connector").field("m3ter_Custom_Fields")
    assert field is not None
    assert field.name == "m3__customFields__c"


def test_the_prefix_of_the_test_install_may_be_another() -> None:
    naming = Naming(testing_prefix="m3qa")
    made = targets.target("Bill", "m3ter Connector (Testing)", naming)
    assert made.object_name == "m3qa__Bill__c"
    assert targets.target("Bill", "m3ter Connector", naming).object_name == "m3__Bill__c"


def test_names_of_a_persons_own_win_and_reach_the_relations() -> None:
    own = {"Account": "Customer__c", "Account.m3ter_Id": "M3__c", "Bill.Total": "Sum__c", "Bill.Lines": ""}
    bill = targets.target("Bill", "Custom Objects", Naming(names={"Custom Objects": own}))
    parent, total = bill.field("m3ter_Account"), bill.field("Total")
    assert parent is not None
    assert total is not None
    assert (parent.refers_to, parent.relation_key, total.name) == ("Customer__c", "M3__c", "Sum__c")
    assert bill.field("Lines") is None


def test_names_of_ones_own_are_those_of_one_namespace() -> None:
    naming = Naming(names={"m3ter Connector": {"Bill": "m3__Invoice__c"}})
    assert targets.target("Bill", "m3ter Connector", naming).object_name == "m3__Invoice__c"
    assert targets.target("Bill", "Custom Objects", naming).object_name == "m3ter_Bill__c"


@pytest.mark.parametrize(
    "names",
    [
        {"Custom Objects": {"Bill.Sum": "x__c"}},
        {"Custom Objects": {"Invoice": "x__c"}},
        {"Custom Objects": {"Bill.m3ter_Id": ""}},
        {"Custom Objects": {"Bill": ""}},
        {"Custom Objects": {"Bill.Total": "Total__c FROM User"}},
        {"m3ter connector": {"Bill": "x__c"}},
    ],
)
def test_a_name_for_nothing_or_that_is_none_is_refused(names: dict[str, dict[str, str]]) -> None:
    with pytest.raises(targets.NoSuchTarget):
        targets.target("Bill", "Custom Objects", Naming(names=names))


def test_an_unknown_namespace_is_refused_with_those_there_are() -> None:
    with pytest.raises(targets.NoSuchTarget, match="Custom Objects, m3ter Connector"):
        targets.target("Bill", "Elsewhere")


def test_parents_come_before_their_children() -> None:
    seen: set[str] = set()
    for made in targets.every("Custom Objects"):
        seen.add(made.entity_type)
        assert {each.relation for each in made.fields if each.relation} <= seen
