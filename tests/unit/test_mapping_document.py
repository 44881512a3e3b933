"""A field mapping document is read whole, or refused with the place and the mend."""

import json

import pytest

from daemon.to_m3ter import presets
from daemon.to_m3ter.mapping import document
from daemon.to_m3ter.mapping.errors import MappingInvalid

HEAD = 'name = "x"\nflow = "Sales Agreement Sync"\nparent = "Opportunity"\n'
LINES = '[lines.OpportunityLineItems]\nobject = "OpportunityLineItem"\nparent_field = "OpportunityId"\n'
ACCOUNT = '[objects.Account]\nsource = "Account"\n[objects.Account.fields]\ncode = "Id"\n'


def field(value: str, target: str = "name") -> str:
    return f'{HEAD}[objects.Account]\nsource = "Account"\n[objects.Account.fields]\n"{target}" = {value}\n'


@pytest.mark.parametrize("name", presets.names())
def test_every_preset_can_be_read(name: str) -> None:
    mapping = document.parse(presets.text(name))
    assert mapping.name == name
    assert mapping.description


@pytest.mark.parametrize("name", presets.names())
def test_a_mapping_can_be_shown_as_json_and_read_again(name: str) -> None:
    mapping = document.parse(presets.text(name))
    shown = json.loads(json.dumps(mapping.model_dump(mode="json", exclude_none=True, exclude_defaults=True)))
    assert document.Mapping.model_validate(shown) == mapping


def test_a_preset_that_does_not_exist_is_refused_with_those_that_do() -> None:
    with pytest.raises(
        MappingInvalid, match="The presets are: account, opportunity, opportunity_flags, order"
    ):
        presets.text("../../etc/passwd")


def test_a_mapping_names_the_channels_it_listens_to_parent_first() -> None:
    mapping = document.parse(presets.text("opportunity"))
    assert document.channels(mapping) == [
        "/data/OpportunityChangeEvent",
        "/data/OpportunityLineItemChangeEvent",
    ]
    assert mapping.objects_watched == {"OpportunityLineItem": "OpportunityId", "Opportunity": None}


def test_custom_objects_have_channels_of_their_own_form() -> None:
    mapping = document.parse(HEAD.replace("Opportunity", "ns__Deal__c") + ACCOUNT)
    assert document.channels(mapping) == ["/data/ns__Deal__ChangeEvent"]


