"""A small org for questions in SOQL: three customers, their agreements and a catalogue."""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest

from connectors.sandbox.clock import Clock
from connectors.sandbox.salesforce import soql_query
from connectors.sandbox.salesforce.errors import SalesforceError
from connectors.sandbox.salesforce.records import Org
from connectors.sandbox.salesforce.soql_pages import Pages

INVOICE = {
    "Invoice__c": {
        "label": "Invoice",
        "fields": {
            "Account__c": {"type": "reference", "to": ["Account"], "children": "Invoices__r"},
            "Number__c": {"type": "string", "length": 20, "external_id": True, "unique": True},
            "Tags__c": {"type": "multipicklist", "values": ["late", "large", "disputed"]},
            "Sent_At__c": {"type": "datetime"},
            "Is_Paid__c": {"type": "boolean"},
        },
    }
}


@dataclass(slots=True)
class Questions:
    """The org, and the answers that it gives."""

    org: Org = field(default_factory=lambda: Org(Clock()))
    pages: Pages = field(default_factory=Pages)

    def ask(self, soql: str, *, sees_deleted: bool = False, size: int = 2000) -> dict[str, Any]:
        """The first page of a query."""
        prepared = soql_query.prepare(self.org, soql, sees_deleted=sees_deleted)
        return self.pages.first(prepared, "67.0", size)

    def names(self, soql: str, *, sees_deleted: bool = False) -> list[str]:
        """The Name of each record found."""
        return [record["Name"] for record in self.ask(soql, sees_deleted=sees_deleted)["records"]]

    def refusal(self, soql: str) -> SalesforceError:
        """The refusal of a query; fails the test when it is answered."""
        with pytest.raises(SalesforceError) as refused:
            self.ask(soql)
        return refused.value


def filled() -> Questions:
    """Acme (two opportunities, one won with two lines), Ångström and O'Neil (nothing)."""
    questions = Questions()
    org = questions.org
    org.schema.declare(INVOICE)
    acme = org.create("Account", {"Name": "Acme", "BillingCity": "Leeds", "NumberOfEmployees": 50})
    org.create("Account", {"Name": "Ångström", "BillingCity": "Lund", "ParentId": acme})
    org.create("Account", {"Name": "O'Neil 100%", "NumberOfEmployees": 7, "Industry": "Retail"})
    won = {"StageName": "Closed Won", "CloseDate": "2026-03-01", "Amount": Decimal("1250.5")}
    first = org.create("Opportunity", {"Name": "First", "AccountId": acme, **won})
    second = {"Name": "Second", "AccountId": acme, "StageName": "Prospecting", "CloseDate": "2026-12-31"}
    org.create("Opportunity", second)
    book = org.create("Pricebook2", {"Name": "Standard"})
    for code, price in (("CALLS", "0.0015"), ("SEATS", "20")):
        product = org.create("Product2", {"Name": code.title(), "ProductCode": code})
        entry = {"Pricebook2Id": book, "Product2Id": product, "UnitPrice": Decimal(price)}
        line = {"OpportunityId": first, "Quantity": 10, "UnitPrice": Decimal(price)}
        org.create("OpportunityLineItem", {**line, "PricebookEntryId": org.create("PricebookEntry", entry)})
    return questions
