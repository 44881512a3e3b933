"""m3ter entities as Salesforce records: every field of every type, and what does not fit."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
import simplejson

from daemon.to_salesforce import targets
from daemon.to_salesforce.mapping import records
from daemon.to_salesforce.mapping.derivations import Links
from daemon.to_salesforce.mapping.errors import RecordUnfit
from daemon.to_salesforce.mapping.records import CustomFields
from tests.entity_examples import ENTITIES, LINE

NONE = CustomFields()


def mapped(entity_type: str, links: Links | None = None, /, **changed: Any) -> dict[str, Any]:
    target = targets.target(entity_type, "Custom Objects")
    return records.record(target, ENTITIES[entity_type] | changed, NONE, links or Links())


@pytest.mark.parametrize("namespace", targets.namespaces())
@pytest.mark.parametrize("entity_type", targets.ENTITY_TYPES)
def test_every_field_is_filled_in_every_namespace(entity_type: str, namespace: str) -> None:
    target = targets.target(entity_type, namespace)
    made = records.record(target, ENTITIES[entity_type], NONE, Links({ENTITIES["Account"]["id"]: "001x"}))
    names = {field.relationship if field.relation else field.name for field in target.fields}
    assert set(made) == names
    assert [name for name, value in made.items() if value is None] == [target.mark_field]
    assert made[target.key_field] == ENTITIES[entity_type]["id"]


def test_an_account() -> None:
    made = mapped("Account", Links({ENTITIES["Account"]["id"]: "001000000000001AAA"}))
    assert made["Name"] == made["Full_Name__c"] == "Brightwater Logistics"
    assert made["Salesforce_Account__c"] == "001000000000001AAA"
    assert made["m3ter_Parent_Account__r"] == {"m3ter_Id__c": "account-parent"}
    assert (made["Address_Line_4__c"], made["Post_Code__c"]) == ("Line 4", "LS1 1AA")
    assert made["Credit_Application_Order__c"] == "BALANCE;PREPAYMENT"
    assert made["m3ter_Custom_Fields__c"] == '{"rate":0.125,"seats":12,"tier":"gold"}'
    assert (made["m3ter_Version__c"], made["m3ter_Created_At__c"]) == (7, "2026-01-02T03:04:05.678Z")


def test_exclusive_ends_are_kept_and_the_last_day_is_beside_them() -> None:
    contract, commitment, balance = mapped("Contract"), mapped("Commitment"), mapped("Balance")
    assert (contract["End_Date__c"], contract["Last_Day__c"]) == ("2027-01-01", "2026-12-31")
    assert (commitment["End_Date__c"], commitment["Last_Day__c"]) == ("2028-03-01", "2028-02-29")
    assert (balance["End_Date__c"], balance["Last_Day__c"]) == ("2026-07-01T00:00:00.000Z", "2026-06-30")
    assert (balance["Rollover_End_Date__c"], balance["Rollover_Last_Day__c"]) == (
        "2026-08-01T10:00:00.000Z",
        "2026-08-01",
    )
    assert mapped("Bill")["Last_Day__c"] == "2026-01-31"


def test_money_is_untouched() -> None:
    made = mapped("Commitment")
    assert str(made["Amount__c"]) == "12000.00"
    assert (made["Amount_First_Bill__c"], made["Amount_Spent__c"]) == (0, Decimal("0.01"))
    assert str(mapped("Balance")["Amount__c"]) == "-3.99"


def test_a_bill_has_its_total_lines_and_conversions() -> None:
    made = mapped("Bill")
    assert (made["Total__c"], made["Line_Count__c"], made["Lines_Left_Out__c"]) == (Decimal("13.57"), 1, 0)
    assert simplejson.loads(made["Lines__c"], use_decimal=True) == [LINE]
    assert "größer" in made["Lines__c"]
    assert made["Currency_Conversions__c"] == '[{"from":"EUR","multiplier":0.8543,"to":"GBP"}]'
    assert made["Name"] == "INV-00017"
    assert mapped("Bill", sequentialInvoiceNumber=None)["Name"] == "BRIGHT 2026-02-01"
    assert mapped("Commitment")["Name"] == "USD 12,000.00 2026-01-01 to 2028-02-29"


def test_lines_without_room_are_left_out_whole_and_counted() -> None:
    lines = [LINE | {"id": str(n), "sequenceNumber": n, "description": "x" * 2000} for n in range(100, 0, -1)]
    made = mapped("Bill", lineItems=lines)
    kept = simplejson.loads(made["Lines__c"])
    assert len(made["Lines__c"]) <= 131_072
    assert [each["sequenceNumber"] for each in kept] == list(range(1, len(kept) + 1))
    assert (made["Line_Count__c"], made["Lines_Left_Out__c"]) == (100, 100 - len(kept))
    assert 0 < len(kept) < 100


def test_the_order_in_which_m3ter_gives_lines_does_not_matter() -> None:
    lines = [LINE | {"id": "b", "sequenceNumber": None}, LINE | {"id": "a", "sequenceNumber": None}, LINE]
    assert mapped("Bill", lineItems=lines) == mapped("Bill", lineItems=lines[::-1])


def test_a_parent_that_is_never_copied_is_told_by_its_id_only() -> None:
    for links in (Links(uncopied_types={"Account"}), Links(uncopied_ids={"account-1"})):
        made = mapped("Balance", links)
        assert "m3ter_Account__r" not in made
        assert (made["m3ter_Account__c"], made["m3ter_Account_Id__c"]) == (None, "account-1")
        assert made["m3ter_Contract__r"] == {"m3ter_Id__c": "contract-1"}
    assert mapped("Balance", contractId=None)["m3ter_Contract__c"] is None


def test_custom_fields_feed_the_fields_that_are_named() -> None:
    target = targets.target("Account", "Custom Objects")
    wanted = {"tier": "Tier__c", "rate": "Rate__c", "unset": "Unset__c"}
    made = records.record(target, ENTITIES["Account"], CustomFields(wanted), Links())
    assert (made["Tier__c"], made["Rate__c"], made["Unset__c"]) == ("gold", Decimal("0.125"), None)


def test_custom_fields_that_cannot_be_are_named() -> None:
    account = targets.target("Account", "Custom Objects")
    said = records.custom_field_problems(account, {"a": "Code__c", "b": "X__c", "c": "x__C", "d": ""})
    assert [
        word for word in ("Code__c is already", "by both b and c", "d has no") if word in " ".join(said)
    ] == [
        "Code__c is already",
        "by both b and c",
        "d has no",
    ]
    bill = targets.target("Bill", "Custom Objects")
    assert records.custom_field_problems(bill, {"a": "X__c"}) == ["m3ter keeps no custom fields on a Bill."]
    assert records.custom_field_problems(bill, {}) == []


@pytest.mark.parametrize(
    ("entity_type", "field", "value", "name", "said"),
    [
        ("Commitment", "amount", Decimal("1.000001"), "Amount__c", "more than 5 digits after the point"),
        ("Bill", "billTotal", Decimal("1E+13"), "Total__c", "13 digits before the point"),
        ("Bill", "billTotal", "12", "Total__c", "not a number"),
        ("Account", "code", "x" * 81, "Code__c", "81 characters, and 80 have room"),
        ("Account", "billEpoch", "soon", "Bill_Epoch__c", "not a date"),
        ("Contract", "endDate", "9999-12-31", "End_Date__c", "1700 to 4000"),
        ("Balance", "endDate", "2026-13-01T00:00:00Z", "End_Date__c", "not an instant"),
        ("Bill", "locked", "yes", "Locked__c", "neither true nor false"),
        ("Bill", "lineItems", [1], "Lines__c", "not a bill line"),
        ("Account", "id", None, "m3ter_Id__c", "no id"),
    ],
)
def test_a_value_that_does_not_fit_names_record_and_field(
    entity_type: str, field: str, value: Any, name: str, said: str
) -> None:
    with pytest.raises(RecordUnfit) as caught:
        mapped(entity_type, **{field: value})
    assert name in caught.value.fields
    assert said in caught.value.message
    assert f"The {entity_type} " in caught.value.message


def test_only_long_free_text_is_cut_and_says_so() -> None:
    made = mapped("Contract", description="word " * 10_000)["Description__c"]
    assert len(made) == 32_768
    assert made.endswith("… [50,000 characters in m3ter, cut here]")
    assert mapped("Account", name="n" * 200)["Name"] == "n" * 79 + "…"
    assert mapped("Account", name="n" * 200)["Full_Name__c"] == "n" * 200


def test_a_mark_is_an_instant_and_an_entity_that_is_back_loses_it() -> None:
    target = targets.target("Bill", "Custom Objects")
    at = datetime(2026, 11, 21, 12, 30, tzinfo=UTC)
    assert records.mark(target, at) == {"m3ter_Deleted_At__c": "2026-11-21T12:30:00.000Z"}
    assert mapped("Bill")["m3ter_Deleted_At__c"] is None


def test_an_entity_concerns_its_account() -> None:
    assert records.concerned_account("Account", {"id": "a"}) == "a"
    assert records.concerned_account("Bill", {"id": "b", "accountId": "a"}) == "a"
    assert records.concerned_account("Bill", {"id": "b"}) == ""
