"""Which request bodies the emulated m3ter takes, and what it says of the others."""

from decimal import Decimal
from typing import Any

import pytest

from connectors.sandbox.m3ter import shapes
from connectors.sandbox.m3ter.kinds import every_kind
from connectors.sandbox.m3ter.refusals import RefusedError

ACCOUNT = {"name": "A", "code": "a", "emailAddress": "a@b.example"}
COMMITMENT = {
    "accountId": "0" * 36,
    "startDate": "2026-01-01",
    "endDate": "2027-01-01",
    "currency": "USD",
    "amount": Decimal("0.01"),
}


def refused(kind: str, body: Any, *, refuse_unknown: bool = True) -> str:
    with pytest.raises(RefusedError) as caught:
        shapes.checked(every_kind()[kind].fields, body, refuse_unknown=refuse_unknown)
    assert caught.value.status == 400
    return caught.value.message


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": None}, "name: must not be null"),
        ({"name": ""}, "name: size must be between 1 and 200"),
        ({"name": "x" * 201}, "name: size must be between 1 and 200"),
        ({"name": 7}, "name: must be a string"),
        ({"code": " a"}, "code: must not contain control characters, nor start or end with white space"),
        ({"code": "a\tb"}, "code: must not contain control characters, nor start or end with white space"),
        (
            {"code": "a\u00a0b"},
            "code: must not contain control characters, nor start or end with white space",
        ),
        ({"emailAddress": "nobody"}, "emailAddress: must be a well-formed email address"),
        ({"address": {"addressLine1": "x" * 51}}, "address.addressLine1: size must be between 0 and 50"),
        ({"address": "here"}, "address: must be an object"),
        ({"daysBeforeBillDue": 0}, "daysBeforeBillDue: must be greater than 0"),
        ({"daysBeforeBillDue": Decimal("1.5")}, "daysBeforeBillDue: must be an integer"),
        ({"daysBeforeBillDue": True}, "daysBeforeBillDue: must be a number"),
        (
            {"creditApplicationOrder": ["CASH"]},
            "creditApplicationOrder[0]: must be one of PREPAYMENT, BALANCE",
        ),
        ({"creditApplicationOrder": "BALANCE"}, "creditApplicationOrder: must be a list"),
        ({"customFields": {"a": True}}, "customFields.a: must be a string or a number"),
        ({"customFields": {"a": ["b"]}}, "customFields.a: must be a string or a number"),
        ({"customFields": {str(n): n for n in range(101)}}, "customFields: size must be between 0 and 100"),
        ({"billEpoch": "2026-02-30"}, "billEpoch: must be a valid ISO 8601 date"),
        ({"daysBeforeBillDue": Decimal("1e999999999")}, "daysBeforeBillDue: must be an integer"),
        ({"billEpoch": "2026-W05-1"}, "billEpoch: must be a valid ISO 8601 date"),
        ({"billEpoch": "20260201"}, "billEpoch: must be a valid ISO 8601 date"),
        ({"dtCreated": "2026-01-01T00:00:00Z"}, "dtCreated: unrecognized field"),
    ],
)
def test_a_wrong_account_is_refused_with_the_field_and_the_reason(
    change: dict[str, Any], message: str
) -> None:
    assert refused("Account", ACCOUNT | change) == message


@pytest.mark.parametrize("body", [None, [], "text", 7])
def test_a_body_that_is_no_object_is_refused(body: Any) -> None:
    assert refused("Account", body) == "body: must be an object"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"amount": 0}, "amount: must be greater than 0"),
        ({"amount": Decimal("NaN")}, "amount: must be a number"),
        ({"amountPrePaid": Decimal("-0.01")}, "amountPrePaid: must be greater than or equal to 0"),
        ({"billingInterval": 366}, "billingInterval: must be less than or equal to 365"),
        ({"accountId": "short"}, "accountId: size must be between 36 and 36"),
        ({"startDate": "2026-01-01T00:00:00Z"}, "startDate: must be a valid ISO 8601 date"),
        ({"feeDates": [{"date": "2026-01-01"}]}, "feeDates[0].amount: must not be null"),
    ],
)
def test_a_wrong_commitment_is_refused(change: dict[str, Any], message: str) -> None:
    assert refused("Commitment", COMMITMENT | change) == message


@pytest.mark.parametrize("code", ["API-CALLS", "1st", "with space", ""])
def test_an_aggregation_code_is_a_name_without_hyphens(code: str) -> None:
    body = {
        "name": "A",
        "code": code,
        "meterId": "0" * 36,
        "targetField": "x",
        "aggregation": "SUM",
        "rounding": "UP",
        "quantityPerUnit": 1,
        "unit": "u",
    }
    assert refused("Aggregation", body).startswith("code: must start with a letter")


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z"),
        ("2026-01-01T01:00:00+01:00", "2026-01-01T00:00:00Z"),
        ("2026-01-01T00:00:00.5Z", "2026-01-01T00:00:00.500Z"),
    ],
)
def test_date_times_are_kept_in_utc(given: str, kept: str) -> None:
    bands = [{"lowerLimit": 0, "fixedPrice": 0, "unitPrice": 1}]
    body = {"startDate": given, "pricingBands": bands}
    assert shapes.checked(every_kind()["Pricing"].fields, body, refuse_unknown=True)["startDate"] == kept


@pytest.mark.parametrize(
    "given",
    ["2026-01-01", "2026-01-01T00:00:00", "tomorrow", "20260101T000000Z", "9999-12-31T23:59:59-23:59"],
)
def test_a_date_time_needs_a_time_and_an_offset(given: str) -> None:
    bands = [{"lowerLimit": 0, "fixedPrice": 0, "unitPrice": 1}]
    message = refused("Pricing", {"startDate": given, "pricingBands": bands})
    assert message == "startDate: must be a valid ISO 8601 date-time"


def test_nulls_are_left_out_and_defaults_filled_in() -> None:
    bands = [{"lowerLimit": 0, "fixedPrice": 0, "unitPrice": Decimal("0.1")}]
    body = {"startDate": "2026-01-01T00:00:00Z", "pricingBands": bands, "description": None}
    assert shapes.checked(every_kind()["Pricing"].fields, body, refuse_unknown=True) == {
        "startDate": "2026-01-01T00:00:00Z",
        "pricingBands": bands,
        "cumulative": False,
        "type": "DEBIT",
        "tiersSpanPlan": False,
    }


def test_unknown_fields_can_be_let_through_and_are_dropped() -> None:
    body = ACCOUNT | {"shoeSize": 43}
    assert refused("Account", body) == "shoeSize: unrecognized field"
    assert shapes.checked(every_kind()["Account"].fields, body, refuse_unknown=False) == ACCOUNT
