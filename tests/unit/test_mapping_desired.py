"""From sources to desired bodies: dependencies, look-ups, flags, and m3ter's limits kept with words."""

from decimal import Decimal
from typing import Any

import pytest

from connectors.errors import MissingMappingError
from daemon.to_m3ter.mapping import desired, document, sources
from daemon.to_m3ter.mapping.errors import MappingValueError

HEAD = 'name = "mine"\nflow = "Sales Agreement Sync"\nparent = "Opportunity"\n'
LINES = '[lines.Items]\nobject = "OpportunityLineItem"\nparent_field = "OpportunityId"\n'
UUID = "d82738f3-d1d7-4a13-94a2-757658d64948"
ITS_ACCOUNT = 'accountId = { object = "Account" }\n'


def mapped(kind: str, fields: str, source: str = "", extra: str = "") -> str:
    return f'[objects.{kind}]\nsource = "{source}"\n{extra}\n[objects.{kind}.fields]\n{fields}\n'


def made(text: str, record: dict[str, Any], resolved: desired.Resolved | None = None) -> dict[str, Any]:
    """The body of the last entity of the record."""
    mapping = document.parse(HEAD + text)
    source = sources.sources(mapping, {"Id": "006A", **record})[-1]
    objects = dict.fromkeys(desired.needs(mapping, source).objects, UUID)
    return desired.desired(mapping, source, resolved or desired.Resolved(objects=objects))


def account(fields: str) -> str:
    return mapped("Account", f'name = "Name"\ncode = "Id"\nemailAddress = {{ literal = "a@b.c" }}\n{fields}')


def contract(fields: str) -> str:
    dates = "startDate = { literal = 2026-01-01 }\nendDate = { literal = 2027-01-01 }\n"
    name = 'name = { literal = "n" }\n'
    return account("") + mapped("Contract", f"{ITS_ACCOUNT}{name}{dates}{fields}")


def commitment(fields: str) -> str:
    dates = "startDate = { literal = 2026-01-01 }\nendDate = { literal = 2027-01-01 }\n"
    usd = 'currency = { literal = "USD" }\n'
    return account("") + mapped("Commitment", f"{ITS_ACCOUNT}{usd}{dates}{fields}")


def test_an_empty_source_leaves_an_owned_field_to_be_cleared() -> None:
    assert (
        made(account('purchaseOrderNumber = "PO__c"'), {"Name": "A", "PO__c": None})["purchaseOrderNumber"]
        is None
    )


@pytest.mark.parametrize(
    ("text", "record", "said"),
    [
        (
            account(""),
            {"Name": "x" * 201},
            "m3ter Account name takes at most 200 characters, and has 201: 'xxx",
        ),
        (account('"address.region" = "R"'), {"Name": "n", "R": "x" * 51}, "address.region takes at most 50"),
        (
            account('autoGenerateStatementMode = "M"'),
            {"Name": "n", "M": "PDF"},
            "takes one of NONE, JSON, JSON_AND",
        ),
        (
            account('daysBeforeBillDue = "D"'),
            {"Name": "n", "D": Decimal("1.5")},
            "takes a whole number, not 1.5",
        ),
        (account('daysBeforeBillDue = "D"'), {"Name": "n", "D": "7"}, "takes a number, not '7'"),
        (account('billEpoch = "B"'), {"Name": "n", "B": "2026-01-01T00:00:00Z"}, 'Add the transform "date".'),
        (
            account('purchaseOrderNumber = "P"'),
            {"Name": "n", "P": 7},
            "takes a text, not '7' (P of Opportunity 006A)",
        ),
        (account('address = "P"'), {"Name": "n", "P": 7}, "takes a table, not '7'"),
        (
            account('"customFields.x" = "P"'),
            {"Name": "n", "P": True},
            "customFields.x takes a text or a number",
        ),
        (account('colour = "Name"'), {"Name": "n"}, "m3ter Account colour is no field of m3ter's"),
        (
            account('billEpoch = { path = "B", transform = "date" }'),
            {"Name": "n", "B": "soon"},
            "'soon' is not a date",
        ),
        (contract('code = "C"'), {"C": " a"}, "no spaces at its ends"),
        (contract('applyContractPeriodLimits = "B"'), {"B": "yes"}, 'Add the transform "boolean".'),
        (commitment('amount = "Amount"'), {"Amount": 0}, "amount must be more than 0, and is 0"),
        (
            commitment('amount = "Amount"\nbillingInterval = "I"'),
            {"Amount": 1, "I": 366},
            "must be at most 365",
        ),
        (
            commitment('amount = "Amount"\nproductIds = "I"'),
            {"Amount": 1, "I": ["x"] * 101},
            "at most 100 items",
        ),
        (
            commitment('amount = { jmespath = "sum(Id)" }'),
            {},
            "Commitment amount cannot be made from the expression",
        ),
    ],
)
def test_what_m3ter_would_refuse_is_said_before_it_is_sent(
    text: str, record: dict[str, Any], said: str
) -> None:
    with pytest.raises(MappingValueError) as caught:
        made(text, record)
    assert said in str(caught.value)
    assert "Opportunity 006A" in caught.value.message
    assert caught.value.instruction


