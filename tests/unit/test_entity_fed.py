"""Custom fields, which are texts and numbers, as the fields take them that people made in Salesforce."""

from decimal import Decimal
from typing import Any

import pytest

from daemon.to_salesforce import targets
from daemon.to_salesforce.mapping import fed, records
from daemon.to_salesforce.mapping.derivations import Links
from daemon.to_salesforce.mapping.errors import RecordUnfit, ValueUnfit
from daemon.to_salesforce.mapping.fed import FedField
from daemon.to_salesforce.mapping.records import CustomFields
from tests.entity_examples import ENTITIES

TEXT, NUMBER = FedField("string", length=10), FedField("double", precision=6, scale=2)
INTEGER, BOX = FedField("int", precision=4), FedField("boolean")
DATE, INSTANT = FedField("date"), FedField("datetime")


@pytest.mark.parametrize(
    ("field", "value", "made"),
    [
        (TEXT, 12, "12"),
        (TEXT, Decimal("0.10"), "0.10"),
        (TEXT, Decimal("1E+3"), "1000"),
        (TEXT, True, "true"),
        (TEXT, "", None),
        (TEXT, None, None),
        (FedField("picklist", length=255), 7, "7"),
        (NUMBER, "12.50", Decimal("12.50")),
        (NUMBER, " -1e2 ", Decimal(-100)),
        (NUMBER, 12, 12),
        (NUMBER, "", None),
        (INTEGER, "1234", Decimal(1234)),
        (FedField("currency", precision=18, scale=2), "0.01", Decimal("0.01")),
        (BOX, "true", True),
        (BOX, "False", False),
        (BOX, 1, True),
        (BOX, Decimal(0), False),
        (BOX, None, False),
        (BOX, "", False),
        (DATE, "2026-02-28", "2026-02-28"),
        (DATE, "", None),
        (INSTANT, "2026-02-28T10:00:00+01:00", "2026-02-28T09:00:00.000Z"),
        (FedField("reference", length=18), "001000000000001AAA", "001000000000001AAA"),
        (None, Decimal("1.5"), Decimal("1.5")),
        (None, "x", "x"),
    ],
)
def test_a_value_takes_the_form_of_its_field(field: FedField | None, value: Any, made: Any) -> None:
    found = fed.convert(field, value)
    assert (found, type(found)) == (made, type(made))
    assert str(found) == str(made)


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        (TEXT, "x" * 11, "11 characters, and 10 have room"),
        (TEXT, Decimal("1E+400"), "not a text"),
        (NUMBER, "gold", "'gold' is not a number"),
        (NUMBER, "NaN", "not a number"),
        (NUMBER, "1_000", "not a number"),
        (NUMBER, "1.234", "more than 2 digits after the point"),
        (NUMBER, 12_345, "4 digits before the point"),
        (INTEGER, "1.5", "more than 0 digits"),
        (BOX, "yes", "neither true nor false"),
        (BOX, 2, "neither true nor false"),
        (DATE, "soon", "not a date"),
        (DATE, 20260228, "not a date"),
        (INSTANT, "soon", "not an instant"),
        (None, ["x"], "neither a text nor a number"),
    ],
)
def test_what_does_not_fit_says_why(field: FedField | None, value: Any, said: str) -> None:
    with pytest.raises(ValueUnfit, match=said):
        fed.convert(field, value)


def test_a_describe_tells_the_room() -> None:
    facts = {"name": "N__c", "type": "int", "length": 0, "precision": 0, "digits": 8, "scale": 0}
    assert fed.described(facts) == FedField("int", precision=8)
    assert fed.described({"name": "X__c", "type": "string", "length": 40}) == FedField("string", length=40)


def test_a_record_names_the_fields_that_do_not_take_theirs() -> None:
    target = targets.target("Account", "Custom Objects")
    entity = ENTITIES["Account"] | {"customFields": {"seats": "many", "tier": 3}}
    wanted = CustomFields({"seats": "Seats__c", "tier": "Tier__c"}, {"seats__c": NUMBER, "tier__c": TEXT})
    with pytest.raises(
        RecordUnfit, match="Seats__c: The custom field seats: 'many' is not a number"
    ) as caught:
        records.record(target, entity, wanted, Links())
    assert caught.value.fields == ("Seats__c",)
