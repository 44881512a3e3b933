"""How the sandbox's SOQL shows, orders and pages what it finds."""

from decimal import Decimal

import pytest

from connectors.sandbox.salesforce.errors import SalesforceError
from tests.unit.soql_org import Questions, filled


@pytest.fixture
def org() -> Questions:
    return filled()


def test_parents_are_nested_and_children_are_a_reply_of_their_own(org: Questions) -> None:
    reply = org.ask(
        "SELECT Name, Account.Name, Account.BillingAddress, Account.Owner.Name,"
        " (SELECT ProductCode, PricebookEntry.Product2.Name FROM OpportunityLineItems"
        " ORDER BY ProductCode DESC)"
        " FROM Opportunity ORDER BY Name"
    )
    first, second = reply["records"]
    assert first["attributes"]["type"] == "Opportunity"
    assert first["attributes"]["url"].startswith("/services/data/v67.0/sobjects/Opportunity/006")
    assert first["Account"]["attributes"]["type"] == "Account"
    assert first["Account"]["BillingAddress"]["city"] == "Leeds"
    assert first["Account"]["Owner"]["Name"] == "Integration User"
    lines = first["OpportunityLineItems"]
    assert (lines["totalSize"], lines["done"]) == (2, True)
    assert [line["ProductCode"] for line in lines["records"]] == ["SEATS", "CALLS"]
    assert lines["records"][0]["PricebookEntry"]["Product2"]["Name"] == "Seats"
    assert second["OpportunityLineItems"] is None


def test_a_record_without_a_parent_shows_null(org: Questions) -> None:
    [record] = org.ask("SELECT Parent.Name, BillingAddress FROM Account WHERE Name LIKE 'O%'")["records"]
    assert record["Parent"] is None
    assert record["BillingAddress"] is None


def test_child_queries_have_their_own_conditions_order_and_limit(org: Questions) -> None:
    [acme] = org.ask(
        "SELECT (SELECT Name FROM Opportunities WHERE IsWon = false ORDER BY Name LIMIT 1) FROM Account"
        " WHERE Name = 'Acme'"
    )["records"]
    assert [each["Name"] for each in acme["Opportunities"]["records"]] == ["Second"]
    [acme] = org.ask(
        "SELECT (SELECT Name FROM Opportunities ORDER BY Name DESC LIMIT 1) FROM Account LIMIT 1"
    )["records"]
    assert [each["Name"] for each in acme["Opportunities"]["records"]] == ["Second"]


def test_nulls_come_first_unless_told_otherwise(org: Questions) -> None:
    accounts = "SELECT Name FROM Account ORDER BY NumberOfEmployees"
    assert org.names(accounts) == ["Ångström", "O'Neil 100%", "Acme"]
    assert org.names(f"{accounts} DESC") == ["Ångström", "Acme", "O'Neil 100%"]
    assert org.names(f"{accounts} NULLS LAST") == ["O'Neil 100%", "Acme", "Ångström"]
    assert org.names(f"{accounts} DESC NULLS LAST") == ["Acme", "O'Neil 100%", "Ångström"]
    assert org.names(f"{accounts} LIMIT 1 OFFSET 1") == ["O'Neil 100%"]


def test_counting_gives_a_size_and_no_records(org: Questions) -> None:
    assert org.ask("SELECT COUNT() FROM Opportunity WHERE IsWon = true") == {
        "totalSize": 1,
        "done": True,
        "records": [],
    }


