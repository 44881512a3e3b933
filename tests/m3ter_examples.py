"""One believable entity of each m3ter kind, as request bodies in the order in which they can be created."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from connectors.sandbox.m3ter.organization import Organization

Entity = dict[str, Any]
Ids = dict[str, str]
CUSTOM = {"salesforceId": "001S900000AbCdEIAV", "seats": 12, "rate": Decimal("0.125")}

EXAMPLES: dict[str, Callable[[Ids], Entity]] = {
    "Product": lambda _: {"name": "API calls", "code": "API_CALLS", "customFields": CUSTOM},
    "Meter": lambda ids: {
        "productId": ids["Product"],
        "name": "Calls",
        "code": "calls",
        "dataFields": [{"category": "MEASURE", "code": "calls", "name": "Calls", "unit": "call"}],
        "derivedFields": [
            {
                "category": "MEASURE",
                "code": "k",
                "name": "Thousands",
                "unit": "k",
                "calculation": "calls/1000",
            }
        ],
    },
    "Aggregation": lambda ids: {
        "name": "All calls",
        "code": "API_CALLS",
        "meterId": ids["Meter"],
        "targetField": "calls",
        "aggregation": "SUM",
        "rounding": "UP",
        "quantityPerUnit": Decimal(1000),
        "unit": "thousand calls",
        "segmentedFields": ["region"],
        "segments": [{"region": "EU"}],
    },
    "CompoundAggregation": lambda ids: {
        "name": "Weighted calls",
        "code": "WEIGHTED",
        "productId": ids["Product"],
        "calculation": "aggregation.API_CALLS * 2",
        "rounding": "NONE",
        "quantityPerUnit": 1,
        "unit": "call",
    },
    "PlanTemplate": lambda ids: {
        "productId": ids["Product"],
        "name": "API calls monthly",
        "code": "API_CALLS",
        "currency": "USD",
        "standingCharge": Decimal("99.95"),
        "billFrequency": "MONTHLY",
    },
    "TransactionType": lambda _: {"name": "Top-up", "code": "TOP_UP"},
    "Currency": lambda _: {
        "name": "Pound sterling",
        "code": "GBP",
        "maxDecimalPlaces": 2,
        "roundingMode": "HALF_UP",
    },
    "Account": lambda _: {
        "name": "Müller & Söhne",
        "code": "001S900000AbCdEIAV",
        "emailAddress": "billing@mueller.example",
        "address": {"addressLine1": "Hauptstraße 1", "locality": "Köln", "country": "Germany"},
        "currency": "EUR",
        "creditApplicationOrder": ["PREPAYMENT", "BALANCE"],
        "daysBeforeBillDue": 14,
        "customFields": CUSTOM,
    },
    "Contract": lambda ids: {
        "accountId": ids["Account"],
        "name": "Three years",
        "code": "006S900000795MNIAY",
        "startDate": "2026-01-01",
        "endDate": "2029-01-01",
        "usageFilters": [{"dimensionCode": "region", "value": "EU", "mode": "INCLUDE"}],
    },
    "Commitment": lambda ids: {
        "accountId": ids["Account"],
        "contractId": ids["Contract"],
        "startDate": "2026-01-01",
        "endDate": "2027-01-01",
        "currency": "USD",
        "amount": Decimal("120000.10"),
        "amountPrePaid": Decimal("0.01"),
        "productIds": [ids["Product"]],
        "lineItemTypes": ["USAGE"],
        "feeDates": [
            {
                "date": "2026-01-01",
                "amount": Decimal("10000.05"),
                "servicePeriodStartDate": "2026-01-01T00:00:00Z",
                "servicePeriodEndDate": "2026-02-01T00:00:00Z",
            }
        ],
    },
    "Plan": lambda ids: {
        "planTemplateId": ids["PlanTemplate"],
        "accountId": ids["Account"],
        "name": "API calls for Müller",
        "code": "00kS9000001Nxy5IAC",
        "bespoke": True,
        "ordinal": 1,
    },
    "Pricing": lambda ids: {
        "planId": ids["Plan"],
        "aggregationId": ids["Aggregation"],
        "code": "00kS9000001Nxy5IAC",
        "startDate": "2026-01-01T00:00:00Z",
        "segment": {"region": "EU"},
        "pricingBands": [
            {"lowerLimit": 0, "fixedPrice": 0, "unitPrice": Decimal("0.0123456789")},
            {"lowerLimit": 1000, "fixedPrice": Decimal("12.50"), "unitPrice": Decimal("0.01")},
        ],
    },
    "AccountPlan": lambda ids: {
        "accountId": ids["Account"],
        "planId": ids["Plan"],
        "contractId": ids["Contract"],
        "code": "00kS9000001Nxy5IAC",
        "startDate": "2026-01-01T00:00:00Z",
        "endDate": "2029-01-01T00:00:00Z",
    },
    "Balance": lambda ids: {
        "accountId": ids["Account"],
        "contractId": ids["Contract"],
        "code": "prepaid",
        "name": "Prepaid",
        "currency": "USD",
        "startDate": "2026-01-01T00:00:00Z",
        "endDate": "2027-01-01T00:00:00Z",
        "rolloverAmount": Decimal("10.5"),
        "rolloverEndDate": "2027-03-01T00:00:00Z",
    },
    "ExternalMapping": lambda ids: {
        "m3terEntity": "Account",
        "m3terId": ids["Account"],
        "externalSystem": "Salesforce",
        "externalTable": "Account",
        "externalId": "001S900000AbCdEIAV",
    },
}


def create_all(organization: Organization) -> Ids:
    """Create one entity of each kind through the organization's own checks; returns their ids by kind."""
    ids: Ids = {}
    for kind, body in EXAMPLES.items():
        ids[kind] = organization.create(kind, body(ids))["id"]
    ids["Bill"] = organization.load("Bill", [bill(ids)])[0]["id"]
    return ids


def bill(ids: Ids, **changes: Any) -> Entity:
    """A bill as m3ter calculates it; there is no request that creates one."""
    line = {
        "productId": ids["Product"],
        "productName": "API calls",
        "productCode": "API_CALLS",
        "description": "API calls, January",
        "quantity": Decimal(123456),
        "units": Decimal("123.456"),
        "unit": "thousand calls",
        "subtotal": Decimal("1.23"),
        "currency": "USD",
        "conversionRate": 1,
        "convertedSubtotal": Decimal("1.23"),
        "averageUnitPrice": Decimal("0.01"),
        "lineItemType": "USAGE",
        "pricingId": ids["Pricing"],
        "usagePerPricingBand": [{"lowerLimit": 0, "fixedPrice": 0, "bandUnits": Decimal("123.456")}],
    }
    return {
        "accountId": ids["Account"],
        "accountCode": "001S900000AbCdEIAV",
        "startDate": "2026-01-01",
        "endDate": "2026-02-01",
        "startDateTimeUTC": "2026-01-01T00:00:00Z",
        "endDateTimeUTC": "2026-02-01T00:00:00Z",
        "billDate": "2026-02-01",
        "dueDate": "2026-03-03",
        "billingFrequency": "MONTHLY",
        "billFrequencyInterval": 1,
        "timezone": "UTC",
        "currency": "USD",
        "locked": False,
        "status": "PENDING",
        "lineItems": [line, {**line, "description": "Support", "convertedSubtotal": Decimal("100.10")}],
    } | changes
