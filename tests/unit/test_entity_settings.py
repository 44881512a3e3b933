"""What a person may say of an entity data sync, and what is said about what cannot be."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from daemon.cli import entity_settings
from daemon.cli.entity_settings import Given
from daemon.cli.session import WRONG_USAGE, CommandFailed
from state.entity_models import EntitySyncSettings, EntityType, Namespace, Removal

ACCOUNTS = EntitySyncSettings(EntityType.ACCOUNT)
BILLS = EntitySyncSettings(EntityType.BILL, account_ids=("a",), schedule="every 10m")
SOME = "2f1b6d7e-90a4-4c0e-8f3a-5d2c7b1e9a60"
FIELDS = ("Region", "Tier__c", "m3__Tier__c", "A", "x_1__c", "Region__pc")
NO_FIELDS = ("", "1x", "_x", "a b", "Tïer__c", "a-b", "a.b", "x" * 200, "Tier__c\n", "a'; DROP", "x_")


def test_what_is_not_said_stays_and_a_list_is_replaced_whole() -> None:
    said = Given(restricted_account_ids=(SOME.upper(), f" {SOME} "), on_leaving=Removal.DELETE)
    found = entity_settings.laid_over(said, BILLS)
    assert (found.account_ids, found.schedule, found.restricted_account_ids) == (("a",), "every 10m", (SOME,))
    assert (found.on_deletion, found.on_leaving) == (Removal.MARK, Removal.DELETE)
    assert entity_settings.laid_over(Given(account_ids=()), BILLS).account_ids == ()


@pytest.mark.parametrize("field", FIELDS)
def test_names_of_salesforce_fields_are_taken(field: str) -> None:
    assert entity_settings.laid_over(Given(custom_fields={"tier": field}), ACCOUNTS).custom_fields == {
        "tier": field
    }


@pytest.mark.parametrize(
    "said",
    [
        *({"custom_fields": {"tier": field}} for field in NO_FIELDS),
        {"custom_fields": {"": "Tier__c"}},
        {"custom_fields": {"a\x1b[31m": "Tier__c"}},
        {"custom_fields": {"a": "Tier__c", "b": "tier__C"}},
        {"custom_fields": {f"f{n}": f"F{n}__c" for n in range(101)}},
        {"account_ids": ["001A"]},
        {"account_ids": [SOME.replace("2", "\N{DIGIT TWO FULL STOP}")]},
        {"restricted_account_ids": [""]},
        {"account_ids": [SOME[:-4] + f"{n:04x}" for n in range(10_001)]},
        {"notification_users": ["somebody"]},
        {"notification_users": ["a@b c"]},
        {"notification_users": ["a" * 70 + "@example.com"]},
        {"schedule": "61 * * * *"},
        {"schedule": "0 0 30 2 *"},
        {"schedule": "every 1s"},
        {"schedule": "every \u0661\u0660m\u202e"},
        {"schedule": "9" * 100_000},
        {"schedule": ""},
    ],
    ids=lambda said: next(iter(said)),
)
def test_what_cannot_be_is_wrong_usage_shortly_told(said: Mapping[str, Any]) -> None:
    with pytest.raises(CommandFailed) as caught:
        entity_settings.laid_over(Given(**said), BILLS)
    assert caught.value.exit_code == WRONG_USAGE
    assert caught.value.instruction
    assert len(caught.value.reason) < 250
    assert "\u202e" not in caught.value.reason


def test_a_custom_field_of_m3ters_may_have_the_sign_in_its_name() -> None:
    assert entity_settings.pairs(["a=b=Tier__c", " x = Y__c "]) == {"a=b": "Tier__c", "x": "Y__c"}


@pytest.mark.parametrize("given", ["tier", "=Tier__c", "tier=", " = "])
def test_a_custom_field_says_what_goes_where(given: str) -> None:
    with pytest.raises(CommandFailed, match="does not say what goes where"):
        entity_settings.pairs([given])


def test_one_custom_field_goes_to_one_field() -> None:
    with pytest.raises(CommandFailed, match="mapped twice"):
        entity_settings.pairs(["a=X__c", "a=Y__c"])


def test_it_is_seen_when_nothing_is_left() -> None:
    both = Given(account_ids=[SOME], restricted_account_ids=[SOME])
    assert entity_settings.excludes_all(entity_settings.laid_over(both, BILLS))
    assert not entity_settings.excludes_all(
        EntitySyncSettings(EntityType.BILL, restricted_account_ids=(SOME,))
    )


OCCUPIED = ("m3ter_Id__c", "M3TER_ID__C", "Name", "code__C", "m3ter_Deleted_At__c", "m3ter_Account__r", "Id")


@pytest.mark.parametrize("field", [*OCCUPIED, "attributes", "SystemModstamp"])
def test_no_custom_field_overwrites_what_is_written_there_already(field: str) -> None:
    contracts = EntitySyncSettings(EntityType.CONTRACT, Namespace.CUSTOM)
    with pytest.raises(CommandFailed, match=f"{field} is .*custom field tier") as caught:
        entity_settings.laid_over(Given(custom_fields={"tier": field}), contracts)
    assert (caught.value.exit_code, "--custom-field" in caught.value.instruction) == (WRONG_USAGE, True)


def test_no_custom_field_is_mapped_where_m3ter_keeps_none() -> None:
    with pytest.raises(CommandFailed, match="keeps no custom fields on a Bill"):
        entity_settings.laid_over(Given(custom_fields={"tier": "Tier__c"}), BILLS)


def test_another_namespace_is_not_taken_while_a_custom_field_overwrites_what_is_written_there() -> None:
    mapped = replace(ACCOUNTS, custom_fields={"code": "Code__c"})
    assert entity_settings.laid_over(Given(schedule="every 10m"), mapped).schedule == "every 10m"
    with pytest.raises(CommandFailed, match="Code__c is already fed"):
        entity_settings.laid_over(Given(namespace=Namespace.CUSTOM), mapped)
