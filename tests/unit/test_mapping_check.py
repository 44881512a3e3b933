"""`check` proves a mapping against an org and m3ter: each fault with its place and its mend."""

import pytest

from connectors.m3ter import shapes
from daemon.to_m3ter import presets
from daemon.to_m3ter.mapping import check, described, document
from tests.unit.describes import describes

HEAD = 'name = "x"\nflow = "Sales Agreement Sync"\nparent = "Opportunity"\n'
LINES = '[lines.OpportunityLineItems]\nobject = "OpportunityLineItem"\nparent_field = "OpportunityId"\n'
ACCOUNT = 'name = "Name"\ncode = "Id"\nemailAddress = { literal = "a@b.c" }\n'
PRICING = (
    'startDate = { path = "CloseDate", transform = "start_of_day" }\n'
    'planId = { literal = "x" }\naggregationId = { lookup = "Aggregation", path = "Name" }\n'
)


def findings(text: str, *names: str) -> list[check.Finding]:
    return check.check(document.parse(text), describes(*names), shapes.shapes())


def mapped(kind: str, fields: str, source: str = "") -> str:
    return f'{HEAD}{LINES}[objects.{kind}]\nsource = "{source}"\n[objects.{kind}.fields]\n{fields}\n'


@pytest.mark.parametrize("name", presets.names())
def test_every_preset_is_right_for_an_org_with_its_fields(name: str) -> None:
    found = findings(presets.text(name))
    assert [finding for finding in found if finding.severity == "error"] == []


def test_a_parent_in_another_case_is_to_be_spelt_as_salesforce_does() -> None:
    text = with_field("").replace('parent = "Opportunity"', 'parent = "opportunity"')
    org = describes() | {"opportunity": describes("Opportunity")["Opportunity"]}
    found = check.check(document.parse(text), org, shapes.shapes())
    wrong = [each for each in found if each.where == "parent"]
    assert [(each.severity, each.message, each.instruction) for each in wrong] == [
        ("error", "Salesforce spells opportunity as Opportunity.", 'Write parent = "Opportunity".')
    ]


def test_the_presets_warn_of_what_may_be_empty_and_of_nothing_else() -> None:
    email = check.Finding(
        "warning",
        "objects.Account.fields.emailAddress",
        "m3ter requires this field, and Billing_Email__c may be empty.",
        'Records where it is empty are refused; the transform "default:…" would fill it in.',
    )
    assert findings(presets.text("account")) == [email]
    assert [finding.where for finding in findings(presets.text("opportunity"))] == [
        email.where,
        "objects.Commitment.fields.amount",
    ]


AT = "objects.Account.fields."
PRICED = "objects.Pricing.fields"


def with_field(line: str) -> str:
    return mapped("Account", ACCOUNT + line)


