"""The emulated m3ter's own data (fields, limits, filters, page sizes) says what m3ter's description says."""

from collections.abc import Mapping
from typing import Any

import pytest

from connectors.sandbox.m3ter.kinds import Field, Kind, every_kind
from tests import openapi

LISTED = [kind for kind in every_kind().values() if "list" in kind.operations or kind.name == "Bill"]
WRITTEN = [kind for kind in every_kind().values() if kind.name != "Bill"]
# Filters that are no plain comparison of one field (filters.py), and flags that change how a list looks.
SPECIAL = {
    "AccountPlan": {"date", "includeall"},
    "Commitment": {"date", "endDateStart", "endDateEnd"},
    "Pricing": {"date"},
    "Balance": {"contract", "contractId", "endDateStart", "endDateEnd"},
    "Currency": {"archived"},
    "TransactionType": {"archived"},
    "Bill": {
        "locked",
        "billDateStart",
        "billDateEnd",
        "externalInvoiceDateStart",
        "externalInvoiceDateEnd",
        "excludeLineItems",
        "includeBillTotal",
        "additional",
    },
}
# An enumeration in the answers where the requests only say string: the answers decide what may be written.
NARROWER = {
    ("OrganizationConfig", "autoApproveBillsGracePeriodUnit"),
    ("OrganizationConfig", "externalInvoiceDate"),
}
TYPES = {"string", "code", "name", "date", "date-time", "email"}


@pytest.mark.parametrize("kind", WRITTEN, ids=lambda kind: kind.name)
def test_the_fields_of_a_request_are_the_described_ones(kind: Kind) -> None:
    described = openapi.load().fields(f"{kind.name}Request")
    del described["version"]
    assert set(kind.fields) == set(described)
    for name, field in kind.fields.items():
        assert field.is_required == described[name]["is_required"], name
        if (kind.name, name) not in NARROWER:
            assert facts_of(field) == facts_in(described[name]), name


def facts_of(field: Field) -> dict[str, Any]:
    """A field's type and limits in the description's terms; patterns apart."""
    kept = {"least": field.least, "most": field.most, "above": field.above}
    facts: dict[str, Any] = {key: int(value) for key, value in kept.items() if value is not None}
    facts["type"] = "string" if field.type in TYPES else field.type
    facts["format"] = field.type if field.type in ("date", "date-time", "email") else ""
    facts["one_of"] = field.one_of
    if field.items is not None:
        facts["items"] = facts_of(field.items)
    if field.parts is not None:
        facts["parts"] = {
            name: facts_of(part) | {"required": part.is_required} for name, part in field.parts.items()
        }
    return facts


def facts_in(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The same of a described field."""
    kind = schema.get("type", "object")
    facts: dict[str, Any] = {
        "type": {"array": "list"}.get(kind, kind),
        "one_of": tuple(schema.get("enum", ())),
    }
    shape = schema.get("format", "")
    facts["format"] = shape if shape in ("date", "date-time", "email") else ""
    for name in ("minLength", "minItems"):
        facts |= {"least": schema[name]} if name in schema else {}
    for name in ("maxLength", "maxItems", "maximum"):
        facts |= {"most": schema[name]} if name in schema else {}
    if "minimum" in schema:
        facts["above" if schema.get("exclusiveMinimum") else "least"] = schema["minimum"]
    if "items" in schema:
        facts["items"] = facts_in(schema["items"])
    values = schema.get("additionalProperties")
    if isinstance(values, dict):
        facts["type"] = "custom" if "anyOf" in values else "map"
    elif facts["type"] == "object":
        facts["parts"] = _parts(schema)
    return facts


def _parts(schema: Mapping[str, Any]) -> dict[str, Any]:
    description = openapi.load()
    return {
        name: facts_in(part) | {"required": part["is_required"]}
        for name, part in description.fields_of(schema).items()
    }


@pytest.mark.parametrize("kind", LISTED, ids=lambda kind: kind.name)
def test_a_list_takes_the_described_filters_and_page_size(kind: Kind) -> None:
    operation = openapi.load().operation("GET", f"/organizations/o/{kind.path}")
    described = {one["name"]: one for one in operation.body["parameters"] if one["in"] == "query"}
    assert described.pop("pageSize")["schema"]["maximum"] == kind.page_size
    del described["nextToken"]
    assert set(kind.lists) | set(kind.equals) | SPECIAL.get(kind.name, set()) == set(described)
    for name in kind.lists:
        assert described[name]["schema"]["type"] == "array", name
