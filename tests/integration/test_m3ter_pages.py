"""m3ter's lists page by page, taken up again where another process left them, and its events."""

from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from connectors.errors import RejectedError, TooLargeError, TransientError
from connectors.exchange import Limits
from connectors.m3ter import rest
from connectors.m3ter.models import EntityKind, M3terCredential
from connectors.m3ter.rest import Entity, M3ter
from tests import openapi
from tests.integration import fake_server
from tests.integration.fake_server import FakeServer
from tests.sandboxes import LocalSandbox

QUICK = Limits(attempts=2, first_wait=timedelta(milliseconds=1))
BILLS = "/organizations/org-1/bills"
ACCOUNTS = "/organizations/org-1/accounts"
EVENTS = "/organizations/org-1/events"
ACCOUNT: Entity = {"name": "Acme", "emailAddress": "billing@acme.example"}


@pytest.fixture
async def m3ter(empty_sandbox: LocalSandbox) -> AsyncIterator[M3ter]:
    async with rest.open(M3terCredential(**empty_sandbox.m3ter)) as opened:
        yield opened


def scripted(fake: FakeServer, limits: Limits = QUICK) -> Any:
    fake.on("POST", "/oauth/token", fake_server.json({"access_token": "t", "expires_in": 18_000}))
    values = {"url": fake.url, "org_id": "org-1", "api_key": "key", "api_secret": "s"}
    return rest.open(M3terCredential.model_validate(values), limits=limits)


async def load(sandbox: LocalSandbox, kind: str, rows: list[Entity]) -> list[str]:
    ids: list[str] = (await sandbox.m3ter_control.call("POST", "load", {"kind": kind, "rows": rows}))["ids"]
    return ids


async def test_a_list_is_taken_up_by_a_client_that_has_only_the_token(
    m3ter: M3ter, empty_sandbox: LocalSandbox
) -> None:
    ids = await load(empty_sandbox, "Account", [{**ACCOUNT, "code": f"a{n}"} for n in range(250)])
    first = await m3ter.page(EntityKind.ACCOUNT)
    assert (len(first.entities), bool(first.next_token)) == (100, True)
    async with rest.open(M3terCredential(**empty_sandbox.m3ter)) as another:
        second = await another.page(EntityKind.ACCOUNT, first.next_token)
        third = await another.page(EntityKind.ACCOUNT, second.next_token)
    assert third.next_token is None
    read = [each["id"] for page in (first, second, third) for each in page.entities]
    assert sorted(read) == sorted(ids)
    found = await m3ter.page(EntityKind.ACCOUNT, ids=[ids[7], ids[3]])
    assert {each["id"] for each in found.entities} == {ids[7], ids[3]}


async def test_an_empty_page_may_lead_on_and_a_circle_does_not_go_unnoticed() -> None:
    async with fake_server.serving() as fake, scripted(fake) as m3ter:
        fake.on("GET", BILLS, fake_server.json({"data": [], "nextToken": "t1"}))
        page = await m3ter.page(EntityKind.BILL)
        assert (page.entities, page.next_token) == ((), "t1")
        with pytest.raises(RejectedError, match="circle"):
            await m3ter.page(EntityKind.BILL, "t1")
        fake.on("GET", BILLS, fake_server.json({"nextToken": "t1"}))
        with pytest.raises(TransientError, match="without its data"):
            await m3ter.page(EntityKind.BILL)


async def test_bills_come_whole_with_exact_money_unless_asked_otherwise() -> None:
    bill = {"id": "b", "billTotal": Decimal("10.10"), "lineItems": [{"subtotal": Decimal("0.1")}]}
    async with fake_server.serving() as fake, scripted(fake) as m3ter:
        fake.on("GET", BILLS, fake_server.json({"data": [bill]}))
        page = await m3ter.page(EntityKind.BILL, accountId="acc", locked=None)
        await m3ter.page(EntityKind.BILL, "t", includeBillTotal=False, ids=["x", "y"])
        first, second = (seen.query for seen in fake.calls(BILLS))
    assert page.entities == (bill,)
    assert isinstance(page.entities[0]["billTotal"], Decimal)
    expected = {
        "includeBillTotal": "true",
        "excludeLineItems": "false",
        "accountId": "acc",
        "pageSize": "100",
    }
    assert dict(first) == expected
    assert [pair for pair in second if pair[0] == "ids"] == [("ids", "x"), ("ids", "y")]
    assert ("includeBillTotal", "false") in second
    assert ("nextToken", "t") in second


