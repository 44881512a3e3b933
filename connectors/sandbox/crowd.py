"""A company of any size, the same at each start: so many accounts, each with an agreement of two lines."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from connectors.sandbox.salesforce import notation
from connectors.sandbox.salesforce.records import Org

CITIES = (("Leeds", "United Kingdom"), ("Austin", "United States"), ("Lyon", "France"), ("Porto", "Portugal"))
TRADES = ("Freight", "Dental", "Robotics", "Textiles", "Energy", "Media", "Foods", "Analytics", "Timber")
FIRST_WORDS = (
    "Amber",
    "Birch",
    "Cobalt",
    "Delta",
    "Elm",
    "Falcon",
    "Granite",
    "Harvest",
    "Indigo",
    "Juniper",
)
STAGES = ("Closed Won", "Negotiation/Review", "Proposal/Price Quote", "Qualification")


@dataclass(frozen=True, slots=True)
class PricedProduct:
    """A product in the standard price book."""

    entry_id: str
    list_price: Decimal


def load(org: Org, products: Sequence[PricedProduct], count: int) -> None:
    """Store `count` accounts with an opportunity and two lines each, as data from before the stream."""
    today = org.now().date()
    account_ids = org.load("Account", (_account(number) for number in range(1, count + 1)))
    opportunities = (
        _opportunity(number, account_id, today) | {"Amount": _amount(_lines(number, products))}
        for number, account_id in enumerate(account_ids, start=1)
    )
    opportunity_ids = org.load("Opportunity", opportunities)
    lines = (
        {"OpportunityId": opportunity_id, **line}
        for number, opportunity_id in enumerate(opportunity_ids, start=1)
        for line in _lines(number, products)
    )
    org.load("OpportunityLineItem", lines)


def _account(number: int) -> dict[str, Any]:
    city, country = CITIES[number % len(CITIES)]
    name = f"{FIRST_WORDS[number % len(FIRST_WORDS)]} {TRADES[number % len(TRADES)]} {number}"
    return {
        "Name": name,
        "Billing_Email__c": f"billing-{number}@customers.example",
        "BillingStreet": f"{number % 300 + 1} Station Road",
        "BillingCity": city,
        "BillingPostalCode": f"{10_000 + number % 90_000}",
        "BillingCountry": country,
        "NumberOfEmployees": 10 + number % 5_000,
    }


def _opportunity(number: int, account_id: str, today: date) -> dict[str, Any]:
    closes = today + timedelta(days=number % 60 - 30)
    return {
        "AccountId": account_id,
        "Name": f"Agreement {number}",
        "StageName": STAGES[number % len(STAGES)],
        "CloseDate": closes.isoformat(),
        "End_Date__c": (closes + timedelta(days=364)).isoformat(),
        "m3ter_Do_Not_Sync_Commitment__c": False,
    }


def _lines(number: int, products: Sequence[PricedProduct]) -> Iterator[dict[str, Any]]:
    for step in range(2):
        product = products[(number + step) % len(products)]
        yield {
            "PricebookEntryId": product.entry_id,
            "Quantity": notation.number(100 + number % 900, 2),
            "UnitPrice": notation.number(product.list_price, 6),
            "m3ter_Do_Not_Sync_Plan__c": False,
            "m3ter_Do_Not_Sync_Pricing__c": False,
        }


def _amount(lines: Iterator[dict[str, Any]]) -> Decimal:
    totals = (notation.number(line["Quantity"] * line["UnitPrice"], 2) for line in lines)
    return notation.number(sum(totals, Decimal(0)), 2)