def test_fields_of_an_object_can_be_asked_for_together(org: Questions) -> None:
    org.org.create("Invoice__c", {"Name": "one", "Number__c": "INV-1"})
    [everything] = org.ask("SELECT FIELDS(ALL) FROM Invoice__c LIMIT 200")["records"]
    [standard] = org.ask("SELECT FIELDS(STANDARD) FROM Invoice__c")["records"]
    [custom] = org.ask("SELECT FIELDS(CUSTOM), Id FROM Invoice__c LIMIT 1")["records"]
    assert {"Id", "Name", "SystemModstamp", "Number__c", "Is_Paid__c"} <= set(everything)
    assert "Number__c" not in standard
    assert set(custom) - {"attributes", "Id"} == {
        "Account__c",
        "Number__c",
        "Tags__c",
        "Sent_At__c",
        "Is_Paid__c",
    }
    assert custom["Is_Paid__c"] is False


def test_money_keeps_every_digit(org: Questions) -> None:
    soql = "SELECT UnitPrice, Quantity, TotalPrice FROM OpportunityLineItem WHERE ProductCode = 'CALLS'"
    [line] = org.ask(soql)["records"]
    assert line["UnitPrice"] == Decimal("0.0015")
    assert line["TotalPrice"] == Decimal("0.02")
    assert isinstance(line["TotalPrice"], Decimal)


def test_names_are_understood_in_any_case_and_shown_in_their_own(org: Questions) -> None:
    [record] = org.ask("select NAME, account.NAME from OPPORTUNITY where NAME = 'First'")["records"]
    assert record["Name"] == "First"
    assert record["Account"]["Name"] == "Acme"


def test_results_are_read_page_by_page_and_no_record_is_lost() -> None:
    org = Questions()
    wanted = org.org.load("Account", ({"Name": f"A{number}"} for number in range(450)))
    page = org.ask("SELECT Id FROM Account", size=200)
    found = [record["Id"] for record in page["records"]]
    while not page["done"]:
        assert page["totalSize"] == 450
        page = org.pages.more(page["nextRecordsUrl"].rpartition("/")[2], "67.0")
        found += [record["Id"] for record in page["records"]]
    assert found == wanted


def test_a_long_child_list_has_pages_of_its_own() -> None:
    org = Questions()
    [account] = org.org.load("Account", [{"Name": "A"}])
    org.org.load("Contact", ({"LastName": f"C{number}", "AccountId": account} for number in range(300)))
    [record] = org.ask("SELECT Id, (SELECT LastName FROM Contacts) FROM Account", size=200)["records"]
    contacts = record["Contacts"]
    assert (contacts["totalSize"], contacts["done"], len(contacts["records"])) == (300, False, 200)
    rest = org.pages.more(contacts["nextRecordsUrl"].rpartition("/")[2], "67.0")
    assert (rest["done"], len(rest["records"])) == (True, 100)


def test_an_unknown_cursor_is_refused() -> None:
    with pytest.raises(SalesforceError, match="invalid query locator"):
        Questions().pages.more("01gS90000010001IAA-2000", "67.0")


@pytest.mark.parametrize(
    ("soql", "code", "words"),
    [
        ("SELECT Id FROM Foo", "INVALID_TYPE", "sObject type 'Foo' is not supported."),
        ("SELECT Foo FROM Account", "INVALID_FIELD", "No such column 'Foo' on entity 'Account'."),
        (
            "SELECT Account FROM Opportunity",
            "INVALID_FIELD",
            "No such column 'Account' on entity 'Opportunity'.",
        ),
        ("SELECT Owner.Foo FROM Account", "INVALID_FIELD", "No such column 'Foo' on entity 'User'."),
        ("SELECT (SELECT Id FROM Lines) FROM Account", "INVALID_TYPE", "relationship 'Lines' in FROM part"),
        ("SELECT Id FROM Account ORDER BY Description", "INVALID_FIELD", "can not be sorted in a query call"),
        (
            "SELECT Id FROM Account OFFSET 2001",
            "NUMBER_OUTSIDE_VALID_RANGE",
            "Maximum SOQL offset allowed is 2000",
        ),
    ],
)
def test_refuses_what_the_org_does_not_have(org: Questions, soql: str, code: str, words: str) -> None:
    refused = org.refusal(soql)
    assert refused.code == code
    assert words in refused.message
