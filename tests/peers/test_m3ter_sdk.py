"""The official m3ter SDK lists, creates, updates and pages through every entity of the sandbox."""

from collections.abc import AsyncIterator

import pytest

from connectors.sandbox.m3ter.organization import Organization
from tests import m3ter_examples
from tests.peers import m3ter_sdk

RESOURCES = {
    "Product": "products",
    "Meter": "meters",
    "Aggregation": "aggregations",
    "CompoundAggregation": "compound_aggregations",
    "PlanTemplate": "plan_templates",
    "TransactionType": "transaction_types",
    "Currency": "currencies",
    "Account": "accounts",
    "Contract": "contracts",
    "Commitment": "commitments",
    "Plan": "plans",
    "Pricing": "pricings",
    "AccountPlan": "account_plans",
    "Balance": "balances",
    "ExternalMapping": "external_mappings",
}


@pytest.fixture
def organization() -> Organization:
    organization = Organization()
    organization.behaviour.requests_per_second = None
    return organization


@pytest.fixture(params=m3ter_sdk.BOTH)
async def sdk(request: pytest.FixtureRequest, organization: Organization) -> AsyncIterator[m3ter_sdk.Sdk]:
    async with m3ter_sdk.connected(organization, request.param) as client:
        yield client


@pytest.mark.parametrize("kind", list(RESOURCES))
async def test_the_sdk_creates_reads_updates_and_deletes(
    sdk: m3ter_sdk.Sdk, organization: Organization, kind: str
) -> None:
    ids: m3ter_examples.Ids = {}
    for name, body in m3ter_examples.EXAMPLES.items():
        if name == kind:
            break
        ids[name] = organization.create(name, body(ids))["id"]
    resource, fields = RESOURCES[kind], m3ter_sdk.arguments(m3ter_examples.EXAMPLES[kind](ids))

    created = await sdk.call(resource, "create", **fields)
    read = await sdk.call(resource, "retrieve", created.id)
    updated = await sdk.call(resource, "update", created.id, **fields, version=read.version)
    listed = await sdk.pages(resource)
    deleted = await sdk.call(resource, "delete", created.id)

    assert (created.version, read.id, updated.version) == (1, created.id, 2)
    assert [one.id for one in listed] == [created.id]
    assert deleted.id == created.id
    assert organization.all(kind) == []
    known = {field.alias or name for name, field in type(read).model_fields.items()}
    assert set(read.to_dict()) <= known


@pytest.mark.parametrize("kind", [*RESOURCES, "Bill", "Event"])
async def test_the_sdk_pages_through_all_entities(
    sdk: m3ter_sdk.Sdk, organization: Organization, kind: str
) -> None:
    wanted = _many(organization, kind, 23)
    resource = {**RESOURCES, "Bill": "bills", "Event": "events"}[kind]
    # account plans come only as far as they are active, unless one asks for all of an account's
    query = (
        {"account": organization.all("Account")[0]["id"], "includeall": True} if kind == "AccountPlan" else {}
    )

    listed = await sdk.pages(resource, "list", page_size=5, **query)

    assert [one.id for one in listed] == wanted


def _many(organization: Organization, kind: str, count: int) -> list[str]:
    """Ids, newest first, of `count` entities that differ in nothing but their ids and codes."""
    if kind == "Event":
        for number in range(count):
            organization.create("Product", {"name": "x", "code": f"x{number}"})
        return [event["id"] for _, event in organization.events.newest_first()]
    ids = m3ter_examples.create_all(organization)
    body = m3ter_examples.bill(ids) if kind == "Bill" else m3ter_examples.EXAMPLES[kind](ids)
    rows = [{**body, **({"code": f"code{number}"} if "code" in body else {})} for number in range(count - 1)]
    organization.load(kind, rows)
    return [one["id"] for one in organization.all(kind)]
