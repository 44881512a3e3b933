"""sObject Collections: a result per record in order, whole-call failures, and how much of the API is used."""

from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from connectors.errors import RateLimited, RejectedError, TransientError
from connectors.exchange import Limits
from connectors.salesforce import collections, rest, rows
from connectors.salesforce.models import SalesforceCredential
from connectors.salesforce.rest import ApiUsage, Salesforce
from connectors.salesforce.rows import Verdict
from tests.integration import fake_server
from tests.integration.fake_server import FakeServer
from tests.sandboxes import LocalSandbox

QUICK = Limits(attempts=2, first_wait=timedelta(milliseconds=1))
PATH = "/services/data/v67.0/composite/sobjects"
KEY = "m3ter_Id__c"
RECORD = "001D00000000001"
EXTERNAL_ID = {"type": "string", "length": 40, "external_id": True, "unique": True}
OBJECTS: dict[str, Any] = {
    "m3ter_Account__c": {"fields": {KEY: EXTERNAL_ID}},
    "m3ter_Bill__c": {
        "fields": {
            KEY: EXTERNAL_ID,
            "Total__c": {"type": "currency", "precision": 18, "scale": 2},
            "m3ter_Account__c": {"type": "reference", "to": ["m3ter_Account__c"]},
        }
    },
}


@pytest.fixture
async def salesforce(empty_sandbox: LocalSandbox) -> AsyncIterator[Salesforce]:
    empty_sandbox.running.org.schema.declare(OBJECTS)
    credential = SalesforceCredential.model_validate(empty_sandbox.salesforce)
    async with rest.open(credential, limits=QUICK) as opened:
        yield opened


def scripted(fake: FakeServer) -> Any:
    token = {"access_token": "t", "instance_url": fake.url}
    fake.on("POST", "/services/oauth2/token", fake_server.json(token))
    credential = {"url": fake.url, "client_id": "c", "client_secret": "s"}
    return rest.open(SalesforceCredential.model_validate(credential), limits=QUICK)


async def bills(salesforce: Salesforce) -> dict[str, Any]:
    soql = f"SELECT {KEY}, Total__c FROM m3ter_Bill__c"
    return {each[KEY]: each["Total__c"] async for page in salesforce.query(soql) for each in page}


async def test_records_are_created_then_updated_each_with_its_result_in_order(
    salesforce: Salesforce,
) -> None:
    records = [{KEY: f"b{number}", "Total__c": Decimal("10.10")} for number in range(200)]
    made = await collections.upsert(salesforce, "m3ter_Bill__c", KEY, records)
    assert [result.was_created for result in made] == [True] * 200
    again = await collections.upsert(salesforce, "m3ter_Bill__c", KEY, records[::-1])
    assert [result.record_id for result in again] == [result.record_id for result in made[::-1]]
    assert not any(result.was_created for result in again)
    assert (await bills(salesforce))["b7"] == Decimal("10.10")


async def test_one_bad_record_stops_only_itself_and_a_missing_parent_is_told(salesforce: Salesforce) -> None:
    await collections.upsert(salesforce, "m3ter_Account__c", KEY, [{KEY: "acc"}])
    results = await collections.upsert(
        salesforce,
        "m3ter_Bill__c",
        KEY,
        [
            {KEY: "one", "m3ter_Account__r": {KEY: "acc"}},
            {KEY: "two", "m3ter_Account__r": {KEY: "nobody"}},
            {KEY: "three" * 20},
            {KEY: "four"},
        ],
    )
    verdicts = [rows.classify(result) for result in results]
    assert verdicts == [Verdict.OK, Verdict.PARENT_MISSING, Verdict.REFUSED, Verdict.OK]
    assert results[2].code == "STRING_TOO_LONG"
    assert set(await bills(salesforce)) == {"one", "four"}


async def test_an_unknown_object_fails_the_whole_call(salesforce: Salesforce) -> None:
    with pytest.raises(RejectedError):
        await collections.upsert(salesforce, "Nope__c", KEY, [{KEY: "a"}])


async def test_a_lost_answer_is_asked_for_again(salesforce: Salesforce, empty_sandbox: LocalSandbox) -> None:
    control = empty_sandbox.salesforce_control
    await control.fault("reset_after", match={"path": "*/composite/sobjects/*"}, times=1)
    (result,) = await collections.upsert(salesforce, "m3ter_Bill__c", KEY, [{KEY: "a"}])
    assert (result.success, result.was_created) == (True, False)
    assert len(await control.journal("path=*/composite/sobjects/*")) == 2


async def test_records_are_updated_and_deleted_by_id_and_a_repeat_does_no_harm(
    salesforce: Salesforce, empty_sandbox: LocalSandbox
) -> None:
    made = await collections.upsert(salesforce, "m3ter_Bill__c", KEY, [{KEY: "a"}, {KEY: "b"}])
    ids = [result.record_id for result in made]
    amounts = [{"Id": ids[0], "Total__c": Decimal("0.30")}]
    assert (await collections.update(salesforce, "m3ter_Bill__c", amounts))[0].success
    assert (await bills(salesforce))["a"] == Decimal("0.30")
    control = empty_sandbox.salesforce_control
    await control.fault("reset_after", match={"method": "DELETE"}, times=1)
    deleted = await collections.delete(salesforce, ids)
    assert [(result.record_id, result.success) for result in deleted] == [(ids[0], True), (ids[1], True)]
    assert await bills(salesforce) == {}


