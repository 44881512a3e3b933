"""Every answer of every route of the emulated m3ter is what m3ter's own description says."""

import base64
import re
from collections.abc import AsyncIterator

import pytest

from connectors.sandbox.m3ter.application import application
from connectors.sandbox.m3ter.kinds import every_kind
from connectors.sandbox.m3ter.organization import Organization
from tests import m3ter_examples, openapi
from tests.m3ter_calls import Caller, serving

KINDS = sorted(m3ter_examples.EXAMPLES)


@pytest.fixture
async def caller() -> AsyncIterator[Caller]:
    description = openapi.load()
    organization = Organization()
    organization.behaviour.requests_per_second = None
    async with serving(organization) as url, Caller(url, organization, description) as calling:
        yield calling


def _prerequisites(organization: Organization, kind: str) -> m3ter_examples.Ids:
    ids: m3ter_examples.Ids = {}
    for name, body in m3ter_examples.EXAMPLES.items():
        if name == kind:
            break
        ids[name] = organization.create(name, body(ids))["id"]
    return ids


@pytest.mark.parametrize("kind", KINDS)
async def test_an_entity_is_answered_as_described_at_every_step_of_its_life(
    caller: Caller, kind: str
) -> None:
    body = m3ter_examples.EXAMPLES[kind](_prerequisites(caller.organization, kind))
    path = every_kind()[kind].path
    openapi.validate_request("POST", f"/organizations/o/{path}", "", body)

    created = await caller.post(path, body)
    assert caller.status == 200, created
    assert openapi.load().unknown_fields(f"{kind}Response", created) == set()
    for band in created.get("pricingBands", ()):
        assert openapi.load().unknown_fields("PricingBand", band) == set()
    assert (await caller.get(f"{path}/{created['id']}"))["version"] == 1
    assert [one["id"] for one in (await caller.get(path))["data"]] == [created["id"]]
    updated = await caller.put(f"{path}/{created['id']}", {**body, "version": 1})
    assert (caller.status, updated["version"]) == (200, 2)
    deleted = await caller.delete(f"{path}/{created['id']}")
    assert (caller.status, deleted) == (200, updated)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_refusal_is_a_message_and_nothing_else(caller: Caller, kind: str) -> None:
    path = every_kind()[kind].path
    for status, method, where, body in (
        (404, "GET", f"{path}/nothing", None),
        (404, "PUT", f"{path}/nothing", {"version": 1}),
        (404, "DELETE", f"{path}/nothing", None),
        (400, "POST", path, {}),
        (400, "GET", f"{path}?pageSize=201", None),
        (400, "GET", f"{path}?nextToken=nonsense", None),
    ):
        await caller.call(method, where, body)
        assert caller.status == status, (method, where)


async def _visit_documents(caller: Caller) -> None:
    for path, change in (
        ("customfields", {"account": {"salesforceId": "", "seats": 0}}),
        ("organizationconfig", {}),
    ):
        document = await caller.get(path)
        kept = {key: value for key, value in document.items() if key in every_kind_fields(path)}
        await caller.put(path, {**kept, **change, "version": document["version"]})
        assert caller.status == 200


def every_kind_fields(path: str) -> set[str]:
    return {name for kind in every_kind().values() if kind.path == path for name in kind.fields}


async def _visit_accounts(caller: Caller, ids: m3ter_examples.Ids) -> None:
    await caller.get("accounts/search", searchQuery="name~mül$currency:EUR", sortBy="name", sortOrder="ASC")
    await caller.get("commitments/search", searchQuery="startDate>=2026-01-01", pageSize=5)
    child = {
        "name": "Child",
        "code": "child",
        "emailAddress": "c@example.com",
        "parentAccountId": ids["Account"],
    }
    await caller.post("accounts", child)
    assert len((await caller.get(f"accounts/{ids['Account']}/children", pageSize=200))["data"]) == 1
    replacement = {"accountId": ids["Account"], "planId": ids["Plan"], "startDate": "2027-01-01T00:00:00Z"}
    await caller.post(f"accountplans/{ids['AccountPlan']}/replace", replacement)
    assert caller.status == 200
    for path in (f"contracts/{ids['Contract']}", f"accounts/{ids['Account']}"):
        every = ["CONTRACT", "ACCOUNTPLAN", "PREPAYMENT", "PRICINGS", "COUNTER_PRICINGS"]
        ending = {"endDate": "2026-12-01T00:00:00Z", "billingEntities": every, "applyToChildren": True}
        await caller.put(f"{path}/enddatebillingentities", ending)
        assert caller.status == 200