def test_several_things_wrong_are_said_together_what_is_missing_first() -> None:
    text = mapped(
        "Account", 'name = "Name"\ncode = "Id"\npurchaseOrderNumber = "PO"\nemailAddress = "Email__c"'
    )
    with pytest.raises(MissingMappingError) as caught:
        made(text, {"Name": None, "PO": "x" * 101})
    assert caught.value.message.startswith(
        "m3ter Account emailAddress is required, and Email__c of Opportunity"
    )
    assert "name is required" in caught.value.message
    assert "purchaseOrderNumber takes at most 100" in caught.value.message


def test_a_required_field_that_nobody_mapped_is_said_to_be_unmapped() -> None:
    with pytest.raises(MissingMappingError) as caught:
        made(mapped("Account", 'name = "Name"\ncode = "Id"'), {"Name": "n"})
    assert (
        "emailAddress is required, and field mapping 'mine' does not map it. Add it to objects.Account"
        in str(caught.value)
    )


def test_whole_numbers_of_salesforce_become_integers_and_money_stays_decimal() -> None:
    body = made(
        commitment('amount = "Amount"\nbillingInterval = "I"'),
        {"Amount": Decimal("10.10"), "I": Decimal("3.0")},
    )
    assert body["billingInterval"] == 3
    assert isinstance(body["billingInterval"], int)
    assert isinstance(body["amount"], Decimal)
    assert str(body["amount"]) == "10.10"


def pricing(bands: str, extra: str = "") -> str:
    ids = f'planId = {{ literal = "{UUID}" }}\naggregationId = {{ literal = "{UUID}" }}\n'
    start = "startDate = { literal = 2026-01-01T00:00:00Z }\n"
    return LINES + mapped("Pricing", f"{ids}{start}pricingBands = {bands}\n{extra}")


FREE = "fixedPrice = { literal = 0 }"
BANDS = f'{{ each = "sort_by(Items, &From)", fields = {{ lowerLimit = "From", {FREE}, unitPrice = "P" }} }}'


def test_tiers_are_made_from_a_list() -> None:
    tiers = [{"Id": "2", "From": 10, "P": Decimal("0.5")}, {"Id": "1", "From": 0, "P": 1}]
    assert made(pricing(BANDS), {"Items": tiers})["pricingBands"] == [
        {"lowerLimit": 0, "fixedPrice": 0, "unitPrice": 1},
        {"lowerLimit": 10, "fixedPrice": 0, "unitPrice": Decimal("0.5")},
    ]


def test_a_tier_without_its_price_is_named() -> None:
    with pytest.raises(MissingMappingError, match=r"pricingBands\[1\]\.unitPrice is required, and P of"):
        made(pricing(BANDS), {"Items": [{"From": 0, "P": 1}, {"From": 5}]})


def test_no_tiers_at_all_are_a_missing_value() -> None:
    with pytest.raises(MissingMappingError, match="Pricing pricingBands is required, and each of sort_by"):
        made(pricing(BANDS), {"Items": []})


def test_of_two_fields_that_exclude_one_another_only_one_may_have_a_value() -> None:
    bands = f'{{ each = "@", fields = {{ lowerLimit = {{ literal = 0 }}, {FREE}, unitPrice = "P" }} }}'
    with pytest.raises(MappingValueError, match="planId cannot be given together with planTemplateId"):
        made(pricing(bands, f'planTemplateId = {{ literal = "{UUID}" }}'), {"P": 1})