async def test_a_filter_that_m3ter_does_not_know_is_not_sent(m3ter: M3ter) -> None:
    with pytest.raises(ValueError, match="account_id"):
        await m3ter.page(EntityKind.BILL, account_id="x")
    assert (await m3ter.page(EntityKind.BILL, ids=[])).entities == ()


async def test_events_are_listed_newest_first_by_name_and_page(
    m3ter: M3ter, empty_sandbox: LocalSandbox
) -> None:
    made = [await m3ter.create(EntityKind.ACCOUNT, {**ACCOUNT, "code": f"a{n}"}) for n in range(101)]
    await m3ter.update(EntityKind.ACCOUNT, made[0]["id"], {**ACCOUNT, "code": "a0", "version": 1})
    newest = (await m3ter.events()).entities[0]
    assert newest["eventName"] == "configuration.account.updated"
    first = await m3ter.events(event_name="configuration.account.created")
    second = await m3ter.events(event_name="configuration.account.created", token=first.next_token)
    assert (len(first.entities), len(second.entities), second.next_token) == (100, 1, None)
    ids = [each["m3terEvent"]["eventData"]["newDto"]["id"] for each in (*first.entities, *second.entities)]
    assert ids == [account["id"] for account in reversed(made)]
    entries = await empty_sandbox.m3ter_control.journal("path=*/events")
    assert all("includeActioned=true" in entry["query"] for entry in entries)


@pytest.mark.parametrize("kind", list(EntityKind))
def test_the_parameters_and_page_sizes_of_lists_are_those_of_m3ters_description(
    kind: EntityKind,
) -> None:
    listed = openapi.load().operation("GET", f"/organizations/org-1/{kind.path}").body["parameters"]
    query = {each["name"]: each["schema"] for each in listed if each["in"] == "query"}
    assert query.pop("pageSize")["maximum"] == kind.page_size
    assert query.pop("nextToken")
    assert kind.filters == query.keys()
    assert kind.whole.keys() <= kind.filters


async def test_an_answer_that_is_too_large_says_so_and_less_may_be_asked_for() -> None:
    async with fake_server.serving() as fake, scripted(fake) as m3ter:
        fake.on("GET", BILLS, fake_server.json({"message": "Response too large"}, status=413))
        with pytest.raises(TooLargeError, match="Response too large"):
            await m3ter.page(EntityKind.BILL)
        fake.on("GET", BILLS, fake_server.json({"data": []}))
        fake.on("GET", EVENTS, fake_server.json({"data": []}))
        await m3ter.page(EntityKind.BILL, page_size=50)
        await m3ter.events(page_size=7)
        sizes = [dict(seen.query)["pageSize"] for path in (BILLS, EVENTS) for seen in fake.calls(path)]
    assert sizes == ["100", "50", "7"]


@pytest.mark.parametrize("status", [502, 504])
async def test_a_page_without_an_answer_is_too_large_while_m3ter_answers_others(status: int) -> None:
    async with fake_server.serving() as fake, scripted(fake) as m3ter:
        fake.on("GET", BILLS, fake_server.json({"message": "Bad gateway"}, status=status))
        fake.on("GET", ACCOUNTS, fake_server.json({"data": []}))
        with pytest.raises(TooLargeError, match="Bad gateway"):
            await m3ter.page(EntityKind.BILL)
        fake.on("GET", ACCOUNTS, fake_server.json({"message": "Away"}, status=status))
        with pytest.raises(TransientError, match="Away"):
            await m3ter.page(EntityKind.BILL)
        fake.on("GET", BILLS, fake_server.json({"message": "Out of order"}, status=503))
        with pytest.raises(TransientError, match="Out of order"):
            await m3ter.page(EntityKind.BILL)


async def test_so_is_one_that_takes_too_long_to_make() -> None:
    limits = Limits(attempts=1, answer=timedelta(milliseconds=200))
    async with fake_server.serving() as fake, scripted(fake, limits) as m3ter:
        fake.on("GET", BILLS, fake_server.hang())
        fake.on("GET", ACCOUNTS, fake_server.json({"data": []}))
        with pytest.raises(TooLargeError, match="no answer"):
            await m3ter.page(EntityKind.BILL)
        fake.on("GET", BILLS, fake_server.reset())
        with pytest.raises(TransientError, match="broke"):
            await m3ter.page(EntityKind.BILL)