async def _visit_bills(caller: Caller, ids: m3ter_examples.Ids) -> None:
    bill = f"bills/{ids['Bill']}"
    for path in (
        "bills",
        "bills/search",
        f"bills/accountid/{ids['Account']}",
        "lineitems",
        f"{bill}/lineitems",
    ):
        assert len((await caller.get(path))["data"]) >= 1, path
    await caller.get(
        "bills", includeBillTotal="true", excludeLineItems="true", locked="false", status="PENDING"
    )
    await caller.get(f"bills/latest/{ids['Account']}")
    line = (await caller.get(f"{bill}/lineitems"))["data"][0]
    assert openapi.load().unknown_fields("BillLineItemResponse", line) == set()
    await caller.get(f"{bill}/lineitems/{line['id']}")
    whole = await caller.get(bill)
    assert openapi.load().unknown_fields("BillResponse", whole) == set()
    await caller.put(f"{bill}/status", {"status": "APPROVED"})
    await caller.post("bills/approve", {"billIds": [ids["Bill"]]})
    await caller.delete(bill)
    other = caller.organization.load("Bill", [m3ter_examples.bill(ids, status="APPROVED")])[0]
    await caller.put(f"bills/{other['id']}/lock")
    assert caller.status == 200


async def _visit_balances_and_mappings(caller: Caller, ids: m3ter_examples.Ids) -> None:
    path = f"balances/{ids['Balance']}/transactions"
    body = {"amount": 250, "transactionTypeId": ids["TransactionType"], "appliedDate": "2026-01-02T00:00:00Z"}
    transaction = await caller.post(path, body)
    assert openapi.load().unknown_fields("BalanceTransactionResponse", transaction) == set()
    await caller.get(path, entityType="SERVICE_USER")
    await caller.get(f"{path}/summary")
    await caller.get("externalmappings/externalid/Salesforce/Account/001S900000AbCdEIAV")
    await caller.get(f"externalmappings/external/Account/{ids['Account']}")
    await caller.get("externalmappingconfiguration")
    await caller.get("externalmappingconfiguration/values/SALESFORCE/Account")


async def _visit_events_and_users(caller: Caller) -> None:
    events = await caller.get("events", eventName="configuration.account.created")
    await caller.get(f"events/{events['data'][0]['id']}")
    await caller.get("events/types")
    await caller.get("events/fields", eventName="configuration.commitment.created")
    users = await caller.get("users")
    await caller.get(f"users/{users['data'][0]['id']}")
    await caller.get("users/me")


async def test_every_route_is_described_and_answers_as_described(caller: Caller) -> None:
    organization = caller.organization
    ids = m3ter_examples.create_all(organization)
    key = f"{organization.identity.api_key}:{organization.identity.api_secret}".encode()
    basic = {"Authorization": f"Basic {base64.b64encode(key).decode()}", "Content-Type": "application/json"}
    await caller.raw("POST", "/oauth/token", b'{"grant_type":"client_credentials"}', basic)
    await _visit_documents(caller)
    await _visit_balances_and_mappings(caller, ids)
    await _visit_events_and_users(caller)
    await _visit_bills(caller, ids)
    await _visit_accounts(caller, ids)

    plain = {every_kind()[kind].path for kind in KINDS}
    left = set()
    for route in application(organization).router.routes():
        template = route.resource.canonical if route.resource else ""
        if template.startswith("/sandbox/"):
            continue
        concrete = re.sub(r"\{[^}]+\}", "x", template)
        operation = openapi.load().operation(route.method if route.method != "HEAD" else "GET", concrete)
        is_plain = re.sub(r"^/organizations/[^/]+/|/x$", "", concrete) in plain
        if (operation.method, operation.template) not in caller.visited and not is_plain:
            left.add((operation.method, operation.template))
    assert left == set()


async def test_events_carry_the_entity_before_and_after(caller: Caller) -> None:
    account = await caller.post("accounts", m3ter_examples.EXAMPLES["Account"]({}))
    body = m3ter_examples.EXAMPLES["Account"]({}) | {"name": "Renamed", "version": 1}
    await caller.put(f"accounts/{account['id']}", body)
    await caller.delete(f"accounts/{account['id']}")

    events = (await caller.get("events", accountId=account["id"]))["data"]

    assert [event["eventName"].rpartition(".")[2] for event in events] == ["deleted", "updated", "created"]
    deleted, updated, created = (event["m3terEvent"]["eventData"] for event in events)
    assert "oldDto" not in created
    assert "newDto" not in deleted
    assert (updated["oldDto"]["name"], updated["newDto"]["name"]) == ("Müller & Söhne", "Renamed")
    assert created["newDto"]["orgId"] == caller.organization.identity.org_id
