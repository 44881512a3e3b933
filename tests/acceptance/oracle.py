"""What m3ter must hold, read off the emulated org alone: the opportunity preset said in other words."""

from collections.abc import Collection, Mapping
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from connectors.sandbox.salesforce.records import Org
from connectors.sandbox.salesforce.values import Row

# A m3ter entity by its kind and the Salesforce record that it is made of.
Key = tuple[str, str]
Body = dict[str, Any]
Expectation = dict[Key, Body]

TABLES = {
    "Account": "Account",
    "Contract": "Opportunity",
    "Commitment": "Opportunity",
    "Plan": "OpportunityLineItem",
    "Pricing": "OpportunityLineItem",
    "AccountPlan": "OpportunityLineItem",
}
REFERENCES = {
    "accountId": "Account",
    "contractId": "Contract",
    "planId": "Plan",
    "planTemplateId": "PlanTemplate",
    "aggregationId": "Aggregation",
}
OPEN_ENDED = "2099-10-10"


def expected(org: Org, opportunities: Collection[str]) -> Expectation:
    """The entities of those that are won, as the org is now. No code of the product is asked."""
    found: Expectation = {}
    for record_id in opportunities:
        row = org.row(record_id)
        if row is not None and row.get("StageName") == "Closed Won":
            found.update(_agreement(org, row))
    return found


def _agreement(org: Org, row: Row) -> Expectation:
    account = org.row(row["AccountId"])
    assert account is not None
    lines = [
        line
        for line in org.table("OpportunityLineItem").rows.values()
        if line["OpportunityId"] == row["Id"] and not line["IsDeleted"]
    ]
    found: Expectation = {
        ("Account", account["Id"]): _account(account),
        ("Contract", row["Id"]): _contract(row),
        ("Commitment", row["Id"]): _commitment(row, lines),
    }
    for line in lines:
        made = {"Plan": _plan(row, line), "Pricing": _pricing(row, line), "AccountPlan": _use(row, line)}
        found |= {(kind, line["Id"]): body for kind, body in made.items()}
    return found


def _account(row: Row) -> Body:
    first, _, rest = row.get("BillingStreet", "").partition("\n")
    address = {
        "addressLine1": first,
        "addressLine2": rest.partition("\n")[0],
        "locality": row.get("BillingCity"),
        "region": row.get("BillingState"),
        "postCode": row.get("BillingPostalCode"),
        "country": row.get("BillingCountry"),
    }
    kept = {name: value for name, value in address.items() if value}
    return {
        "name": row["Name"],
        "code": row["Id"],
        "emailAddress": row["Billing_Email__c"],
        "address": kept,
    }


def _contract(row: Row) -> Body:
    return {
        "accountId": f"Account:{row['AccountId']}",
        "name": row["Name"],
        "code": row["Id"],
        "startDate": row["CloseDate"],
        "endDate": _day_after(row) or OPEN_ENDED,
    }


def _commitment(row: Row, lines: list[Row]) -> Body:
    return {
        "accountId": f"Account:{row['AccountId']}",
        "contractId": f"Contract:{row['Id']}",
        "productIds": sorted({f"Product:{line['ProductCode']}" for line in lines}),
        "amount": row["Amount"],
        "amountPrePaid": row["Amount"],
        "currency": "USD",
        "startDate": row["CloseDate"],
        "endDate": _day_after(row) or OPEN_ENDED,
        "billingInterval": 1,
        "overageDescription": row["Name"],
    }


def _plan(row: Row, line: Row) -> Body:
    return {
        "planTemplateId": f"PlanTemplate:{line['ProductCode']}",
        "accountId": f"Account:{row['AccountId']}",
        "bespoke": True,
        "name": line["Name"],
        "code": line["Id"],
    }


def _pricing(row: Row, line: Row) -> Body:
    body = {
        "planId": f"Plan:{line['Id']}",
        "aggregationId": f"Aggregation:{line['ProductCode']}",
        "code": line["Id"],
        "type": "DEBIT",
        "cumulative": False,
        "tiersSpanPlan": False,
        "minimumSpendBillInAdvance": False,
        "startDate": row["CloseDate"],
        "pricingBands": [{"lowerLimit": 0, "fixedPrice": 0, "unitPrice": line["UnitPrice"]}],
    }
    return body | ({"endDate": last} if (last := _day_after(row)) else {})


def _use(row: Row, line: Row) -> Body:
    body = {
        "accountId": f"Account:{row['AccountId']}",
        "planId": f"Plan:{line['Id']}",
        "contractId": f"Contract:{row['Id']}",
        "code": line["Id"],
        "startDate": row["CloseDate"],
    }
    return body | ({"endDate": last} if (last := _day_after(row)) else {})


def _day_after(row: Row) -> str | None:
    last = row.get("End_Date__c")
    return (date.fromisoformat(last) + timedelta(days=1)).isoformat() if last else None


def plain(kind: str, entity: Mapping[str, Any], names: Mapping[str, str]) -> Body:
    """What m3ter has, in the oracle's terms: ids as names, midnights as days, only what the preset owns."""
    kept: Body = {}
    for field in _OWNED[kind]:
        value = entity.get(field)
        if value is None or value == {}:
            continue
        if field in REFERENCES:
            value = names.get(value, f"{REFERENCES[field]}:?")
        elif field == "productIds":
            value = sorted(names.get(each, "Product:?") for each in value)
        elif field in ("startDate", "endDate"):
            value = value.removesuffix("T00:00:00Z").removesuffix("T00:00:00.000Z")
        elif field == "pricingBands":
            value = [{name: part for name, part in band.items() if name != "id"} for band in value]
        elif field == "address":
            value = {name: part for name, part in value.items() if part}
        kept[field] = value
    return kept


_SAMPLE: Row = {
    "Id": "",
    "Name": "",
    "AccountId": "",
    "Billing_Email__c": "",
    "CloseDate": "2026-01-01",
    "End_Date__c": "2026-12-31",
    "Amount": Decimal(0),
    "UnitPrice": Decimal(0),
    "ProductCode": "",
}
_OWNED = {
    "Account": tuple(_account(_SAMPLE)),
    "Contract": tuple(_contract(_SAMPLE)),
    "Commitment": tuple(_commitment(_SAMPLE, [])),
    "Plan": tuple(_plan(_SAMPLE, _SAMPLE)),
    "Pricing": tuple(_pricing(_SAMPLE, _SAMPLE)),
    "AccountPlan": tuple(_use(_SAMPLE, _SAMPLE)),
}
