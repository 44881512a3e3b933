"""A large m3ter organization, bills and balances made for tests, and the events of the five entity types."""

import base64
import time
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import aiohttp
import pytest

from connectors import wire
from connectors.sandbox import serving
from connectors.sandbox.m3ter import billing, crowd
from connectors.sandbox.m3ter.organization import Organization
from connectors.sandbox.m3ter.refusals import RefusedError
from connectors.sandbox.m3ter.settings import Behaviour
from tests.sandboxes import LocalSandbox

KINDS = ("Account", "Contract", "Commitment", "Balance", "Bill")


@pytest.fixture
def large() -> Organization:
    organization = Organization(behaviour=Behaviour(refuses_unknown_fields=False))
    crowd.load(organization, 100_000)
    return organization


class Client:
    """Plain requests to a sandbox's m3ter."""

    def __init__(self, running: serving.Running, session: aiohttp.ClientSession) -> None:
        self.organization = running.organization
        self.organization.behaviour.requests_per_second = None
        self.session = session
        login = running.m3ter
        self.base = f"{login['url']}/organizations/{login['org_id']}"
        self.login = login
        self.headers: dict[str, str] = {}

    async def log_in(self) -> None:
        basic = base64.b64encode(f"{self.login['api_key']}:{self.login['api_secret']}".encode()).decode()
        auth = {"Authorization": f"Basic {basic}"}
        body = {"grant_type": "client_credentials"}
        async with self.session.post(f"{self.login['url']}/oauth/token", json=body, headers=auth) as response:
            token = (await response.json())["access_token"]
        self.headers = {"Authorization": f"Bearer {token}"}

    async def get(self, path: str, **query: str) -> Any:
        url = f"{self.base}/{path}"
        async with self.session.get(url, params=query, headers=self.headers) as response:
            assert response.status == 200, await response.text()
            return wire.loads(await response.read())


@pytest.fixture
async def client(empty_sandbox: LocalSandbox) -> AsyncIterator[Client]:
    crowd.load(empty_sandbox.running.organization, 100_000)
    async with aiohttp.ClientSession() as session:
        made = Client(empty_sandbox.running, session)
        await made.log_in()
        yield made


async def test_every_page_of_a_hundred_thousand_is_read_in_its_own_time(client: Client) -> None:
    seen: set[str] = set()
    token, began = "", time.perf_counter()
    while True:
        query = {"pageSize": "100", "includeBillTotal": "true"} | ({"nextToken": token} if token else {})
        page = await client.get("bills", **query)
        seen.update(bill["id"] for bill in page["data"])
        if len(seen) >= 5_000 or not (token := page.get("nextToken", "")):
            break
    assert len(seen) == 5_000
    assert time.perf_counter() - began < 30, "a page must not cost more the more entities there are"
    assert client.organization.counts() == {kind: 300_000 if kind == "Bill" else 100_000 for kind in KINDS}


async def test_the_crowd_is_found_by_account_code_and_id(client: Client) -> None:
    account = (await client.get("accounts", codes="crowd-77777"))["data"][0]
    for path, expected in (("contracts", 1), ("commitments", 1), ("balances", 1), ("bills", 3)):
        found = (await client.get(path, accountId=account["id"]))["data"]
        assert len(found) == expected
        assert {one["accountId"] for one in found} == {account["id"]}
        assert (await client.get(path, ids=found[0]["id"]))["data"] == found[:1]
    bill = await client.get(f"bills/{found[0]['id']}")
    assert bill["billTotal"] == sum(line["convertedSubtotal"] for line in bill["lineItems"])
    assert isinstance(bill["billTotal"], Decimal)
    pending = await client.get("bills", status="PENDING", pageSize="100")
    assert {bill["status"] for bill in pending["data"]} == {"PENDING"}
    contract = client.organization.get("Contract", found[0]["accountId"].replace("00000001", "00000002", 1))
    assert contract["startDate"] < contract["endDate"]


