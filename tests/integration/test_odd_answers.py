"""An answer that is not as an API has it: the message says which call had it, and what to do."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from connectors.errors import RejectedError, SyncError, TransientError
from connectors.exchange import Request
from connectors.http import Http
from connectors.m3ter.models import EntityKind
from connectors.salesforce import bulk
from connectors.salesforce.rest import Salesforce
from tests.integration import fake_server
from tests.integration.test_m3ter_pages import BILLS, scripted
from tests.integration.test_salesforce_rest import DATA, opened, records

RECORD = "001000000000001AAA"
JOB = "750000000000001AAA"
ELSEWHERE = {"done": False, "nextRecordsUrl": "https://elsewhere.example/2", "records": []}


async def _job(salesforce: Salesforce) -> None:
    async with bulk.job(salesforce, "m3ter_Bill__c", "m3ter_Id__c"):
        pass


ODD: dict[str, tuple[str, str, Any, Callable[[Salesforce], Awaitable[object]]]] = {
    "a record": (
        *("GET", f"{DATA}/sobjects/Account/{RECORD}", []),
        lambda salesforce: salesforce.retrieve("Account", RECORD),
    ),
    "an object": (
        *("GET", f"{DATA}/sobjects/Account/describe", []),
        lambda salesforce: salesforce.describe("Account"),
    ),
    "a count": (
        *("GET", f"{DATA}/query", {"done": True}),
        lambda salesforce: salesforce.count("SELECT COUNT() FROM Account"),
    ),
    "a query": (
        *("GET", f"{DATA}/query", {"done": True}),
        lambda salesforce: records(salesforce, "SELECT Id FROM Account"),
    ),
    "a next page": (
        *("GET", f"{DATA}/query", ELSEWHERE),
        lambda salesforce: records(salesforce, "SELECT Id FROM Account"),
    ),
    "a creation": (
        *("POST", f"{DATA}/sobjects/Account", {"success": True}),
        lambda salesforce: salesforce.create("Account", {"Name": "A"}),
    ),
    "a Bulk job": ("POST", f"{DATA}/jobs/ingest", {"id": JOB}, _job),
}


@pytest.mark.parametrize("case", ODD)
async def test_an_answer_of_salesforce_that_is_none_names_the_call_and_what_to_do(case: str) -> None:
    method, path, body, call = ODD[case]
    async with fake_server.serving() as fake, opened(fake) as salesforce:
        fake.on(method, path, fake_server.json(body))
        with pytest.raises(TransientError) as caught:
            await call(salesforce)
    assert f"answered {path} with" in caught.value.message
    assert "proxy" in caught.value.instruction


async def test_a_later_page_is_named_by_its_own_address() -> None:
    further = f"{DATA}/query/01g-2000"
    children = {"done": False, "nextRecordsUrl": further, "records": []}
    async with fake_server.serving() as fake, opened(fake) as salesforce:
        fake.on("GET", f"{DATA}/query", fake_server.json({"done": True, "records": [{"Lines": children}]}))
        fake.on("GET", further, fake_server.json({}))
        with pytest.raises(TransientError, match=further):
            await records(salesforce, "SELECT Id, (SELECT Id FROM Lines) FROM Opportunity")


@pytest.mark.parametrize("body", [{"nextToken": "t1"}, {"data": [], "nextToken": "t1"}])
async def test_a_list_of_m3ter_that_is_none_names_the_call_and_what_to_do(body: dict[str, Any]) -> None:
    async with fake_server.serving() as fake, scripted(fake) as m3ter:
        fake.on("GET", BILLS, fake_server.json(body))
        with pytest.raises(SyncError, match=BILLS) as caught:
            await m3ter.page(EntityKind.BILL, "t1")
    assert "proxy" in caught.value.instruction


async def test_an_address_that_is_none_names_the_call_and_the_credential_to_correct() -> None:
    async with Http(system="m3ter", base_url="nowhere") as http:
        with pytest.raises(RejectedError, match="GET /bills has no usable address at nowhere") as caught:
            await http.send(Request("GET", "/bills"))
    assert caught.value.instruction == "Correct the url of the m3ter credential."
