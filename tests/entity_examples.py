"""One entity of each type with every field that m3ter describes, and the targets as a sandbox's objects."""

from decimal import Decimal
from typing import Any

from daemon.to_salesforce import targets
from daemon.to_salesforce.targets import Naming, Target, TargetField

_STAMPS = {
    "id": "0e5f1a57-0000-4000-8000-000000000001",
    "version": 7,
    "dtCreated": "2026-01-02T03:04:05.678Z",
    "dtLastModified": "2026-02-03T04:05:06Z",
    "createdBy": "user-1",
    "lastModifiedBy": "user-2",
}
_CUSTOM = {"customFields": {"tier": "gold", "seats": 12, "rate": Decimal("0.125")}}
LINE = {
    "id": "line-1",
    "sequenceNumber": 1,
    "description": "API calls, größer",
    "quantity": Decimal("1234.5678"),
    "units": Decimal("1234.5678"),
    "unit": "call",
    "subtotal": Decimal("12.34"),
    "currency": "EUR",
    "conversionRate": Decimal("1.1"),
    "convertedSubtotal": Decimal("13.57"),
    "lineItemType": "USAGE",
    "averageUnitPrice": Decimal("0.01"),
    "servicePeriodStartDate": "2026-01-01T00:00:00Z",
    "servicePeriodEndDate": "2026-02-01T00:00:00Z",
}

ENTITIES: dict[str, dict[str, Any]] = {
    "Account": _STAMPS
    | _CUSTOM
    | {
        "name": "Brightwater Logistics",
        "code": "BRIGHT",
        "address": {
            **{f"addressLine{n}": f"Line {n}" for n in range(1, 5)},
            "locality": "Leeds",
            "region": "Yorkshire",
            "postCode": "LS1 1AA",
            "country": "UK",
        },
        "emailAddress": "billing@brightwater.example",
        "parentAccountId": "account-parent",
        "billEpoch": "2026-01-01",
        "purchaseOrderNumber": "PO-1",
        "currency": "GBP",
        "statementDefinitionId": "statement-1",
        "autoGenerateStatementMode": "JSON_AND_CSV",
        "creditApplicationOrder": ["BALANCE", "PREPAYMENT"],
        "daysBeforeBillDue": 30,
    },
    "Contract": _STAMPS
    | _CUSTOM
    | {
        "accountId": "account-1",
        "name": "Agreement 2026",
        "code": "AGR-26",
        "description": "All of it.",
        "purchaseOrderNumber": "PO-2",
        "applyContractPeriodLimits": True,
        "usageFilters": [{"dimensionCode": "region", "mode": "INCLUDE", "value": "eu"}],
        "billGroupingKeyId": "key-1",
        "startDate": "2026-01-01",
        "endDate": "2027-01-01",
    },
    "Commitment": _STAMPS
    | {
        "accountId": "account-1",
        "contractId": "contract-1",
        "currency": "USD",
        "amount": Decimal("12000.00"),
        "amountPrePaid": Decimal("1000.50"),
        "amountFirstBill": 0,
        "amountSpent": Decimal("0.01"),
        "startDate": "2026-01-01",
        "endDate": "2028-03-01",
        "billEpoch": "2026-01-15",
        "billingPlanId": "plan-1",
        "billingInterval": 1,
        "billingOffset": 0,
        "feeDates": [{"date": "2026-02-01", "amount": Decimal("100.10")}],
        "commitmentFeeBillInAdvance": True,
        "commitmentFeeDescription": "Fee",
        "commitmentUsageDescription": "Usage",
        "overageSurchargePercent": Decimal("12.5"),
        "overageDescription": "Overage",
        "separateOverageUsage": False,
        "productIds": ["product-1", "product-2"],
        "lineItemTypes": ["USAGE", "MINIMUM_SPEND"],
        "childBillingMode": "PARENT_SUMMARY",
        "accountingProductId": "accounting-1",
        "feesAccountingProductId": "accounting-2",
        "drawdownsAccountingProductId": "accounting-3",
    },
    "Balance": _STAMPS
    | _CUSTOM
    | {
        "accountId": "account-1",
        "contractId": "contract-1",
        "code": "BAL",
        "name": "Credits",
        "description": "For a rainy day.",
        "amount": Decimal("-3.99"),
        "currency": "EUR",
        "startDate": "2026-01-01T00:00:00Z",
        "endDate": "2026-07-01T00:00:00.000Z",
        "rolloverAmount": Decimal(10),
        "rolloverEndDate": "2026-08-01T12:00:00+02:00",
        "balanceDrawDownDescription": "Drawn",
        "overageSurchargePercent": Decimal("7.25"),
        "overageDescription": "Over",
        "productIds": ["product-1"],
        "lineItemTypes": ["AD_HOC"],
        "consumptionsAccountingProductId": "accounting-1",
        "feesAccountingProductId": "accounting-2",
        "allowOverdraft": True,
    },
    "Bill": _STAMPS
    | {
        "accountId": "account-1",
        "accountCode": "BRIGHT",
        "startDate": "2026-01-01",
        "endDate": "2026-02-01",
        "startDateTimeUTC": "2026-01-01T00:00:00Z",
        "endDateTimeUTC": "2026-02-01T00:00:00Z",
        "billDate": "2026-02-01",
        "dueDate": "2026-03-03",
        "billingFrequency": "MONTHLY",
        "billFrequencyInterval": 1,
        "timezone": "Europe/London",
        "currency": "GBP",
        "locked": True,
        "createdDate": "2026-02-01T01:00:00Z",
        "status": "APPROVED",
        "billJobId": "job-1",
        "currencyConversions": [{"from": "EUR", "to": "GBP", "multiplier": Decimal("0.8543")}],
        "lastCalculatedDate": "2026-02-01T02:00:00Z",
        "lineItems": [LINE],
        "purchaseOrderNumber": "PO-3",
        "externalInvoiceReference": "INV-EXT",
        "externalInvoiceDate": "2026-02-02",
        "jsonStatementGenerated": True,
        "csvStatementGenerated": False,
        "statementStale": True,
        "billTotal": Decimal("13.57"),
        "sequentialInvoiceNumber": "INV-00017",
        "dtApproved": "2026-02-02T00:00:00Z",
        "approvedBy": "user-3",
        "dtLocked": "2026-02-03T00:00:00Z",
        "lockedBy": "user-4",
    },
}