@pytest.mark.parametrize(
    ("text", "where", "said", "mend"),
    [
        (
            with_field("").replace('parent = "O', 'parent = "Off'),
            "parent",
            "no object Offpportunity",
            "Correct",
        ),
        (
            with_field('currency = "Nam"'),
            f"{AT}currency",
            "Opportunity has no field Nam that",
            "Did you mean Name?",
        ),
        (with_field('currency = "name"'), f"{AT}currency", "no field name that", "Did you mean Name?"),
        (
            with_field('currency = "Acount.Name"'),
            f"{AT}currency",
            "no relationship Acount",
            "Did you mean Account?",
        ),
        (
            with_field('currency = { jmespath = "Owner.Nick" }'),
            f"{AT}currency",
            "User has no field Nick",
            "Correct",
        ),
        (
            HEAD + '[criterion]\nholds = "Won"\n' + with_field("")[len(HEAD) :],
            "criterion.holds",
            "no field Won",
            "Did you mean IsWon?",
        ),
        (
            with_field("").replace("lines.Opportunity", "lines."),
            "lines.LineItems",
            "no child relationship LineItems",
            "Did you mean OpportunityLineItems?",
        ),
        (
            with_field("").replace('"OpportunityId"', '"Opportunity__c"'),
            "lines.OpportunityLineItems.parent_field",
            "leads to OpportunityId, not to Opportunity__c",
            'parent_field = "OpportunityId"',
        ),
        (
            mapped("Account", 'name = "Name"'),
            AT[:-1],
            "m3ter requires Account code, and it is not",
            "Map code.",
        ),
        (
            with_field('curency = "Name"'),
            f"{AT}curency",
            "A m3ter Account has no field curency.",
            "mean currency?",
        ),
        (
            with_field('"address.regio" = "Name"'),
            f"{AT}address.regio",
            "no field address.regio",
            "mean region?",
        ),
        (
            with_field('billEpoch = "Name"'),
            f"{AT}billEpoch",
            "takes a date here, and Name gives a text.",
            '"date"',
        ),
        (
            with_field('billEpoch = { path = "CloseDate", transform = "start_of_day" }'),
            f"{AT}billEpoch",
            "takes a date here, and CloseDate gives a date-time",
            'transform "date"',
        ),
        (
            with_field('currency = "Amount"'),
            f"{AT}currency",
            "a text here, and Amount gives a number",
            '"string"',
        ),
        (
            with_field('daysBeforeBillDue = "Amount"'),
            f"{AT}days",
            "a whole number here, and Amount",
            '"integer"',
        ),
        (with_field('"customFields.won" = "IsWon"'), f"{AT}custom", "IsWon gives true or false", '"string"'),
        (with_field('"customFields.won" = { literal = true }'), f"{AT}custom", "not 'True'", '"string"'),
        (with_field('address = "Name"'), f"{AT}address", "is a table", "Map its parts"),
        (
            with_field('address = "Account.BillingAddress"'),
            f"{AT}address",
            "is a compound",
            "Map one of the fields",
        ),
        (
            with_field('currency = { path = "IsWon", transform = "date" }'),
            f"{AT}currency",
            "The transform 'date' cannot take a boolean",
            "Remove it",
        ),
        (
            with_field('billEpoch = { literal = "soon" }'),
            f"{AT}billEpoch",
            "takes a date, not 'soon'.",
            "date",
        ),
        (
            with_field('currency = { literal = "Euro", transform = "currency_code" }'),
            f"{AT}currency",
            "The transform fails: 'Euro' is not a currency code",
            "change the literal",
        ),
        (
            with_field('currency = { lookup = "Product", path = "Name" }'),
            f"{AT}currency",
            "is no id",
            "Use path",
        ),
        (
            mapped("Pricing", PRICING.replace('"Aggregation"', '"Product"')),
            f"{PRICED}.aggregationId",
            "aggregationId takes the id of Aggregation, not of Product.",
            "Name Aggregation",
        ),
        (
            mapped("Pricing", PRICING + 'pricingBands = { each = "@", fields = { unitPrise = "Amount" } }'),
            f"{PRICED}.pricingBands.fields",
            "m3ter requires lowerLimit in each item",
            "Map lowerLimit.",
        ),
        (
            mapped("Pricing", PRICING + 'pricingBands = { each = "@", fields = { unitPrise = "Amount" } }'),
            f"{PRICED}.pricingBands.fields",
            "An item of pricingBands has no field unitPrise",
            "Did you mean unitPrice?",
        ),
        (
            mapped("Pricing", PRICING + 'pricingBands = { each = "@", fields = { unitPrice = "Name" } }'),
            f"{PRICED}.pricingBands.fields.unitPrice",
            "m3ter takes a number here, and Name gives a text.",
            '"decimal"',
        ),
        (
            mapped("Pricing", PRICING + 'code = { each = "@", fields = { a = "Amount" } }'),
            f"{PRICED}.code",
            "is no list of tables",
            "Use path",
        ),
        (
            mapped("Pricing", 'code = "Id"'),
            PRICED,
            "requires Pricing planId or planTemplateId",
            "Map planId or",
        ),
        (
            with_field("\n".join(f'"customFields.{n}" = "{"x" * 60}{n}.{"y" * 60}"' for n in range(150))),
            "objects",
            "for so many fields are mapped",
            "Map fewer fields.",
        ),
    ],
)
def test_a_fault_is_found_with_its_place_and_its_mend(text: str, where: str, said: str, mend: str) -> None:
    errors = [finding for finding in findings(text) if finding.severity == "error"]
    assert any(
        finding.where.startswith(where) and said in finding.message and mend in finding.instruction
        for finding in errors
    ), errors


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (with_field('purchaseOrderNumber = "Account.Name"'), "may have 255 characters, and m3ter takes 100."),
        (
            with_field(
                '"address.postCode" = { path = "Account.BillingPostalCode", transform = "prefix:UK-" }'
            ),
            "may have 23 characters, and m3ter takes 20",
        ),
        (
            mapped("Account", ACCOUNT.replace('"Name"', '{ path = "Name", transform = "second_line" }')),
            "m3ter requires this field, and Name may be empty",
        ),
        (
            mapped("Pricing", PRICING + 'planTemplateId = "Id"'),
            "planId or planTemplateId, and both are mapped",
        ),
    ],
)
def test_what_may_go_wrong_for_some_records_is_a_warning(text: str, said: str) -> None:
    assert any(said in finding.message for finding in findings(text) if finding.severity == "warning")


@pytest.mark.parametrize(
    "fields",
    [
        'purchaseOrderNumber = { path = "Account.Name", transform = "truncate:100" }',
        'billEpoch = { path = "End_Date__c", transform = ["day_after", "default:2099-10-10"] }',
        'daysBeforeBillDue = "Account.NumberOfEmployees"',
        'daysBeforeBillDue = { path = "Amount", transform = "integer" }',
        '"customFields.x" = "Amount"\n"customFields.y" = { path = "IsWon", transform = "string" }',
        'currency = { jmespath = "Owner.Alias" }',
        'creditApplicationOrder = { literal = ["PREPAYMENT", "BALANCE"] }',
    ],
)
def test_what_fits_is_found_right(fields: str) -> None:
    assert findings(mapped("Account", ACCOUNT + fields)) == []


def test_the_objects_to_describe_are_found_by_following_the_relationships() -> None:
    mapping = document.parse(presets.text("opportunity"))
    known: dict[str, object] = {}
    asked = []
    while wanted := described.wanted(mapping, describes(*known) if known else {}):
        asked.append(sorted(wanted))
        known |= dict.fromkeys(wanted)
    assert asked == [["Opportunity", "OpportunityLineItem"], ["Account", "PricebookEntry"], ["Product2"]]


def test_an_object_that_cannot_be_described_is_an_error() -> None:
    text = mapped("Account", ACCOUNT + 'currency = "Account.Name"')
    found = findings(text, "Opportunity", "OpportunityLineItem")
    assert [finding.message for finding in found] == [
        "Salesforce has no object Account that m3sync's user can see."
    ]
