"""The demo company: what both systems hold before anything is synced; or a large one of the same make."""

import tomllib
from datetime import date, timedelta
from decimal import Decimal
from importlib import resources
from typing import Any

from connectors.sandbox import crowd
from connectors.sandbox.crowd import PricedProduct
from connectors.sandbox.m3ter.organization import Organization
from connectors.sandbox.salesforce.records import Org
from connectors.sandbox.salesforce.schema import Schema
from connectors.sandbox.salesforce.transactions import Transaction

Table = dict[str, Any]
Entries = dict[str, PricedProduct]

# What the systems hold at first was there before anyone connects to them.
AGE = timedelta(days=1)


def declare_fields(schema: Schema) -> None:
    """Declare the org's custom fields; an empty sandbox has them too."""
    schema.declare(_table("fields"))


def found(org: Org, organization: Organization, *, scale: int | None = None) -> None:
    """Fill both systems: products in both, customers in Salesforce only (syncs create them in m3ter).

    With `scale` there are so many accounts, each with one agreement, in place of the written ones.
    """
    catalogue = _table("catalogue")
    sell_in_m3ter(organization, catalogue)
    with org.transaction() as tx:
        entries = _sell_in_salesforce(tx, catalogue)
        if scale is None:
            _sign_customers(tx, _table("customers"), entries, org.now().date())
    if scale is not None:
        crowd.load(org, list(entries.values()), scale)


def sell_in_m3ter(organization: Organization, catalogue: Table) -> None:
    """Products with a plan template, a meter and an aggregation each, all under the product's code."""
    for product in catalogue["products"]:
        code, name = product["code"], product["name"]
        product_id = organization.create("Product", {"code": code, "name": name})["id"]
        template = {
            "productId": product_id,
            "code": code,
            "name": f"{name} monthly",
            "currency": catalogue["currency"],
            "standingCharge": Decimal(0),
            "billFrequency": "MONTHLY",
        }
        organization.create("PlanTemplate", template)
        measure = {"category": "MEASURE", "unit": product["unit"]}
        field = {"code": product["field"], "name": product["field"].title(), **measure}
        meter = {
            "productId": product_id,
            "code": code,
            "name": name,
            "dataFields": [field],
            "derivedFields": [],
        }
        aggregation = {
            "meterId": organization.create("Meter", meter)["id"],
            "code": code,
            "name": name,
            "targetField": product["field"],
            "aggregation": product["aggregation"],
            "unit": product["unit"],
            "quantityPerUnit": Decimal(1),
            "rounding": "NONE",
        }
        organization.create("Aggregation", aggregation)


def _sell_in_salesforce(tx: Transaction, catalogue: Table) -> Entries:
    """Products in the standard price book; gives each code its price book entry."""
    book = {"Name": "Standard Price Book", "IsActive": True, "IsStandard": True}
    book_id = tx.create("Pricebook2", book)
    entries: Entries = {}
    for product in catalogue["products"]:
        fields = {
            "Name": product["name"],
            "ProductCode": product["code"],
            "Description": product["description"],
            "Family": product["family"],
            "QuantityUnitOfMeasure": product["measured_in"],
            "IsActive": True,
        }
        product_id = tx.create("Product2", fields)
        entry = {"Pricebook2Id": book_id, "Product2Id": product_id, "IsActive": True}
        price = Decimal(product["list_price"])
        entry_id = tx.create("PricebookEntry", {**entry, "UnitPrice": price})
        entries[product["code"]] = PricedProduct(entry_id, price)
    return entries


def _sign_customers(tx: Transaction, customers: Table, entries: Entries, today: date) -> None:
    ids: dict[str, str] = {}
    for account in customers["accounts"]:
        address = account["address"]
        fields = {
            "Name": account["name"],
            "Industry": account["industry"],
            "NumberOfEmployees": account["employees"],
            "Billing_Email__c": account.get("email"),
            "BillingStreet": address["street"],
            "BillingCity": address["city"],
            "BillingState": address.get("state"),
            "BillingPostalCode": address["postcode"],
            "BillingCountry": address["country"],
        }
        account_id = ids[account["name"]] = tx.create("Account", fields)
        for opportunity in account["opportunities"]:
            _sign(tx, account_id, opportunity, entries, today)
    _place_order(tx, ids[customers["order"]["account"]], customers["order"], entries, today)


def _sign(tx: Transaction, account_id: str, opportunity: Table, entries: Entries, today: date) -> None:
    closes = today + timedelta(days=opportunity["closes_in"])
    lines = [_line(line, entries) for line in opportunity["lines"]]
    fields = {
        "AccountId": account_id,
        "Name": opportunity["name"],
        "Amount": sum((line["Quantity"] * line["UnitPrice"] for line in lines), Decimal(0)),
        "StageName": opportunity["stage"],
        "Type": opportunity["type"],
        "CloseDate": closes.isoformat(),
        "End_Date__c": last_day(closes, opportunity["months"]).isoformat(),
        "NextStep": opportunity.get("next_step"),
        "m3ter_Do_Not_Sync_Commitment__c": opportunity.get("no_commitment", False),
    }
    opportunity_id = tx.create("Opportunity", fields)
    for line in lines:
        tx.create("OpportunityLineItem", {"OpportunityId": opportunity_id, **line})


def _place_order(tx: Transaction, account_id: str, order: Table, entries: Entries, today: date) -> None:
    starts = today + timedelta(days=order["starts_in"])
    fields = {
        "AccountId": account_id,
        "Name": order["name"],
        "Status": "Draft",
        "Type": "New",
        "EffectiveDate": starts.isoformat(),
        "EndDate": last_day(starts, order["months"]).isoformat(),
        "PoNumber": order["purchase_order"],
    }
    order_id = tx.create("Order", fields)
    for line in order["lines"]:
        tx.create("OrderItem", {"OrderId": order_id, **_line(line, entries)})


def _line(line: Table, entries: Entries) -> Table:
    entry = entries[line["product"]]
    return {
        "PricebookEntryId": entry.entry_id,
        "Quantity": Decimal(line["quantity"]),
        "UnitPrice": Decimal(line["price"]) if "price" in line else entry.list_price,
        "m3ter_Do_Not_Sync_Plan__c": line.get("no_plan", False),
        "m3ter_Do_Not_Sync_Pricing__c": line.get("no_pricing", False),
    }


def last_day(first: date, months: int) -> date:
    """The last day of a term of so many months: the day before its anniversary."""
    index = first.month - 1 + months
    anniversary = date(first.year + index // 12, index % 12 + 1, min(first.day, 28))
    return anniversary - timedelta(days=1)


def _table(name: str) -> Table:
    folder = resources.files("connectors.sandbox") / "company"
    return tomllib.loads((folder / f"{name}.toml").read_text("utf-8"))
