"""The sandbox's SOQL looks at few records where Salesforce has an index."""

from datetime import timedelta

import pytest

from connectors.sandbox.salesforce import soql_query
from tests.unit.soql_org import Questions, filled


class Watched(dict[str, dict[str, object]]):
    """Rows that count how often one is looked at."""

    looks = 0

    def get(self, key: str, default: object = None) -> object:  # type: ignore[override]  # as loose as its use here
        self.looks += 1
        return super().get(key, default)


@pytest.fixture(scope="module")
def org() -> Questions:
    questions = filled()
    parents = questions.org.load("Account", ({"Name": f"Many {number}"} for number in range(50)))
    rows = ({"Number__c": f"N-{number}", "Account__c": parents[number % 50]} for number in range(1000))
    questions.org.load("Invoice__c", rows)
    return questions


def looks(org: Questions, soql: str) -> tuple[int, int]:
    """How many records were looked at and how many were found."""
    table = org.org.table("Invoice__c")
    kept, table.rows = table.rows, Watched(table.rows)
    try:
        found = soql_query.prepare(org.org, soql).find()
        return table.rows.looks, len(found)
    finally:
        table.rows = kept


def test_ids_external_ids_and_parents_are_looked_up(org: Questions) -> None:
    ids = list(org.org.table("Invoice__c").rows)
    parent = list(org.org.table("Account").rows)[-1]
    invoices = "SELECT Id FROM Invoice__c WHERE"
    assert looks(org, f"{invoices} Id = '{ids[500]}'") == (1, 1)
    assert looks(org, f"{invoices} Id IN ('{ids[1]}', '{ids[2]}') AND Number__c != 'N-1'") == (2, 1)
    assert looks(org, f"{invoices} Number__c IN ('n-7', 'N-8', 'N-9999')") == (2, 2)
    assert looks(org, f"{invoices} Account__c = '{parent}' AND Is_Paid__c = false") == (20, 20)
    assert looks(org, f"{invoices} Account__c = '{parent}' AND Number__c = 'N-49'") == (1, 1)
    assert looks(org, f"{invoices} Account__c = '{parent}' OR Number__c = 'N-49'") == (1000, 20)
    assert looks(org, f"{invoices} Account__c = null") == (1000, 0)


def test_an_empty_value_is_looked_for_everywhere() -> None:
    org = filled()
    org.org.load("Invoice__c", [{"Name": "with", "Number__c": "N-1"}, {"Name": "without"}])
    assert org.names("SELECT Name FROM Invoice__c WHERE Number__c = ''") == ["without"]
    assert org.names("SELECT Name FROM Invoice__c WHERE Number__c IN ('', 'N-1')") == ["with", "without"]


def test_the_latest_changes_are_read_from_the_end(org: Questions) -> None:
    ids = list(org.org.table("Invoice__c").rows)
    org.org.clock.advance(timedelta(hours=1))
    org.org.update("Invoice__c", ids[3], {"Is_Paid__c": True})
    changed = org.org.row(ids[3])
    assert changed is not None
    since = changed["SystemModstamp"].replace("+0000", "Z")
    assert looks(org, f"SELECT Id FROM Invoice__c WHERE SystemModstamp >= {since}") == (1, 1)
    assert looks(org, f"SELECT Id FROM Invoice__c WHERE LastModifiedDate > {since}") == (1, 0)


def test_a_value_that_was_given_up_is_found_no_more(org: Questions) -> None:
    owner = org.org.table("Invoice__c").definition
    by = owner.find("Number__c")
    assert by is not None
    [record_id] = org.org.matches(owner, by, "N-20")
    org.org.update("Invoice__c", record_id, {"Number__c": "X-20"})
    assert org.org.matches(owner, by, "N-20") == []
    assert org.org.table("Invoice__c").find("Number__c", "N-20") == ()
    assert org.org.matches(owner, by, "x-20") == [record_id]


def test_a_field_declared_later_is_indexed_from_then_on() -> None:
    org = filled()
    org.org.load("Contact", [{"LastName": "x"}])
    field = {"type": "string", "length": 20, "external_id": True}
    org.org.schema.declare({"Contact": {"fields": {"Late__c": field}}})
    record_id = org.org.create("Contact", {"LastName": "y", "Late__c": "L-1"})
    [found] = org.ask("SELECT Id FROM Contact WHERE Late__c = 'l-1'")["records"]
    assert found["Id"] == record_id
