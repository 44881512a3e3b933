"""What Salesforce must hold of m3ter, read off the two emulated systems alone, in words of its own."""

from collections.abc import Collection, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from connectors.sandbox.m3ter.organization import Organization
from connectors.sandbox.salesforce.records import Org

# A type of entity and an m3ter id.
Key = tuple[str, str]
Facts = dict[str, Any]

TYPES = ("Account", "Contract", "Commitment", "Balance", "Bill")
PARENTS = {"m3ter_Account__c", "m3ter_Contract__c", "m3ter_Parent_Account__c"}
MARK = "m3ter_Deleted_At__c"
# What a record says beyond what any write of m3sync does: it may differ between two writes of the same.
OF_SALESFORCE = {"LastModifiedDate", "SystemModstamp", "LastModifiedById"}


def expected(organization: Organization, denied: Collection[str]) -> dict[Key, Facts]:
    """Each entity of m3ter whose account is not denied, as its record must say it."""
    found: dict[Key, Facts] = {}
    for kind in TYPES:
        for entity in organization.all(kind):
            whose = entity["id"] if kind == "Account" else entity["accountId"]
            if whose not in denied:
                found[kind, entity["id"]] = _SAID[kind](entity, denied) | _always(entity)
    return found


def plain(org: Org, kind: str, row: Mapping[str, Any]) -> Facts:
    """A record in the oracle's terms: parents by their m3ter ids, empty fields left out."""
    said = {name: row.get(name) for name in _NAMES[kind]}
    for name in PARENTS & said.keys():
        parent = org.row(said[name]) if said[name] else None
        said[name] = parent.get("m3ter_Id__c") if parent else None
    return _filled(said)


def table(kind: str) -> str:
    """The custom object of an entity type."""
    return f"m3ter_{kind}__c"


def _always(entity: Facts) -> Facts:
    return {"m3ter_Id__c": entity["id"], "m3ter_Version__c": Decimal(entity["version"])}


def _account(entity: Facts, denied: Collection[str]) -> Facts:
    parent = entity.get("parentAccountId")
    return _filled(
        {
            "Name": entity["name"],
            "Code__c": entity["code"],
            "Email__c": entity["emailAddress"],
            "m3ter_Parent_Account__c": None if parent in denied else parent,
        }
    )


def _contract(entity: Facts, _denied: Collection[str]) -> Facts:
    return _filled(
        {
            "Name": entity["name"],
            "m3ter_Account__c": entity["accountId"],
            "Start_Date__c": entity["startDate"],
            "End_Date__c": entity["endDate"],
            "Last_Day__c": _day_before(entity["endDate"]),
        }
    )


def _commitment(entity: Facts, _denied: Collection[str]) -> Facts:
    return _filled(
        {
            "m3ter_Account__c": entity["accountId"],
            "m3ter_Contract__c": entity["contractId"],
            "Amount__c": Decimal(entity["amount"]),
            "Currency__c": entity["currency"],
            "Last_Day__c": _day_before(entity["endDate"]),
        }
    )


def _balance(entity: Facts, _denied: Collection[str]) -> Facts:
    ends = datetime.fromisoformat(entity["endDate"]).astimezone(UTC)
    return _filled(
        {
            "m3ter_Account__c": entity["accountId"],
            "m3ter_Contract__c": entity.get("contractId"),
            "Amount__c": Decimal(entity["amount"]),
            "Last_Day__c": (ends - timedelta(seconds=1)).date().isoformat(),
        }
    )


def _bill(entity: Facts, _denied: Collection[str]) -> Facts:
    lines = entity["lineItems"]
    return _filled(
        {
            "m3ter_Account__c": entity["accountId"],
            "Account_Code__c": entity["accountCode"],
            "Total__c": sum((line["convertedSubtotal"] for line in lines), Decimal(0)),
            "Line_Count__c": Decimal(len(lines)),
            "Start_Date__c": entity["startDate"],
            "Last_Day__c": _day_before(entity["endDate"]),
        }
    )


def _filled(said: Facts) -> Facts:
    return {name: value for name, value in said.items() if value is not None}


def _day_before(day: str) -> str:
    return (date.fromisoformat(day) - timedelta(days=1)).isoformat()


_SAID = {
    "Account": _account,
    "Contract": _contract,
    "Commitment": _commitment,
    "Balance": _balance,
    "Bill": _bill,
}
_NAMES: dict[str, set[str]] = {
    "Account": {"Name", "Code__c", "Email__c", "m3ter_Parent_Account__c"},
    "Contract": {"Name", "m3ter_Account__c", "Start_Date__c", "End_Date__c", "Last_Day__c"},
    "Commitment": {"m3ter_Account__c", "m3ter_Contract__c", "Amount__c", "Currency__c", "Last_Day__c"},
    "Balance": {"m3ter_Account__c", "m3ter_Contract__c", "Amount__c", "Last_Day__c"},
    "Bill": {
        *("m3ter_Account__c", "Account_Code__c", "Total__c"),
        *("Line_Count__c", "Start_Date__c", "Last_Day__c"),
    },
}
for _names in _NAMES.values():
    _names |= {"m3ter_Id__c", "m3ter_Version__c"}