def test_one_of_the_crowd_is_changed_and_deleted_as_any_other(large: Organization) -> None:
    balance_id = crowd.entity_id("Balance", 5)
    body = large.get("Balance", balance_id)
    changed = large.replace("Balance", balance_id, {**body, "name": "Renamed"})
    assert (changed["name"], changed["version"]) == ("Renamed", 2)
    assert large.get("Balance", balance_id) == changed
    table = large.store.tables["Balance"]
    assert (len(table), table.having("accountId", body["accountId"])[0]["name"]) == (100_000, "Renamed")
    large.delete("Balance", balance_id)
    large.delete("Bill", crowd.entity_id("Bill", 7))
    assert (len(table), table.get(balance_id), table.having("accountId", body["accountId"])) == (
        99_999,
        None,
        [],
    )
    assert len(large.store.tables["Bill"]) == 299_999
    with pytest.raises(RefusedError, match="in use"):
        large.delete("Account", crowd.entity_id("Account", 0))
    with pytest.raises(RefusedError, match="already exists"):
        large.create("Account", {"name": "n", "code": "crowd-1", "emailAddress": "a@b.example"})
    made = large.create("Account", {"name": "n", "code": "own", "emailAddress": "a@b.example"})
    assert large.all("Account")[0] == made


def test_each_write_of_the_five_types_is_told() -> None:
    organization = Organization(behaviour=Behaviour(refuses_unknown_fields=False))
    account = organization.create("Account", {"name": "n", "code": "c", "emailAddress": "a@b.example"})
    term = {"accountId": account["id"], "startDate": "2026-01-01", "endDate": "2027-01-01"}
    contract = organization.create("Contract", {"name": "n", **term})
    money = {"currency": "USD", "amount": 5}
    commitment = organization.create("Commitment", {**term, **money})
    balance = billing.balance(organization, account["id"], "20.25")
    bill = billing.bill(organization, account["id"], [billing.line("Calls", "1.25")])
    assert billing.rebill(organization, bill["id"], [billing.line("Calls", "2.50")])["version"] == 2
    assert billing.credit(organization, balance["id"], "-0.25")["amount"] == Decimal("20.00")
    for kind, entity in (("Account", account), ("Contract", contract), ("Commitment", commitment)):
        organization.replace(kind, entity["id"], {**organization.get(kind, entity["id"]), "name": "new"})
    organization.replace("Balance", balance["id"], organization.get("Balance", balance["id"]))
    for kind, entity in (
        ("Bill", bill),
        ("Balance", balance),
        ("Commitment", commitment),
        ("Contract", contract),
        ("Account", account),
    ):
        organization.delete(kind, entity["id"])
    told = {event["eventName"] for _, event in organization.events.newest_first()}
    names = ("billing.bill", "billing.balance", "configuration.account", "configuration.contract")
    every = {
        f"{name}.{done}"
        for name in (*names, "configuration.commitment")
        for done in ("created", "updated", "deleted")
    }
    assert every <= told
    assert told - every == {"billing.balanceamount.updated"}


async def test_bills_and_balances_are_made_over_the_control_api(empty_sandbox: LocalSandbox) -> None:
    control = empty_sandbox.m3ter_control
    body = {"name": "n", "code": "c", "emailAddress": "a@b.example", "currency": "EUR"}
    account_id = (await control.call("POST", "create", {"kind": "Account", "body": body}))["entity"]["id"]
    lines = [{"description": "Calls", "amount": "1.10"}, {"description": "Seats", "amount": "2.20"}]
    asked = {"accountId": account_id, "lines": lines, "status": "APPROVED"}
    bill = (await control.call("POST", "bill", asked))["entity"]
    assert (bill["currency"], bill["status"], len(bill["lineItems"])) == ("EUR", "APPROVED", 2)
    balance = (await control.call("POST", "balance", {"accountId": account_id, "amount": "7.5"}))["entity"]
    assert balance["amount"] == Decimal("7.5")
    change = {"kind": "Bill", "id": bill["id"], "changes": {"status": "PENDING"}}
    assert (await control.call("POST", "change", change))["entity"]["version"] == 2
    await control.call("POST", "delete", {"kind": "Bill", "id": bill["id"]})
    assert "Bill" not in empty_sandbox.running.organization.counts()


async def test_the_sandbox_starts_with_a_large_organization() -> None:
    began = time.perf_counter()
    async with serving.serve(serving.Options(empty=True, m3ter_scale=100_000)) as running:
        assert time.perf_counter() - began < 15
        assert running.organization.counts()["Bill"] == 300_000
