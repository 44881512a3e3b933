"""Which records a WHERE clause of the sandbox's SOQL finds."""

import pytest

from tests.unit.soql_org import Questions, filled

ACCOUNTS = "SELECT Name FROM Account WHERE "


@pytest.fixture(scope="module")
def org() -> Questions:
    return filled()


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ("Name = 'acme'", ["Acme"]),
        ("Name != 'ACME'", ["Ångström", "O'Neil 100%"]),
        ("name <> 'acme' AND Name <> 'Ångström'", ["O'Neil 100%"]),
        (r"Name = 'O\'Neil 100%'", ["O'Neil 100%"]),
        (r"Name LIKE 'o\'n%'", ["O'Neil 100%"]),
        (r"Name LIKE '%\%'", ["O'Neil 100%"]),
        ("Name LIKE 'A_me'", ["Acme"]),
        ("Name LIKE '_ngstr_m'", ["Ångström"]),
        (r"Name LIKE 'A\_me'", []),
        ("NumberOfEmployees > 7", ["Acme"]),
        ("NumberOfEmployees >= 7 AND NumberOfEmployees < 50.0", ["O'Neil 100%"]),
        ("NumberOfEmployees = null", ["Ångström"]),
        ("NumberOfEmployees != null", ["Acme", "O'Neil 100%"]),
        ("NumberOfEmployees < 100", ["Acme", "O'Neil 100%"]),
        ("BillingCity IN ('leeds', 'Lund')", ["Acme", "Ångström"]),
        ("BillingCity NOT IN ('leeds')", ["Ångström", "O'Neil 100%"]),
        ("NOT BillingCity = 'Leeds'", ["Ångström", "O'Neil 100%"]),
        ("(BillingCity = 'Leeds' OR Industry = 'Retail') AND (NOT Name LIKE 'A%')", ["O'Neil 100%"]),
        ("Parent.Name = 'Acme'", ["Ångström"]),
        ("Parent.Name = null", ["Acme", "O'Neil 100%"]),
        ("Parent.Owner.Username LIKE 'integration@%'", ["Ångström"]),
        ("Industry = ''", ["Acme", "Ångström"]),
        ("IsDeleted = false AND Name < 'B'", ["Acme"]),
        ("Account.Name = 'Acme'", ["Acme"]),
        ("Id IN (SELECT AccountId FROM Opportunity WHERE IsWon = TRUE)", ["Acme"]),
        ("Id NOT IN (SELECT AccountId FROM Opportunity)", ["Ångström", "O'Neil 100%"]),
    ],
)
def test_finds_what_the_condition_says(org: Questions, where: str, found: list[str]) -> None:
    assert org.names(ACCOUNTS + where) == found


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ("CloseDate = 2026-03-01", ["First"]),
        ("CloseDate > 2026-03-01", ["Second"]),
        ("CloseDate <= 2026-03-01", ["First"]),
        ("Amount = 1250.50", ["First"]),
        ("Amount >= 1.2505e3", ["First"]),
        ("IsClosed = false", ["Second"]),
        ("IsWon != true", ["Second"]),
        ("HasOpportunityLineItem = TRUE", ["First"]),
        ("CreatedDate = TODAY", ["First", "Second"]),
        ("CreatedDate < TODAY", []),
        ("CreatedDate >= YESTERDAY AND CreatedDate <= TOMORROW", ["First", "Second"]),
        ("CreatedDate = LAST_N_DAYS:3", ["First", "Second"]),
        ("CreatedDate = NEXT_N_DAYS:3", []),
        ("CreatedDate != THIS_YEAR", []),
        ("SystemModstamp > 2020-01-01T00:00:00Z", ["First", "Second"]),
        ("SystemModstamp < 2020-01-01T02:00:00+02:00", []),
        ("SystemModstamp >= 2999-01-01T00:00:00.000Z", []),
        ("Account.Parent.Name = null AND Account.BillingCity = 'Leeds'", ["First", "Second"]),
    ],
)
def test_compares_dates_times_and_money_exactly(org: Questions, where: str, found: list[str]) -> None:
    assert org.names(f"SELECT Name FROM Opportunity WHERE {where}") == found


def test_an_id_is_found_by_15_and_18_characters_and_the_15_keep_their_case(org: Questions) -> None:
    [account] = org.ask("SELECT Id FROM Account WHERE Name = 'Acme'")["records"]
    full = account["Id"]
    assert org.names(f"{ACCOUNTS} Id = '{full}'") == ["Acme"]
    assert org.names(f"{ACCOUNTS} Id = '{full[:15]}'") == ["Acme"]
    assert org.names(f"{ACCOUNTS} Id IN ('{full.lower()}')") == ["Acme"]
    assert org.names(f"{ACCOUNTS} Id = '{full[:15].lower()}'") == []