def test_the_flagged_preset_is_the_plain_one_with_flags() -> None:
    plain, flagged = (document.parse(presets.text(name)) for name in ("opportunity", "opportunity_flags"))
    assert {kind for kind, made in flagged.objects.items() if made.do_not_sync} == {
        "Commitment",
        "Plan",
        "Pricing",
    }
    without = {kind: made.model_copy(update={"do_not_sync": None}) for kind, made in flagged.objects.items()}
    assert without == plain.objects
    assert flagged.lines == plain.lines
    assert flagged.criterion == plain.criterion


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "name: Field required (3 more problems in this document). Add this key."),
        ("name = ", "The document is not TOML"),
        ("a = " + "[\n" * 5_000 + "]" * 3_000, "The document is nested too deeply"),
        ("a = " + "{a=" * 5_000, "The document"),
        ("x" * 100_001, "at most 100000"),
        (".".join("a" * 2_001) + " = 1", "a line of 4005 characters; a line has at most 4000"),
        ("\ud800", "The document is not TOML"),
        ("a = 1e999999999999999999999", "The document"),
        (HEAD, "objects: Field required."),
        (HEAD + "[objects]\n", "objects: Dictionary should have at least 1 item"),
        (HEAD + "colour = 1\n" + ACCOUNT, "colour: Extra inputs are not permitted. There is no such key"),
        (HEAD + "[objects.Bill]\nsource = ''\n", "objects.Bill"),
        (
            HEAD.replace("Sales Agreement", "Other") + ACCOUNT,
            "flow: Input should be 'Account Sync' or 'Sales",
        ),
        (HEAD.replace('"Opportunity"', "\"O' OR Id != '\"") + ACCOUNT, "is not the API name"),
        (HEAD + "objects = 3\n", "objects: Input should be a valid dictionary"),
        (HEAD + ACCOUNT.replace('"Account"', '"Account; DROP"'), "'Account; DROP' is not a path"),
        (field('"Name FROM User"'), "objects.Account.fields.name.path: 'Name FROM User' is not a path"),
        (field('"A.B.C.D.E.F.G"'), "at most five relationships"),
        (field('"Náme"'), "is not a path"),
        (field("{}"), "give exactly one of path"),
        (field('{ path = "A", literal = 1 }'), "(given: path and literal)"),
        (field('{ path = "A", shout = true }'), "shout: Extra inputs are not permitted"),
        (field('{ path = "A", transform = "exec:rm" }'), "there is no transform 'exec'; the transforms are"),
        (
            field('{ path = "A", transform = "truncate" }'),
            "needs an argument after a colon, as in 'truncate:50'",
        ),
        (field('{ path = "A", transform = "truncate:x" }'), "needs a whole number"),
        (field('{ path = "A", transform = "trim:3" }'), "takes no argument"),
        (field('{ path = "A", transform = [1] }'), "a transform is a text"),
        (field('{ path = "A", fields = ["B"] }'), "'fields' is a list of paths beside 'jmespath'"),
        (field('{ path = "A", lookup = "Account" }'), "lookup: Input should be 'Product'"),
        (field('{ jmespath = "A[" }'), "this is not JMESPath"),
        (field('{ jmespath = "danger(@)" }'), "there is no JMESPath function danger()"),
        (field('{ jmespath = "\\"A B\\"" }'), "'A B' is not the name of a Salesforce field"),
        (field('{ jmespath = "' + "(" * 900 + "A" + ")" * 900 + '" }'), "nested too deeply"),
        (field('{ jmespath = "' + "[@,@]|" * 30 + '@" }'), "nests too many"),
        (field('{ jmespath = "' + "A" * 2001 + '" }'), "1 to 2000 characters"),
        (field('{ each = "@", fields = {} }'), "'each' needs a table 'fields'"),
        (field('{ each = "@", fields = { a = { each = "@", fields = { b = "C" } } } }'), "another 'each'"),
        (field("{ literal = 10:00:00 }"), "a literal cannot be a time"),
        (field("{ literal = nan }"), "a literal number must be finite"),
        (field("{ literal = 2026-01-01T00:00:00 }"), "a literal date-time needs its zone"),
        (field('"Id"', "version"), "'version' is kept by m3ter itself"),
        (field('"Id"', "a.b.c"), "is not a m3ter field"),
        (
            field('"Id"', "address") + '"address.region" = "X"\n',
            "'address' is mapped as a whole and also in parts",
        ),
        (
            field('{ object = "Plan" }'),
            "objects.Account.fields.name: Takes the id of Plan, which this mapping does not make",
        ),
        (field('{ object = "Account" }'), "takes the id of Account, which is not written before Account"),
    ],
)
def test_a_broken_or_hostile_document_is_refused_with_its_place(text: str, said: str) -> None:
    with pytest.raises(MappingInvalid) as caught:
        document.parse(text)
    assert said.lower() in str(caught.value).lower()
    assert caught.value.instruction


def test_an_id_of_one_entity_for_each_line_cannot_feed_an_entity_of_the_parent() -> None:
    text = (
        HEAD
        + LINES
        + '[objects.Plan]\nsource = "OpportunityLineItems"\n[objects.Plan.fields]\ncode = "Id"\n'
        + '[objects.AccountPlan]\nsource = ""\n[objects.AccountPlan.fields]\nplanId = { object = "Plan" }\n'
    )
    with pytest.raises(MappingInvalid, match="of which there is one for each of OpportunityLineItems"):
        document.parse(text)


def test_ids_can_only_come_from_what_was_written_before_so_that_no_circle_arises() -> None:
    text = (
        HEAD
        + '[objects.Contract]\nsource = ""\n[objects.Contract.fields]\naccountId = { object = "Plan" }\n'
        + '[objects.Plan]\nsource = ""\n[objects.Plan.fields]\naccountId = { object = "Contract" }\n'
    )
    with pytest.raises(MappingInvalid, match=r"Contract\.fields.accountId: Takes the id of Plan"):
        document.parse(text)


def test_literals_of_every_kind_of_toml_become_what_m3ter_takes() -> None:
    text = (
        field("{ literal = 2099-10-10 }")
        + 'a = { literal = 2026-01-01T01:00:00+01:00 }\nb = { literal = [1, "x"] }\n'
    )
    fields = document.parse(text).objects["Account"].fields
    assert fields["name"].literal == "2099-10-10"
    assert fields["a"].literal == "2026-01-01T00:00:00.000Z"
    assert fields["b"].literal == [1, "x"]


@pytest.mark.parametrize(
    "account_id", ['"AccountId"', f'{{ literal = "{"d" * 36}" }}', '{ jmespath = "Account.M3ter_Id__c" }']
)
@pytest.mark.parametrize("also", ["", ACCOUNT])
def test_an_account_that_the_sync_does_not_make_is_refused_for_nobody_would_hold_it(
    account_id: str, also: str
) -> None:
    contract = f'[objects.Contract]\nsource = ""\n[objects.Contract.fields]\naccountId = {account_id}\n'
    with pytest.raises(MappingInvalid, match="Takes the account from elsewhere") as refused:
        document.parse(HEAD + also + contract)
    assert refused.value.where == "objects.Contract.fields.accountId"
