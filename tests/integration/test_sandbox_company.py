"""The demo company: the same products in both systems, agreements to sync, and nothing synced yet."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from connectors.sandbox import serving
from tests.bayeux import client_of
from tests.sandboxes import LocalSandbox, local_sandbox


@pytest.fixture
async def crowd() -> AsyncIterator[LocalSandbox]:
    async with local_sandbox(serving.Options(scale=250)) as running:
        yield running


async def test_both_systems_know_the_products_by_the_same_codes(sandbox: LocalSandbox) -> None:
    org, organization = sandbox.running.org, sandbox.running.organization
    codes = {row["ProductCode"] for row in org.table("Product2").live()}
    assert "API_CALLS" in codes
    for kind in ("Product", "PlanTemplate", "Aggregation"):
        assert {entity["code"] for entity in organization.all(kind)} == codes


async def test_m3ter_has_no_customers_yet_and_permits_salesforce_mappings(sandbox: LocalSandbox) -> None:
    organization = sandbox.running.organization
    assert set(organization.counts()) == {"Product", "PlanTemplate", "Meter", "Aggregation"}
    systems = organization.store.documents["ExternalMappingConfiguration"]["externalSystems"]
    assert "Salesforce" in {system["name"] for system in systems}


async def test_agreements_are_in_several_stages_each_with_priced_lines(sandbox: LocalSandbox) -> None:
    org = sandbox.running.org
    opportunities = list(org.table("Opportunity").live())
    stages = [row["StageName"] for row in opportunities]
    assert 10 <= len(opportunities) <= 15
    assert stages.count("Closed Won") >= 3
    assert stages.count("Negotiation/Review") >= 3
    for row in opportunities:
        check_agreement(sandbox, row)


def check_agreement(sandbox: LocalSandbox, opportunity: Mapping[str, Any]) -> None:
    table = sandbox.running.org.table("OpportunityLineItem")
    lines = [table.rows[line] for line in table.find("OpportunityId", opportunity["Id"]) or ()]
    assert lines
    assert opportunity["Amount"] == sum(line["TotalPrice"] for line in lines)
    assert opportunity["End_Date__c"] > opportunity["CloseDate"]


async def test_most_accounts_can_be_billed_and_one_lacks_its_email(sandbox: LocalSandbox) -> None:
    accounts = list(sandbox.running.org.table("Account").live())
    assert len(accounts) == 8
    assert [row["Name"] for row in accounts if not row.get("Billing_Email__c")] == ["Pinecone Analytics"]
    assert all(row["BillingCountry"] for row in accounts)


async def test_there_is_an_order_with_items(sandbox: LocalSandbox) -> None:
    org = sandbox.running.org
    [order] = org.table("Order").live()
    assert len(org.table("OrderItem").find("OrderId", order["Id"]) or ()) == 2


async def test_the_company_was_there_before_the_stream(sandbox: LocalSandbox) -> None:
    async with client_of(sandbox) as client:
        await client.handshake()
        await client.subscribe("/data/ChangeEvents", -2)
        assert await client.events() == []


async def test_an_empty_sandbox_has_no_company_but_its_custom_fields(empty_sandbox: LocalSandbox) -> None:
    org, organization = empty_sandbox.running.org, empty_sandbox.running.organization
    assert organization.counts() == {}
    assert list(org.table("Account").live()) == []
    account = org.schema.find("Account")
    assert account is not None
    assert account.find("Billing_Email__c") is not None


async def test_a_company_of_any_size_is_the_same_each_time(crowd: LocalSandbox) -> None:
    first = crowd.running.org
    async with local_sandbox(serving.Options(scale=250)) as again:
        second = again.running.org
        for name in ("Account", "Opportunity", "OpportunityLineItem"):
            one, two = first.table(name).rows, second.table(name).rows
            assert list(one) == list(two)
            assert [row.get("Name") for row in one.values()] == [row.get("Name") for row in two.values()]
    assert len(first.table("Account").rows) == len(first.table("Opportunity").rows) == 250
    assert len(first.table("OpportunityLineItem").rows) == 500
    for opportunity in first.table("Opportunity").live():
        check_agreement(crowd, opportunity)
