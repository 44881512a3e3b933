"""The one query of a sync: everything the mapping reads, once, and nothing that could leave its place."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.to_m3ter import presets
from daemon.to_m3ter.mapping import document, soql
from daemon.to_m3ter.mapping.errors import MappingInvalid

HEAD = 'name = "x"\nflow = "Sales Agreement Sync"\nparent = "Opportunity"\n'
LINES = '[lines.OpportunityLineItems]\nobject = "OpportunityLineItem"\nparent_field = "OpportunityId"\n'
RECORD_ID = "006S900000795MNIAY"


def query(text: str, record_id: str = RECORD_ID) -> str:
    return soql.soql(document.parse(HEAD + text), record_id)


def contract(fields: str, extra: str = "") -> str:
    return f'[objects.Contract]\nsource = ""\n{extra}\n[objects.Contract.fields]\n{fields}\n'


def test_the_account_preset_asks_for_its_fields_in_the_documents_order() -> None:
    mapping = document.parse(presets.text("account"))
    assert soql.soql(mapping, "001S900000RzsIUIAZ") == (
        "SELECT Id, LastModifiedDate, SystemModstamp, Name, Billing_Email__c, BillingStreet, BillingCity, "
        "BillingState, BillingPostalCode, BillingCountry FROM Account WHERE Id = '001S900000RzsIUIAZ'"
    )


def test_lines_are_read_by_a_sub_query_with_their_relationships_and_flags() -> None:
    made = (
        '[objects.Plan]\nsource = "OpportunityLineItems"\n'
        'do_not_sync = "Skip__c"\nonly_if = "Quantity > `0`"\n'
        '[objects.Plan.fields]\ncode = "Id"\nname = "PricebookEntry.Product2.Name"\n'
    )
    assert query(LINES + made) == (
        "SELECT Id, LastModifiedDate, SystemModstamp, "
        "(SELECT Id, Quantity, Skip__c, PricebookEntry.Product2.Name "
        f"FROM OpportunityLineItems) FROM Opportunity WHERE Id = '{RECORD_ID}'"
    )


def test_the_criterion_and_expressions_are_read_too_and_each_field_once() -> None:
    made = (
        '[criterion]\nholds = "StageName == \'Closed Won\' && Amount > `0`"\nfields = ["Type"]\n'
        + LINES
        + contract(
            'name = "NAME"\ncode = "Name"\n'
            'description = { jmespath = "Owner.Name", fields = ["stagename"] }\n'
            'purchaseOrderNumber = { jmespath = "OpportunityLineItems[0].Description" }'
        )
    )
    assert query(made) == (
        "SELECT Id, LastModifiedDate, SystemModstamp, StageName, Amount, Type, NAME, Owner.Name, "
        f"(SELECT Id, Description FROM OpportunityLineItems) FROM Opportunity WHERE Id = '{RECORD_ID}'"
    )


def test_a_source_behind_a_relationship_prefixes_its_paths() -> None:
    head = '[objects.Account]\nsource = "Partner__r.Account__r"\n'
    made = head + '[objects.Account.fields]\ncode = "Owner.Alias"\n'
    assert "Partner__r.Account__r.Id, Partner__r.Account__r.Owner.Alias FROM" in query(made)


def test_the_items_of_an_each_are_read_below_what_it_goes_through() -> None:
    made = contract(
        'usageFilters = { each = "OpportunityLineItems[?Quantity > `1`]", fields = { value = "Name" } }'
    )
    assert "(SELECT Id, Quantity, Name FROM OpportunityLineItems)" in query(LINES + made)


def test_a_line_that_is_only_counted_is_read_by_its_id() -> None:
    made = contract('name = { jmespath = "length(OpportunityLineItems)", transform = "string" }')
    assert "(SELECT Id FROM OpportunityLineItems)" in query(LINES + made)


@given(st.text(max_size=30))
def test_only_record_ids_enter_the_query(record_id: str) -> None:
    mapping = document.parse(presets.text("account"))
    try:
        made = soql.soql(mapping, record_id)
    except ValueError:
        return
    assert record_id.isalnum()
    assert record_id.isascii()
    assert made.endswith(f"WHERE Id = '{record_id}'")


@pytest.mark.parametrize(
    "record_id",
    ["", "006", "006S900000795MN' OR Name != '", "006S900000795MNIAY\n", "\uff10\uff10\uff16S900000795MN"],
)
def test_what_is_no_record_id_is_refused(record_id: str) -> None:
    with pytest.raises(ValueError, match="is not a Salesforce record id"):
        query(contract('code = "Id"'), record_id)


def test_paths_that_grow_past_five_relationships_are_refused() -> None:
    made = '[objects.Account]\nsource = "A.B.C"\n[objects.Account.fields]\ncode = "D.E.F.G"\n'
    with pytest.raises(MappingInvalid, match=r"objects\.Account\.fields\.code: Follows 6 relationships"):
        query(made)


def test_a_query_longer_than_salesforce_takes_is_refused() -> None:
    def many(mark: str) -> str:
        return "\n".join(f'"customFields.f{n}" = "{mark * 60}_{n}__c"' for n in range(150))

    account = f'[objects.Account]\nsource = ""\n[objects.Account.fields]\n{many("a")}\n'
    with pytest.raises(MappingInvalid, match="for so many fields are mapped"):
        query(account + contract(many("b")))
