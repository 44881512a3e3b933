"""Rows that the sandbox's org refuses by rule, in single calls, collections, composite and Bulk alike."""

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from connectors import wire
from tests.sandboxes import LocalSandbox

SITE = {
    "fields": {
        "Code__c": {"type": "string", "length": 40, "external_id": True, "unique": True},
        "Size__c": {"type": "double", "precision": 8, "scale": 2},
    }
}
BY_CODE = "composite/sobjects/Site__c/Code__c"


class Calls:
    """REST calls to the org of a sandbox."""

    def __init__(self, session: aiohttp.ClientSession, sandbox: LocalSandbox) -> None:
        self.session = session
        self.sandbox = sandbox
        self.org = sandbox.running.org
        token = self.org.sessions.open(self.org.actor.user_id).token
        self.headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    async def call(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        data = None if body is None else wire.dumps(body)
        url = f"{self.sandbox.salesforce['url']}/services/data/v67.0/{path}"
        async with self.session.request(method, url, data=data, headers=self.headers) as response:
            raw = await response.read()
            return response.status, wire.loads(raw) if raw else None

    async def upsert(self, *records: dict[str, Any]) -> list[Any]:
        """What became of each: None, or its error's code and fields."""
        given = [{"attributes": {"type": "Site__c"}, **each} for each in records]
        _, results = await self.call("PATCH", BY_CODE, {"records": given})
        return [
            None if each["success"] else (each["errors"][0]["statusCode"], each["errors"][0]["fields"])
            for each in results
        ]

    async def rules(self, **rules: Any) -> None:
        await self.sandbox.salesforce_control.call("POST", "org/rules", rules)


@pytest.fixture
async def calls(empty_sandbox: LocalSandbox) -> AsyncIterator[Calls]:
    empty_sandbox.running.org.schema.declare({"Site__c": SITE})
    async with aiohttp.ClientSession() as session:
        yield Calls(session, empty_sandbox)


VALIDATION = {
    "object": "Site__c",
    "field": "Size__c",
    "is": "above",
    "value": 100,
    "message": "A site is at most 100.",
    "error_field": "Size__c",
}


async def test_a_validation_rule_refuses_the_row_and_names_the_field(calls: Calls) -> None:
    await calls.rules(validations=[VALIDATION])
    refused = ("FIELD_CUSTOM_VALIDATION_EXCEPTION", ["Size__c"])
    found = await calls.upsert({"Code__c": "1", "Size__c": 101}, {"Code__c": "2", "Size__c": 100})
    assert found == [refused, None]
    status, said = await calls.call("PATCH", "sobjects/Site__c/Code__c/2", {"Size__c": 100.5})
    assert (status, said[0]["errorCode"], said[0]["message"]) == (400, refused[0], "A site is at most 100.")
    await calls.sandbox.salesforce_control.call("DELETE", "org/rules")
    assert await calls.upsert({"Code__c": "1", "Size__c": 101}) == [None]


@pytest.mark.parametrize(
    ("test", "value", "refused"),
    [
        ("equals", "5", [True, False, False]),
        ("differs", 5, [False, True, True]),
        ("below", 6, [True, False, False]),
        ("blank", None, [False, False, True]),
        ("filled", None, [True, True, False]),
    ],
)
async def test_conditions_are_simple_data(calls: Calls, test: str, value: Any, refused: list[bool]) -> None:
    rule = {"object": "site__c", "field": "size__c", "is": test, "value": value, "message": "no"}
    await calls.rules(validations=[rule])
    results = await calls.upsert(
        *({"Code__c": str(k), "Size__c": size} for k, size in enumerate([5, 7, None]))
    )
    assert [each is not None for each in results] == refused


async def test_a_locked_row_is_refused_as_often_as_was_said(calls: Calls) -> None:
    record_id = calls.org.create("Site__c", {"Name": "n", "Code__c": "1"})
    await calls.rules(
        locks=[
            {"object": "Site__c", "values": [record_id[:15]], "times": 2},
            {"object": "Site__c", "field": "Code__c", "values": ["new"]},
        ]
    )
    locked: tuple[str, list[str]] = ("UNABLE_TO_LOCK_ROW", [])
    assert await calls.upsert({"Code__c": "1"}, {"Code__c": "NEW"}, {"Code__c": "3"}) == [
        locked,
        locked,
        None,
    ]
    status, said = await calls.call("DELETE", f"sobjects/Site__c/{record_id}")
    assert (status, said[0]["errorCode"]) == (400, "UNABLE_TO_LOCK_ROW")
    assert said[0]["message"].endswith(f"or 1 records: {record_id}")
    assert await calls.upsert({"Code__c": "1"}, {"Code__c": "new"}) == [None, None]


async def test_an_upsert_loses_a_race_and_wins_the_next(calls: Calls) -> None:
    await calls.rules(races=[{"object": "Site__c", "field": "Code__c", "values": ["A", "B"]}])
    assert await calls.upsert({"Code__c": "A", "Size__c": 1}) == [("DUPLICATE_VALUE", [])]
    assert [row["Code__c"] for row in calls.org.table("Site__c").live()] == ["A"]
    assert await calls.upsert({"Code__c": "A", "Size__c": 2}) == [None]
    status, said = await calls.call("PATCH", "sobjects/Site__c/Code__c/B", {"Size__c": 1})
    assert (status, said[0]["errorCode"]) == (400, "DUPLICATE_VALUE")
    assert (await calls.call("PATCH", "sobjects/Site__c/Code__c/B", {"Size__c": 1}))[0] == 200


async def test_a_duplicate_rule_blocks_a_new_row_like_another(calls: Calls) -> None:
    calls.org.create("Site__c", {"Name": "Leeds", "Code__c": "1"})
    await calls.rules(duplicates=[{"object": "Site__c", "field": "Name"}])
    results = await calls.upsert({"Code__c": "2", "Name": "leeds"}, {"Code__c": "1", "Name": "Leeds"})
    assert results == [("DUPLICATES_DETECTED", []), None]


async def test_rows_that_share_an_external_id_are_all_refused(calls: Calls) -> None:
    results = await calls.upsert({"Code__c": "1"}, {"Code__c": "2"}, {"Code__c": "1"})
    assert results == [("DUPLICATE_VALUE", ["Code__c"]), None, ("DUPLICATE_VALUE", ["Code__c"])]


async def test_a_rule_names_fields_that_there_are(calls: Calls) -> None:
    url = f"{calls.sandbox.salesforce['url']}/sandbox/org/rules"
    body = wire.dumps({"locks": [{"object": "Nope__c", "values": ["x"]}]})
    async with calls.session.post(url, data=body) as response:
        assert response.status == 400
        assert "Nope__c.Id" in await response.text()


async def test_nothing_is_answered_once_the_days_calls_are_used_up(calls: Calls) -> None:
    await calls.sandbox.salesforce_control.call("POST", "org/limit", {"max": 5, "used": 5})
    for path in (BY_CODE, "sobjects/Site__c/Code__c/1"):
        status, said = await calls.call("PATCH", path, {})
        assert (status, said[0]["errorCode"]) == (403, "REQUEST_LIMIT_EXCEEDED")
