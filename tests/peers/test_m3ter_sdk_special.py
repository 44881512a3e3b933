"""The official m3ter SDK on what is not plain create, read, update, delete."""

from collections.abc import AsyncIterator
from decimal import Decimal

import m3ter
import pytest

from connectors.sandbox.m3ter.organization import Organization
from tests import m3ter_examples
from tests.peers import m3ter_sdk
from tests.peers.m3ter_sdk import Sdk

Ids = m3ter_examples.Ids


@pytest.fixture
def organization() -> Organization:
    organization = Organization()
    organization.behaviour.requests_per_second = None
    return organization


@pytest.fixture
def ids(organization: Organization) -> Ids:
    return m3ter_examples.create_all(organization)


@pytest.fixture(params=m3ter_sdk.BOTH)
async def sdk(request: pytest.FixtureRequest, organization: Organization) -> AsyncIterator[Sdk]:
    async with m3ter_sdk.connected(organization, request.param) as client:
        yield client


async def test_accounts_are_searched_and_their_children_listed(sdk: Sdk, ids: Ids) -> None:
    child = {
        "name": "Child",
        "code": "child",
        "emailAddress": "c@example.com",
        "parentAccountId": ids["Account"],
    }
    made = await sdk.call("accounts", "create", **m3ter_sdk.arguments(child))

    found = await sdk.call("accounts", "search", search_query="name~müll")
    children = await sdk.pages("accounts", "list_children", ids["Account"])

    assert [one.id for one in found.data] == [ids["Account"]]
    assert [one.id for one in children] == [made.id]


async def test_ids_joined_by_commas_pick_entities(sdk: Sdk, organization: Organization) -> None:
    made = [organization.create("Product", {"name": "x", "code": f"x{number}"})["id"] for number in range(4)]

    listed = await sdk.pages("products", ids=[made[0], made[2]])

    assert [one.id for one in listed] == [made[2], made[0]]


async def test_bills_are_approved_and_locked(sdk: Sdk, ids: Ids) -> None:
    bill_id = ids["Bill"]
    with pytest.raises(m3ter.BadRequestError):
        await sdk.call("bills", "lock", bill_id)

    await sdk.call("bills", "approve", bill_ids=[bill_id])
    locked = await sdk.call("bills", "lock", bill_id)
    latest = await sdk.call("bills", "latest_by_account", ids["Account"])
    [listed] = await sdk.pages("bills", include_bill_total=True, exclude_line_items=True)
    lines = await sdk.pages("bills.line_items", "list", bill_id)

    assert (locked.status, locked.locked, latest.id) == ("APPROVED", True, bill_id)
    assert (listed.bill_total, listed.line_items) == (101.33, None)
    assert len(lines) == 2


async def test_transactions_make_up_a_balance(sdk: Sdk, organization: Organization, ids: Ids) -> None:
    balance_id, kind = ids["Balance"], ids["TransactionType"]
    for amount in (500.25, -120.5):
        await sdk.call("balances.transactions", "create", balance_id, amount=amount, transaction_type_id=kind)

    balance = await sdk.call("balances", "retrieve", balance_id)
    listed = await sdk.pages("balances.transactions", "list", balance_id)
    summary = await sdk.call("balances.transactions", "summary", balance_id)

    assert (balance.amount, balance.version) == (379.75, 3)
    assert [one.amount for one in listed] == [-120.5, 500.25]
    assert (summary.total_credit_amount, summary.total_debit_amount) == (500.25, 120.5)
    assert organization.get("Balance", balance_id)["amount"] == Decimal("379.75")


async def test_external_mappings_are_found_from_both_sides(sdk: Sdk, ids: Ids) -> None:
    outside = await sdk.pages(
        "external_mappings",
        "list_by_external_entity",
        "001S900000AbCdEIAV",
        system="Salesforce",
        external_table="Account",
    )
    inside = await sdk.pages("external_mappings", "list_by_m3ter_entity", ids["Account"], entity="Account")

    assert [one.id for one in outside] == [one.id for one in inside] == [ids["ExternalMapping"]]


async def test_billing_entities_are_ended_all_at_once(sdk: Sdk, organization: Organization, ids: Ids) -> None:
    answer = await sdk.call(
        "accounts",
        "end_date_billing_entities",
        ids["Account"],
        billing_entities=["CONTRACT", "ACCOUNTPLAN", "PREPAYMENT", "PRICINGS"],
        end_date="2026-12-01T00:00:00Z",
    )

    assert answer.status_message == "4 billing entities updated"
    ends = [organization.get(kind, ids[kind])["endDate"] for kind in ("Contract", "Commitment")]
    assert ends == ["2026-12-01", "2026-12-01"]
    assert organization.get("AccountPlan", ids["AccountPlan"])["endDate"] == "2026-12-01T00:00:00Z"
    assert organization.get("Pricing", ids["Pricing"])["endDate"] == "2026-12-01T00:00:00Z"


async def test_documents_users_and_events_are_read(sdk: Sdk, organization: Organization, ids: Ids) -> None:
    fields = await sdk.call("custom_fields", "retrieve")
    await sdk.call(
        "custom_fields", "update", account={"salesforceId": "", "seats": 0}, version=fields.version
    )
    config = await sdk.call("organization_config", "retrieve")
    me = await sdk.call("users", "me")
    users = await sdk.pages("users")
    types = await sdk.call("events", "get_types")
    [event] = await sdk.pages(
        "events", event_name="configuration.account.created", resource_id=ids["Account"]
    )

    assert organization.store.documents["CustomField"]["account"] == {"salesforceId": "", "seats": 0}
    assert config.currency == "USD"
    assert me.service_user.id == organization.identity.service_user_id
    assert len(users) == 2
    assert event.event_name in types.events


async def test_errors_carry_the_message(sdk: Sdk, ids: Ids) -> None:
    with pytest.raises(m3ter.NotFoundError) as missing:
        await sdk.call("accounts", "retrieve", "nobody")
    body = m3ter_sdk.arguments(m3ter_examples.EXAMPLES["Account"](ids))
    with pytest.raises(m3ter.BadRequestError) as stale:
        await sdk.call("accounts", "update", ids["Account"], **body, version=7)

    assert missing.value.body == {"message": "Account with id nobody not found"}
    assert stale.value.body == {"message": f"Account {ids['Account']} has version 1, not 7"}
