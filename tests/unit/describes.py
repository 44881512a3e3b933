"""A small Salesforce org as its describe results, for tests that prove mappings."""

from typing import Any

# field -> "type:length", "type?" where it may be empty, or "-> Object as Relationship" ("!": never empty)
ORG: dict[str, dict[str, str]] = {
    "Account": {
        "Id": "id:18",
        "Name": "string:255",
        "Billing_Email__c": "email:80?",
        "BillingAddress": "address?",
        "BillingStreet": "textarea:255?",
        "BillingCity": "string:40?",
        "BillingState": "string:80?",
        "BillingPostalCode": "string:20?",
        "BillingCountry": "string:80?",
        "NumberOfEmployees": "int?",
    },
    "Opportunity": {
        "Id": "id:18",
        "AccountId": "-> Account as Account",
        "OwnerId": "-> User|Group as Owner",
        "Name": "string:120",
        "StageName": "picklist:255",
        "CloseDate": "date",
        "End_Date__c": "date?",
        "Amount": "currency?",
        "IsWon": "boolean",
        "m3ter_Do_Not_Sync_Commitment__c": "boolean",
    },
    "OpportunityLineItem": {
        "Id": "id:18",
        "OpportunityId": "-> Opportunity as Opportunity!",
        "PricebookEntryId": "-> PricebookEntry as PricebookEntry",
        "Name": "string:376",
        "UnitPrice": "currency",
        "m3ter_Do_Not_Sync_Plan__c": "boolean",
        "m3ter_Do_Not_Sync_Pricing__c": "boolean",
    },
    "PricebookEntry": {"Id": "id:18", "Product2Id": "-> Product2 as Product2"},
    "Product2": {"Id": "id:18", "Name": "string:255", "ProductCode": "string:255?"},
    "Order": {
        "Id": "id:18",
        "AccountId": "-> Account as Account",
        "OrderNumber": "string:30",
        "PoNumber": "string:80?",
        "Status": "picklist:255",
        "EffectiveDate": "date",
        "EndDate": "date?",
        "TotalAmount": "currency",
    },
    "OrderItem": {
        "Id": "id:18",
        "OrderId": "-> Order as Order!",
        "Product2Id": "-> Product2 as Product2",
        "ServiceDate": "date?",
        "EndDate": "date?",
        "UnitPrice": "currency?",
    },
    "User": {"Id": "id:18", "Alias": "string:8"},
}
CHILDREN = {
    "Opportunity": [("OpportunityLineItems", "OpportunityLineItem", "OpportunityId")],
    "Order": [("OrderItems", "OrderItem", "OrderId")],
}
STAMPS = {"LastModifiedDate": "datetime", "SystemModstamp": "datetime"}


def describes(*names: str) -> dict[str, Any]:
    """The describe results of these objects (all of them without names)."""
    return {name: _object(name) for name in names or ORG}


def _object(name: str) -> dict[str, Any]:
    children = [
        {"relationshipName": relationship, "childSObject": child, "field": field}
        for relationship, child, field in CHILDREN.get(name, [])
    ]
    fields = [_field(field, kind) for field, kind in {**ORG[name], **STAMPS}.items()]
    return {"name": name, "fields": fields, "childRelationships": children}


def _field(name: str, spec: str) -> dict[str, Any]:
    if spec.startswith("-> "):
        targets, _, relationship = spec.removeprefix("-> ").partition(" as ")
        return {
            "name": name,
            "type": "reference",
            "length": 18,
            "nillable": not relationship.endswith("!"),
            "referenceTo": targets.split("|"),
            "relationshipName": relationship.removesuffix("!"),
        }
    kind, _, length = spec.removesuffix("?").partition(":")
    return {
        "name": name,
        "type": kind,
        "length": int(length or 0),
        "nillable": spec.endswith("?"),
        "referenceTo": [],
        "relationshipName": None,
        "scale": 2 if kind == "currency" else 0,
    }
