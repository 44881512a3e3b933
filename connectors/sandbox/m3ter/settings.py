"""Behaviour that is not documented or can be switched off, and what a new organization starts with."""

from dataclasses import dataclass
from typing import Any


@dataclass(slots=True, kw_only=True)
class Behaviour:
    """May be changed while the sandbox runs.

    `stale_version_status` is inferred: m3ter documents that `version` is checked but not with which status
    a stale one is refused (409 and 412 are not among its documented codes). So is `refuses_unknown_fields`.
    """

    stale_version_status: int = 400
    refuses_unknown_fields: bool = True
    requests_per_second: int | None = 50
    has_firewall: bool = True
    default_page_size: int = 20  # not documented for lists
    largest_answer: int | None = None  # bytes of a list's page: 413 is documented, from what size on is not
    empty_page_every: int = 0  # every nth list page is empty and goes on; 0: only where a filter empties one


PEOPLE = (
    ("Robin", "Okafor", "robin.okafor@sandbox.example"),
    ("Ines", "Carvalho", "ines.carvalho@sandbox.example"),
)
_MAPPED_ENTITIES = [
    "Account",
    "AccountPlan",
    "Aggregation",
    "Balance",
    "Bill",
    "Commitment",
    "CompoundAggregation",
    "Contract",
    "Meter",
    "Plan",
    "PlanTemplate",
    "Pricing",
    "Product",
]
_SALESFORCE_TABLES = [
    "Account",
    "Contract",
    "Opportunity",
    "OpportunityLineItem",
    "Order",
    "OrderItem",
    "Product2",
]


def external_mapping_configuration() -> dict[str, Any]:
    """Which m3ter entities may be mapped to which tables of which systems."""
    return {
        "m3terEntities": list(_MAPPED_ENTITIES),
        "externalSystems": [
            {"name": "Salesforce", "tables": list(_SALESFORCE_TABLES), "allowCustomExternalTables": True},
            {"name": "Stripe", "tables": ["Customer", "Invoice"], "allowCustomExternalTables": False},
            {
                "name": "Netsuite",
                "tables": ["Customer", "Invoice", "Item"],
                "allowCustomExternalTables": False,
            },
        ],
    }


def organization_config() -> dict[str, Any]:
    """An organization's configuration with the documented defaults."""
    return {
        "timezone": "UTC",
        "yearEpoch": "2022-01-01",
        "monthEpoch": "2022-01-01",
        "weekEpoch": "2022-01-04",
        "dayEpoch": "2022-01-01",
        "currency": "USD",
        "currencyConversions": [],
        "daysBeforeBillDue": 30,
        "autoGenerateStatementMode": "NONE",
        "allowOverlappingPlans": False,
    }
