"""Salesforce's REST API: queries with their children and pages, rows, writes, errors by code."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from connectors.errors import (
    AuthenticationError,
    NotFoundError,
    RateLimited,
    RejectedError,
    SyncError,
    TransientError,
)
from connectors.exchange import Limits
from connectors.salesforce import rest
from connectors.salesforce.models import Record, SalesforceCredential
from connectors.salesforce.rest import Salesforce
from tests.integration import fake_server
from tests.integration.fake_server import FakeServer
from tests.sandboxes import LocalSandbox

QUICK = Limits(attempts=2, first_wait=timedelta(milliseconds=1))
DATA = "/services/data/v67.0"


def opened(fake: FakeServer) -> Any:
    token = {"access_token": "t", "instance_url": fake.url}
    fake.on("POST", "/services/oauth2/token", fake_server.json(token))
    credential = {"url": fake.url, "client_id": "c", "client_secret": "s"}
    return rest.open(SalesforceCredential.model_validate(credential), limits=QUICK)


async def records(salesforce: Salesforce, soql: str, **more: bool) -> list[Record]:
    return [record async for page in salesforce.query(soql, **more) for record in page]


async def test_children_are_lists_complete_over_their_pages() -> None:
    line = f"{DATA}/query/01g-lines"
    first = {
        "totalSize": 2,
        "done": False,
        "nextRecordsUrl": f"{DATA}/query/01g-2000",
        "records": [
            {
                "Id": "1",
                "Owner": {"attributes": {"type": "User"}, "Name": None},
                "OpportunityLineItems": {
                    "totalSize": 2,
                    "done": False,
                    "nextRecordsUrl": line,
                    "records": [{"Id": "a", "UnitPrice": Decimal("0.10")}],
                },
            }
        ],
    }
    second = {"totalSize": 2, "done": True, "records": [{"Id": "2", "OpportunityLineItems": None}]}
    async with fake_server.serving() as fake, opened(fake) as salesforce:
        fake.on("GET", f"{DATA}/query", fake_server.json(first))
        fake.on("GET", f"{DATA}/query/01g-2000", fake_server.json(second))
        fake.on("GET", line, fake_server.json({"done": True, "records": [{"Id": "b"}], "totalSize": 2}))
        soql = "SELECT Id, Owner.Name, (SELECT Id FROM OpportunityLineItems) FROM Opportunity"
        one, two = await records(salesforce, soql)
    assert one["OpportunityLineItems"] == [{"Id": "a", "UnitPrice": Decimal("0.10")}, {"Id": "b"}]
    assert one["Owner"]["Name"] is None
    assert two["OpportunityLineItems"] == []


async def test_a_next_page_elsewhere_is_not_followed() -> None:
    body = {"done": False, "nextRecordsUrl": "https://evil.example/query/2", "records": []}
    async with fake_server.serving() as fake, opened(fake) as salesforce:
        fake.on("GET", f"{DATA}/query", fake_server.json(body))
        with pytest.raises(TransientError, match="not its own"):
            await records(salesforce, "SELECT Id FROM Account")


async def test_the_whole_graph_of_an_opportunity_is_one_call(sandbox: LocalSandbox) -> None:
    soql = (
        "SELECT Id, Account.Name, (SELECT Id, UnitPrice, PricebookEntry.Product2.ProductCode "
        "FROM OpportunityLineItems) FROM Opportunity WHERE StageName = 'Closed Won' LIMIT 1"
    )
    async with rest.open(SalesforceCredential(**sandbox.salesforce)) as salesforce:
        await salesforce.limits()
        await sandbox.salesforce_control.clear_journal()
        found = await records(salesforce, soql)
    assert len(await sandbox.salesforce_control.journal()) == 1
    for opportunity in found:
        assert opportunity["Account"]["Name"]
        assert opportunity["OpportunityLineItems"][0]["PricebookEntry"]["Product2"]["ProductCode"]


async def test_deleted_records_are_found_when_asked_for(empty_sandbox: LocalSandbox) -> None:
    soql = "SELECT Id, IsDeleted FROM Account"
    async with rest.open(SalesforceCredential(**empty_sandbox.salesforce)) as salesforce:
        saved = await salesforce.create("Account", {"Name": "Acme"})
        await salesforce.delete("Account", saved.record_id)
        assert await records(salesforce, soql) == []
        (deleted,) = await records(salesforce, soql, include_deleted=True)
        assert deleted["IsDeleted"] is True
        with pytest.raises(NotFoundError):
            await salesforce.retrieve("Account", saved.record_id)


async def test_a_record_is_created_read_changed_and_upserted(empty_sandbox: LocalSandbox) -> None:
    async with rest.open(SalesforceCredential(**empty_sandbox.salesforce)) as salesforce:
        saved = await salesforce.create("Account", {"Name": "Acme"})
        assert saved.was_created
        await salesforce.update("Account", saved.record_id, {"Name": "Acme & Söhne"})
        read = await salesforce.retrieve("Account", saved.record_id[:15], ["Id", "Name"])
        assert (read["Id"], read["Name"]) == (saved.record_id, "Acme & Söhne")
        assert "Name" in [field["name"] for field in (await salesforce.describe("Account"))["fields"]]
        assert "DailyApiRequests" in await salesforce.limits()


async def test_an_upsert_creates_once_and_survives_a_lost_answer() -> None:
    path = f"{DATA}/sobjects/Account/Key__c/a/b c"
    made = fake_server.json({"id": "001S90000010001IAA", "success": True, "created": True}, status=201)
    changed = fake_server.json({"id": "001S90000010001IAA", "success": True, "created": False})
    async with fake_server.serving() as fake, opened(fake) as salesforce:
        fake.on("PATCH", path, made, fake_server.reset(), changed)
        assert (await salesforce.upsert("Account", "Key__c", "a/b c", {"Name": "x"})).was_created
        assert not (await salesforce.upsert("Account", "Key__c", "a/b c", {"Name": "x"})).was_created
        duplicate = [{"message": "duplicate value found", "errorCode": "DUPLICATE_VALUE"}]
        fake.on("PATCH", path, fake_server.json(duplicate, status=400), changed)
        await salesforce.upsert("Account", "Key__c", "a/b c", {"Name": "x"})


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "UNABLE_TO_LOCK_ROW", TransientError),
        (400, "QUERY_TIMEOUT", TransientError),
        (503, "SERVER_UNAVAILABLE", TransientError),
        (403, "REQUEST_LIMIT_EXCEEDED", RateLimited),
        (401, "INVALID_SESSION_ID", AuthenticationError),
        (403, "API_DISABLED_FOR_ORG", AuthenticationError),
        (404, "NOT_FOUND", NotFoundError),
        (404, "ENTITY_IS_DELETED", NotFoundError),
        (400, "MALFORMED_QUERY", RejectedError),
        (400, "FIELD_CUSTOM_VALIDATION_EXCEPTION", RejectedError),
        (403, "INSUFFICIENT_ACCESS_OR_READONLY", RejectedError),
        (400, "A_CODE_OF_NEXT_YEAR", RejectedError),
    ],
)
async def test_a_code_is_an_error(status: int, code: str, kind: type[SyncError]) -> None:
    body = [{"message": "As they say", "errorCode": code, "fields": ["Name"]}]
    async with fake_server.serving() as fake, opened(fake) as salesforce:
        fake.on("PATCH", f"{DATA}/sobjects/Account/001S90000010001IAA", fake_server.json(body, status=status))
        with pytest.raises(kind, match="As they say") as caught:
            await salesforce.update("Account", "001S90000010001IAA", {"Name": "x"})
    assert type(caught.value) is kind
    assert (caught.value.code, caught.value.status) == (code, status)
    if isinstance(caught.value, RejectedError):
        assert caught.value.fields == ("Name",)


async def test_a_lost_create_may_have_happened_and_is_not_repeated(empty_sandbox: LocalSandbox) -> None:
    async with rest.open(SalesforceCredential(**empty_sandbox.salesforce)) as salesforce:
        match = {"method": "POST", "path": "*/sobjects/Account"}
        await empty_sandbox.salesforce_control.fault("reset_after", match=match, times=1)
        with pytest.raises(TransientError) as caught:
            await salesforce.create("Account", {"Name": "Acme"})
        assert caught.value.may_have_happened
        assert len(await records(salesforce, "SELECT Id FROM Account")) == 1


async def test_a_query_too_long_for_an_address_is_refused_before_it_is_sent() -> None:
    async with fake_server.serving() as fake, opened(fake) as salesforce:
        with pytest.raises(RejectedError, match="no address that long"):
            await records(
                salesforce, f"SELECT {', '.join(f'Field_{n}__c' for n in range(2000))} FROM Account"
            )
        assert fake.seen == []


async def test_names_are_quoted_and_ids_checked() -> None:
    missing = [{"errorCode": "NOT_FOUND", "message": "The requested resource does not exist"}]
    async with fake_server.serving() as fake, opened(fake) as salesforce:
        fake.on("GET", f"{DATA}/sobjects/../../limits/describe", fake_server.json(missing, status=404))
        with pytest.raises(NotFoundError):
            await salesforce.describe("../../limits")
        assert fake.seen[-1].path == f"{DATA}/sobjects/../../limits/describe"  # one quoted name
        with pytest.raises(RejectedError, match="misspelt"):
            await salesforce.retrieve("Account", "001S90000010001IAB")