_TYPES = {
    "Text": "string",
    "LongTextArea": "textarea",
    "Number": "double",
    "Percent": "percent",
    "Checkbox": "boolean",
    "Date": "date",
    "DateTime": "datetime",
}


def declared(namespace: str, naming: Naming | None = None) -> dict[str, Any]:
    """The targets of a namespace for the sandbox's control API (`org/declare`)."""
    every = targets.every(namespace, naming)
    return {each.object_name: _object(each) for each in every}


def _object(target: Target) -> dict[str, Any]:
    return {
        "label": target.label,
        "label_plural": target.plural,
        "fields": {each.name: _field(target, each) for each in target.fields},
    }


def _field(target: Target, field: TargetField) -> dict[str, Any]:
    if field.name == "Name":
        return {"type": "string", "length": field.length, "name_field": True}
    if field.type == "Lookup":
        children = f"{target.entity_type}s_{field.own_name}"
        return {
            "type": "reference",
            "to": [field.refers_to],
            "label": field.label,
            "relationship": field.relationship,
            "children": children,
        }
    facts: dict[str, Any] = {"type": _TYPES[field.type], "label": field.label}
    if field.length:
        facts["length"] = field.length
    if field.precision:
        facts |= {"precision": field.precision, "scale": field.scale}
    if field.is_external_id:
        facts |= {"external_id": True, "unique": True}
    return facts
