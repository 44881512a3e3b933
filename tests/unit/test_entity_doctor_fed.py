"""The doctor names the fields that no custom field of m3ter can feed, by their type."""

import pytest

from daemon.doctor import objects
from daemon.to_salesforce import targets
from state.entity_models import EntitySyncSettings, EntityType, Namespace

CUSTOM: dict[str, object] = {"createable": True, "updateable": True}


def said(kind: str) -> list[str]:
    settings = EntitySyncSettings(
        EntityType.ACCOUNT, namespace=Namespace.CUSTOM, custom_fields={"place": "Place__c"}
    )
    target = targets.target("Account", "Custom Objects")
    describe = {
        "createable": True,
        "updateable": True,
        "fields": [{"name": "Place__c", "type": kind} | CUSTOM],
    }
    return [str(each) for each in objects.check("here", target, settings, describe)]


@pytest.mark.parametrize("kind", ["location", "address"])
def test_a_type_that_takes_neither_text_nor_number_is_told(kind: str) -> None:
    assert any("Place__c" in each and f"of the type {kind}" in each for each in said(kind))


@pytest.mark.parametrize("kind", ["string", "double", "boolean", "date", "reference"])
def test_a_type_that_takes_one_is_fine(kind: str) -> None:
    assert not any("Place__c" in each for each in said(kind))