def test_multi_select_values_are_found_together_or_alone() -> None:
    org = filled()
    for name, tags in (("a", "late;large"), ("b", "late"), ("c", "disputed"), ("d", None)):
        org.org.create("Invoice__c", {"Name": name, "Tags__c": tags})
    assert org.names("SELECT Name FROM Invoice__c WHERE Tags__c INCLUDES ('late;large', 'disputed')") == [
        "a",
        "c",
    ]
    assert org.names("SELECT Name FROM Invoice__c WHERE Tags__c INCLUDES ('LATE')") == ["a", "b"]
    assert org.names("SELECT Name FROM Invoice__c WHERE Tags__c EXCLUDES ('late')") == ["c", "d"]


def test_an_empty_date_is_in_no_span_and_before_none() -> None:
    org = filled()
    for name, sent_at in (("empty", None), ("now", org.org.now().isoformat())):
        org.org.create("Invoice__c", {"Name": name, "Sent_At__c": sent_at})
    invoices = "SELECT Name FROM Invoice__c WHERE Sent_At__c"
    assert org.names(f"{invoices} = TODAY") == ["now"]
    assert org.names(f"{invoices} != TODAY") == ["empty"]
    assert org.names(f"{invoices} <= TODAY") == ["now"]
    assert org.names(f"{invoices} < TOMORROW") == ["now"]


def test_an_external_id_and_a_parent_are_found_without_regard_to_where_they_stand() -> None:
    org = filled()
    acme = org.ask("SELECT Id FROM Account WHERE Name = 'Acme'")["records"][0]["Id"]
    org.org.create("Invoice__c", {"Name": "one", "Number__c": "INV-1", "Account__c": acme})
    org.org.create("Invoice__c", {"Name": "two", "Number__c": "INV-2", "Account__c": acme})
    invoices = "SELECT Name FROM Invoice__c WHERE "
    assert org.names(f"{invoices} Number__c = 'inv-2' AND Is_Paid__c = false") == ["two"]
    assert org.names(f"{invoices} Account__c = '{acme}' AND Number__c != 'INV-2'") == ["one"]
    assert org.names(f"{invoices} Account__r.Name = 'acme'") == ["one", "two"]
    assert org.names(f"{invoices} (Number__c = 'INV-1' OR Number__c = 'INV-2')") == ["one", "two"]


def test_deleted_and_hidden_records_are_out_of_sight() -> None:
    org = filled()
    accounts = org.ask("SELECT Id, Name FROM Account")["records"]
    org.org.delete("Account", accounts[2]["Id"])
    org.org.hide(accounts[1]["Id"])
    assert org.names("SELECT Name FROM Account") == ["Acme"]
    assert org.names("SELECT Name FROM Account", sees_deleted=True) == ["Acme", "O'Neil 100%"]
    assert org.names("SELECT Name FROM Account WHERE IsDeleted = true", sees_deleted=True) == ["O'Neil 100%"]
    assert org.names(f"SELECT Name FROM Account WHERE Id = '{accounts[1]['Id']}'") == []


@pytest.mark.parametrize(
    ("where", "code", "words"),
    [
        (
            "Nam = 'x'",
            "INVALID_FIELD",
            "No such column 'Nam' on entity 'Account'. If you are attempting to use a",
        ),
        ("Foo.Name = 'x'", "INVALID_FIELD", "Didn't understand relationship 'Foo' in field path."),
        (
            "Name = 5",
            "INVALID_FIELD",
            "for field 'Name' must be of type string and should be enclosed in quotes",
        ),
        (
            "NumberOfEmployees = '5'",
            "INVALID_FIELD",
            "must be of type int and should not be enclosed in quotes",
        ),
        ("CreatedDate > 2026-01-01", "INVALID_FIELD", "must be of type dateTime and should not be enclosed"),
        ("Name = TODAY", "INVALID_FIELD", "must be of type string"),
        ("Id = '001'", "INVALID_QUERY_FILTER_OPERATOR", "invalid ID field: 001"),
        ("Description = 'x'", "INVALID_FIELD", "field 'Description' can not be filtered in a query call"),
        ("BillingAddress = 'x'", "INVALID_FIELD", "field 'BillingAddress' can not be filtered"),
        ("NumberOfEmployees LIKE '5%'", "INVALID_OPERATOR", "invalid operator on int field"),
        ("Name INCLUDES ('x')", "INVALID_OPERATOR", "only valid on multipicklist fields"),
        ("IsDeleted > false", "INVALID_OPERATOR", "invalid operator"),
        (
            "Name IN (SELECT Name FROM Contact)",
            "INVALID_FIELD",
            "Semi join sub-selects can only query id fields",
        ),
    ],
)
def test_refuses_in_salesforces_words(org: Questions, where: str, code: str, words: str) -> None:
    refused = org.refusal(ACCOUNTS + where)
    assert refused.code == code
    assert words in refused.message