def test_several_codes_are_looked_up_once_each() -> None:
    text = LINES + commitment(
        'amount = { literal = 1 }\nproductIds = { lookup = "Product", jmespath = "Items[].Code" }'
    )
    mapping = document.parse(HEAD + text)
    record = {"Id": "006A", "Items": [{"Code": "A"}, {"Code": "B"}, {"Code": "A"}, {"Code": None}]}
    source = sources.sources(mapping, record)[-1]
    wanted = desired.needs(mapping, source).lookups
    assert wanted == (desired.Lookup("Product", "A"), desired.Lookup("Product", "B"))
    objects = dict.fromkeys(source.depends_on, UUID)
    body = desired.desired(mapping, source, desired.Resolved(dict.fromkeys(wanted, UUID), objects))
    assert body["productIds"] == [UUID, UUID]


def test_a_code_that_m3ter_does_not_know_is_named_with_its_origin() -> None:
    text = commitment('amount = { literal = 1 }\nproductIds = { lookup = "Product", path = "Code" }')
    with pytest.raises(MissingMappingError) as caught:
        made(text, {"Code": "NEW"})
    assert str(caught.value) == (
        "m3ter has no Product with the code 'NEW', which Commitment productIds needs "
        "(Code of Opportunity 006A). Create this Product in m3ter, or correct Code in Salesforce."
    )
    assert made(text, {"Code": None})["productIds"] is None


AGREEMENT = (
    LINES
    + mapped("Account", 'name = "Name"\ncode = "Id"', source="Account")
    + mapped(
        "Plan", 'accountId = { object = "Account" }\ncode = "Id"', source="Items", extra='only_if = "Code"'
    )
    + mapped(
        "AccountPlan",
        'accountId = { object = "Account" }\nplanId = { object = "Plan" }\nstartDate = "Start"',
        source="Items",
        extra='do_not_sync = "Skip__c"',
    )
)
RECORD = {
    "Id": "006A",
    "Account": {"Id": "001A", "attributes": {"type": "Account"}},
    "Items": [{"Id": "00kB", "Skip__c": True}, {"Id": "00kA", "Code": "X", "Skip__c": False}],
}


def test_each_line_depends_on_its_own_earlier_objects_and_on_the_shared_ones() -> None:
    found = sources.sources(document.parse(HEAD + AGREEMENT), RECORD)
    shared, own = sources.ObjectKey("Account", "001A"), sources.ObjectKey("Plan", "00kA")
    assert [(source.kind, source.salesforce_object, source.salesforce_id) for source in found] == [
        ("Account", "Account", "001A"),
        ("Plan", "OpportunityLineItem", "00kA"),
        ("AccountPlan", "OpportunityLineItem", "00kA"),
        ("AccountPlan", "OpportunityLineItem", "00kB"),
    ]
    assert [source.depends_on for source in found] == [(), (shared,), (shared, own), (shared,)]
    assert [source.is_flagged for source in found] == [False, False, False, True]


def test_an_id_that_is_not_known_yet_is_a_missing_value() -> None:
    mapping = document.parse(HEAD + AGREEMENT)
    plan = sources.sources(mapping, RECORD)[1]
    with pytest.raises(
        MissingMappingError, match="Plan accountId needs the Account of 001A, which is not in m3ter"
    ):
        desired.desired(mapping, plan, desired.Resolved())


def test_a_record_without_the_related_record_says_so() -> None:
    mapping = document.parse(HEAD + AGREEMENT)
    absent = sources.sources(mapping, {"Id": "006A", "Account": None, "Items": None})
    assert [(source.is_absent, source.key) for source in absent] == [
        (True, sources.ObjectKey("Account", "006A"))
    ]
    with pytest.raises(MissingMappingError) as caught:
        desired.needs(mapping, absent[0])
    assert "Opportunity 006A has no Account, from which its m3ter Account is made." in str(caught.value)


def test_an_expression_that_fails_on_a_record_names_its_place() -> None:
    mapping = document.parse(HEAD + '[criterion]\nholds = "length(Amount) > `1`"\n' + account(""))
    with pytest.raises(
        MappingValueError, match=r"Whether Opportunity 006A is synced .* \(criterion\.holds\)"
    ):
        sources.criterion_holds(mapping, {"Id": "006A", "Amount": Decimal(1)})


@pytest.mark.parametrize(("stage", "holds"), [("Closed Won", True), ("Prospecting", False), (None, False)])
def test_the_criterion_chooses_the_records(stage: str | None, holds: bool) -> None:
    mapping = document.parse(HEAD + "[criterion]\nholds = \"StageName == 'Closed Won'\"\n" + account(""))
    assert sources.criterion_holds(mapping, {"Id": "006A", "StageName": stage}) is holds
    assert sources.criterion_holds(document.parse(HEAD + account("")), {"Id": "006A"})