async def test_a_key_that_another_writer_created_meanwhile_is_tried_once_more() -> None:
    taken = {
        "success": False,
        "errors": [
            {"statusCode": "DUPLICATE_VALUE", "message": f"duplicate value found: {KEY} ...", "fields": []}
        ],
    }
    fine = {"id": "a00000000000001AAA", "success": True, "created": False, "errors": []}
    async with fake_server.serving() as fake, scripted(fake) as salesforce:
        path = f"{PATH}/B__c/{KEY}"
        fake.on("PATCH", path, fake_server.json([fine, taken]), fake_server.json([fine]))
        results = await collections.upsert(salesforce, "B__c", KEY, [{KEY: "a"}, {KEY: "b"}])
        assert [result.success for result in results] == [True, True]
        sent = [[record[KEY] for record in seen.json["records"]] for seen in fake.calls(path)]
        assert sent == [["a", "b"], ["b"]]
        fake.on("PATCH", path, fake_server.json([taken]))
        (still,) = await collections.upsert(salesforce, "B__c", KEY, [{KEY: "b"}])
        assert rows.classify(still) is Verdict.REFUSED
        assert len(fake.calls(path)) == 4


async def test_fewer_results_than_records_are_believed_for_none() -> None:
    fine = {"id": "a00000000000001AAA", "success": True, "created": True, "errors": []}
    async with fake_server.serving() as fake, scripted(fake) as salesforce:
        fake.on("PATCH", f"{PATH}/B__c/{KEY}", fake_server.json([fine]))
        with pytest.raises(TransientError, match="2 records with 1 results"):
            await collections.upsert(salesforce, "B__c", KEY, [{KEY: "a"}, {KEY: "b"}])


async def test_nothing_to_write_is_no_call_and_too_much_is_refused_here(salesforce: Salesforce) -> None:
    assert await collections.upsert(salesforce, "B__c", KEY, []) == []
    assert await collections.delete(salesforce, []) == []
    assert salesforce.usage is None
    with pytest.raises(ValueError, match="201"):
        await collections.upsert(salesforce, "B__c", KEY, [{KEY: "a"}] * 201)


async def test_the_newest_answer_tells_how_much_of_the_api_is_used(
    salesforce: Salesforce, empty_sandbox: LocalSandbox
) -> None:
    await empty_sandbox.salesforce_control.call("POST", "org/limit", {"max": 5000, "used": 41})
    await collections.upsert(salesforce, "m3ter_Bill__c", KEY, [{KEY: "a"}])
    assert salesforce.usage == ApiUsage(42, 5000)
    await empty_sandbox.salesforce_control.call("POST", "org/limit", {"used": 5000})
    with pytest.raises(RateLimited):
        await collections.upsert(salesforce, "m3ter_Bill__c", KEY, [{KEY: "a"}])


@pytest.mark.parametrize(
    ("header", "usage"),
    [
        ("api-usage=18/5000; per-app-api-usage=17/250(appName=x)", ApiUsage(18, 5000)),
        ("per-app-api-usage=17/250(appName=x); api-usage=18/5000", ApiUsage(18, 5000)),
        ("per-app-api-usage=17/250(appName=x)", None),
        ("api-usage=many", None),
    ],
)
async def test_only_the_usage_of_the_org_counts(header: str, usage: ApiUsage | None) -> None:
    async with fake_server.serving() as fake, scripted(fake) as salesforce:
        fake.on(
            "GET", "/services/data/v67.0/limits", fake_server.json({}, 200, {"Sforce-Limit-Info": header})
        )
        await salesforce.limits()
        assert salesforce.usage == usage


@pytest.mark.parametrize("write", ["upsert", "update", "delete"])
async def test_a_call_for_many_records_has_a_limit_of_its_own(
    empty_sandbox: LocalSandbox, write: str
) -> None:
    credential = SalesforceCredential.model_validate(empty_sandbox.salesforce)
    limits = Limits(attempts=1, answer=timedelta(seconds=30), answer_many=timedelta(milliseconds=200))
    await empty_sandbox.salesforce_control.fault("hang_before", match={"path": "*/composite/*"})
    async with rest.open(credential, limits=limits) as salesforce:
        calls = {
            "upsert": lambda: collections.upsert(salesforce, "m3ter_Bill__c", KEY, [{KEY: "one"}]),
            "update": lambda: collections.update(salesforce, "m3ter_Bill__c", [{"Id": RECORD}]),
            "delete": lambda: collections.delete(salesforce, [RECORD]),
        }
        with pytest.raises(TransientError, match=r"within 0\.2 s"):
            await calls[write]()
