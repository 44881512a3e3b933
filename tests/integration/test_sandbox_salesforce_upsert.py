"""Upsert by external id and Collections in the sandbox's Salesforce."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.integration.salesforce_calls import Salesforce, logged_in
from tests.sandboxes import LocalSandbox

ROLLED_BACK = "ALL_OR_NONE_OPERATION_ROLLED_BACK"


@pytest.fixture
async def client(empty_sandbox: LocalSandbox) -> AsyncIterator[Salesforce]:
    external_id = {"type": "string", "length": 40, "external_id": True}
    empty_sandbox.running.org.schema.declare(
        {
            "Account": {"fields": {"Ext__c": external_id, "Num__c": {"type": "double", "external_id": True}}},
            "Bill__c": {
                "fields": {
                    "Ext__c": {**external_id, "unique": True},
                    "Account__c": {"type": "reference", "to": ["Account"], "children": "Bills__r"},
                }
            },
        }
    )
    async with logged_in(empty_sandbox) as salesforce:
        yield salesforce


def record(object_name: str, **fields: Any) -> dict[str, Any]:
    return {"attributes": {"type": object_name}, **fields}


async def test_an_upsert_creates_then_updates_the_same_record(client: Salesforce) -> None:
    created = await client.call("PATCH", "sobjects/Account/Ext__c/a%2F1%20x", {"Name": "One"})
    assert created.status == 201
    assert created.body == {"id": created.body["id"], "success": True, "errors": [], "created": True}
    updated = await client.call("PATCH", "sobjects/Account/ext__C/A%2F1%20X", {"Name": "Two"})
    assert (updated.status, updated.body) == (200, {**created.body, "created": False})
    found = (await client.get("sobjects/Account/Ext__c/a%2F1%20x")).body
    assert (found["Id"], found["Name"], found["Ext__c"]) == (created.body["id"], "Two", "a/1 x")
    older = await client.call(
        "PATCH", "/services/data/v45.0/sobjects/Account/Ext__c/a%2F1%20x", {"Name": "3"}
    )
    assert older.status == 204
    assert (await client.call("DELETE", "sobjects/Account/Ext__c/a%2F1%20x")).status == 204
    assert (await client.get("sobjects/Account/Ext__c/a%2F1%20x")).code == "NOT_FOUND"


async def test_an_external_id_may_be_a_number(client: Salesforce) -> None:
    created = await client.call("PATCH", "sobjects/Account/Num__c/5", {"Name": "Five"})
    updated = await client.call("PATCH", "sobjects/Account/Num__c/5.0", {"Name": "Five again"})
    assert (created.status, updated.status) == (201, 200)
    upserts = [record("Account", Num__c=5, Name="a"), record("Account", Num__c="many", Name="b")]
    answer = await client.call("PATCH", "composite/sobjects/Account/Num__c", {"records": upserts})
    assert answer.body[0]["id"] == created.body["id"]
    assert answer.body[1]["errors"][0]["statusCode"] == "JSON_PARSER_ERROR"


async def test_an_external_id_that_several_records_have_is_answered_with_their_list(
    client: Salesforce,
) -> None:
    twins = [await client.create("Account", Name=name, Ext__c="same") for name in ("a", "b")]
    for method, body in (("PATCH", {"Name": "c"}), ("GET", None), ("DELETE", None)):
        answer = await client.call(method, "sobjects/Account/Ext__c/same", body)
        assert answer.status == 300
        assert answer.body == [f"/services/data/v67.0/sobjects/Account/{each}" for each in twins]


async def test_an_upsert_refuses_what_salesforce_refuses(client: Salesforce) -> None:
    answer = await client.call("PATCH", "sobjects/Account/Ext__c/x", {"Name": "x", "Ext__c": "x"})
    assert (answer.status, answer.code) == (400, "INVALID_FIELD")
    assert answer.message == "The Ext__c field should not be specified in the sobject data."
    answer = await client.call("PATCH", "sobjects/Account/Name/x", {"Industry": "x"})
    assert (answer.status, answer.code) == (404, "NOT_FOUND")
    answer = await client.call("PATCH", "sobjects/Account/Ext__c/x?updateOnly=true", {"Name": "x"})
    assert (answer.status, answer.code) == (404, "NOT_FOUND")
    assert (await client.query("SELECT COUNT() FROM Account")).body["totalSize"] == 0


async def test_a_parent_can_be_named_by_its_external_id(client: Salesforce) -> None:
    account = await client.create("Account", Name="a", Ext__c="parent")
    answer = await client.call("PATCH", "sobjects/Bill__c/Ext__c/b1", {"Account__r": {"Ext__c": "PARENT"}})
    bill = (await client.get(f"sobjects/Bill__c/{answer.body['id']}")).body
    assert bill["Account__c"] == account
    unknown = await client.call("PATCH", "sobjects/Bill__c/Ext__c/b2", {"Account__r": {"Ext__c": "nobody"}})
    assert (unknown.status, unknown.code) == (400, "INVALID_FIELD")
    assert "Foreign key external ID: nobody not found for field Ext__c in entity Account" in unknown.message
    wrong = await client.call("PATCH", "sobjects/Bill__c/Ext__c/b2", {"Account__r": {"Name": "a"}})
    assert (wrong.status, wrong.code) == (400, "INVALID_FIELD")


async def test_a_collection_answers_each_record_in_order(client: Salesforce) -> None:
    records = [
        record("Account", Name="one"),
        record("Account"),
        record("Nothing", Name="x"),
        {"Name": "no type"},
        record("Contact", LastName="two"),
    ]
    answer = await client.call("POST", "composite/sobjects", {"records": records})
    assert answer.status == 200
    assert [each["success"] for each in answer.body] == [True, False, False, False, True]
    assert answer.body[1] == {
        "success": False,
        "errors": [
            {
                "statusCode": "REQUIRED_FIELD_MISSING",
                "message": "Required fields are missing: [Name]",
                "fields": ["Name"],
            }
        ],
    }
    assert [each["errors"][0]["statusCode"] for each in answer.body[2:4]] == ["INVALID_TYPE", "INVALID_TYPE"]
    assert answer.body[4]["id"].startswith("003")


async def test_a_collection_of_all_or_none_leaves_nothing_behind(client: Salesforce) -> None:
    records = [record("Account", Name="one"), record("Account"), record("Account", Name="two")]
    body = {"allOrNone": True, "records": records}
    answer = await client.call("POST", "composite/sobjects", body)
    codes = [each["errors"][0]["statusCode"] for each in answer.body]
    assert codes == [ROLLED_BACK, "REQUIRED_FIELD_MISSING", ROLLED_BACK]
    assert not any("id" in each for each in answer.body)
    assert (await client.query("SELECT COUNT() FROM Account")).body["totalSize"] == 0
    assert (await client.query("SELECT COUNT() FROM Account", "queryAll")).body["totalSize"] == 0


async def test_collections_update_upsert_retrieve_and_delete(client: Salesforce) -> None:
    first = await client.create("Account", Name="first", Ext__c="1")
    upserts = [record("Account", Name="new first", Ext__c="1"), record("Account", Name="second", Ext__c="2")]
    answer = await client.call("PATCH", "composite/sobjects/Account/Ext__c", {"records": upserts})
    assert [(each["success"], each["created"]) for each in answer.body] == [(True, False), (True, True)]
    second = answer.body[1]["id"]
    upserts = [record("Account", Name="x"), record("Contact", LastName="x", Ext__c="3")]
    answer = await client.call("PATCH", "composite/sobjects/Account/Ext__c", {"records": upserts})
    codes = [each["errors"][0]["statusCode"] for each in answer.body]
    assert codes == ["MISSING_ARGUMENT", "INVALID_TYPE"]

    updates = [
        record("Account", id=second[:15], Name="b"),
        record("Account", Name="c"),
        record("Account", id="x"),
    ]
    answer = await client.call("PATCH", "composite/sobjects", {"records": updates})
    assert answer.body[0] == {"id": second, "success": True, "errors": []}
    codes = [each["errors"][0]["statusCode"] for each in answer.body[1:]]
    assert codes == ["MISSING_ARGUMENT", "MALFORMED_ID"]

    wanted = f"{first},{second},001000000000001AAA"
    read = await client.get(f"composite/sobjects/Account?ids={wanted}&fields=Name")
    assert [each and each["Name"] for each in read.body] == ["new first", "b", None]
    body = {"ids": wanted.split(","), "fields": ["Name", "Ext__c"]}
    read = await client.call("POST", "composite/sobjects/Account", body)
    assert [each and each["Ext__c"] for each in read.body] == ["1", "2", None]

    gone = await client.call("DELETE", f"composite/sobjects?ids={wanted}&allOrNone=true")
    codes = [each["errors"][0]["statusCode"] for each in gone.body]
    assert codes == [ROLLED_BACK, ROLLED_BACK, "NOT_FOUND"]
    gone = await client.call("DELETE", f"composite/sobjects?ids={wanted}")
    assert [each["success"] for each in gone.body] == [True, True, False]


async def test_a_collection_holds_200_records_at_most(client: Salesforce) -> None:
    records = [record("Account", Name=str(number)) for number in range(201)]
    answer = await client.call("POST", "composite/sobjects", {"records": records})
    assert (answer.status, answer.code) == (400, "EXCEEDED_ID_LIMIT")
    answer = await client.call("POST", "composite/sobjects", {"records": records[:200]})
    assert len(answer.body) == 200
    answer = await client.call("POST", "composite/sobjects", {"records": "many"})
    assert (answer.status, answer.code) == (400, "MISSING_ARGUMENT")
