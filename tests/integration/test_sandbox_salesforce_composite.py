"""Composite requests, describe and versions of the sandbox's Salesforce."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.integration.salesforce_calls import Salesforce, V, agreement, logged_in
from tests.sandboxes import LocalSandbox


@pytest.fixture
async def client(empty_sandbox: LocalSandbox) -> AsyncIterator[Salesforce]:
    async with logged_in(empty_sandbox) as salesforce:
        yield salesforce


def step(name: str, method: str, path: str, body: Any = None) -> dict[str, Any]:
    request = {"method": method, "url": f"{V}/{path}", "referenceId": name}
    return request if body is None else {**request, "body": body}


ACCOUNT = step("account", "POST", "sobjects/Account", {"Name": "Acme"})
CONTACT = step("contact", "POST", "sobjects/Contact", {"LastName": "Ng", "AccountId": "@{account.id}"})
BAD = step("bad", "POST", "sobjects/Contact", {"AccountId": "@{account.id}"})
QUERY = step("found", "GET", "query?q=SELECT+Id,Name+FROM+Account+WHERE+Id='@{account.id}'")


async def composite(client: Salesforce, *steps: dict[str, Any], **more: Any) -> list[dict[str, Any]]:
    answer = await client.call("POST", "composite", {"compositeRequest": list(steps), **more})
    assert answer.status == 200, answer.body
    replies: list[dict[str, Any]] = answer.body["compositeResponse"]
    return replies


@pytest.mark.parametrize("all_or_none", [True, False])
async def test_later_steps_use_what_earlier_ones_gave(client: Salesforce, *, all_or_none: bool) -> None:
    read = step("read", "GET", "sobjects/Account/@{found.records[0].Id}?fields=Name")
    replies = await composite(client, ACCOUNT, CONTACT, QUERY, read, allOrNone=all_or_none)
    assert [each["httpStatusCode"] for each in replies] == [201, 201, 200, 200]
    assert [each["referenceId"] for each in replies] == ["account", "contact", "found", "read"]
    assert replies[3]["body"]["Name"] == "Acme"
    [contact] = (await client.query("SELECT Account.Name FROM Contact")).body["records"]
    assert contact["Account"]["Name"] == "Acme"
    assert (await client.get("limits")).headers["Sforce-Limit-Info"] == "api-usage=3/100000"


async def test_all_or_none_takes_everything_back(client: Salesforce) -> None:
    heard: list[Any] = []
    client.org.on_commit(heard.extend)
    replies = await composite(client, ACCOUNT, BAD, CONTACT, allOrNone=True)
    assert [each["httpStatusCode"] for each in replies] == [400, 400, 400]
    codes = [each["body"][0]["errorCode"] for each in replies]
    assert codes == ["PROCESSING_HALTED", "REQUIRED_FIELD_MISSING", "PROCESSING_HALTED"]
    assert (await client.query("SELECT COUNT() FROM Account")).body["totalSize"] == 0
    assert heard == []


async def test_without_all_or_none_only_what_depends_on_a_failure_fails(client: Salesforce) -> None:
    lost = step("lost", "PATCH", "sobjects/Contact/@{bad.id}", {"LastName": "x"})
    replies = await composite(client, ACCOUNT, BAD, lost, CONTACT)
    assert [each["httpStatusCode"] for each in replies] == [201, 400, 400, 201]
    assert replies[2]["body"][0]["message"].startswith(
        "Invalid reference specified. No value for bad.id found"
    )


@pytest.mark.parametrize(
    ("steps", "code"),
    [
        ([step(f"s{number}", "GET", "limits") for number in range(26)], "LIMIT_EXCEEDED"),
        ([step(f"s{number}", "GET", "query?q=x") for number in range(6)], "LIMIT_EXCEEDED"),
        ([ACCOUNT, ACCOUNT], "INVALID_INPUT"),
        ([step("not a name", "GET", "limits")], "INVALID_INPUT"),
        ([], "MISSING_ARGUMENT"),
        (["x"], "MISSING_ARGUMENT"),
    ],
)
async def test_a_composite_that_is_out_of_bounds_is_refused_as_a_whole(
    client: Salesforce, steps: list[Any], code: str
) -> None:
    answer = await client.call("POST", "composite", {"compositeRequest": steps})
    assert (answer.status, answer.code) == (400, code)


async def test_a_step_answers_for_itself(client: Salesforce) -> None:
    replies = await composite(
        client,
        step("nested", "POST", "composite", {"compositeRequest": [ACCOUNT]}),
        {"method": "GET", "url": "https://elsewhere.example/", "referenceId": "elsewhere"},
        step("missing", "GET", "sobjects/Account/001000000000001AAA"),
        step(
            "many",
            "POST",
            "composite/sobjects",
            {"records": [{"attributes": {"type": "Account"}, "Name": "a"}]},
        ),
    )
    assert [each["httpStatusCode"] for each in replies] == [400, 400, 404, 200]
    assert replies[3]["body"][0]["success"] is True


async def test_describe_tells_types_lengths_and_relationships(client: Salesforce) -> None:
    described = (await client.get("sobjects/opportunity/describe")).body
    assert (described["name"], described["keyPrefix"], described["custom"]) == ("Opportunity", "006", False)
    fields = {field["name"]: field for field in described["fields"]}
    name = fields["Name"]
    assert (name["type"], name["length"], name["nillable"], name["nameField"]) == ("string", 120, False, True)
    account = fields["AccountId"]
    assert (account["referenceTo"], account["relationshipName"]) == (["Account"], "Account")
    amount = fields["Amount"]
    assert (amount["type"], amount["precision"], amount["scale"]) == ("currency", 18, 2)
    assert (fields["IsWon"]["createable"], fields["Id"]["updateable"]) == (False, False)
    assert "Closed Won" in {value["value"] for value in fields["StageName"]["picklistValues"]}
    [lines] = [
        child for child in described["childRelationships"] if child["childSObject"] == "OpportunityLineItem"
    ]
    assert (lines["relationshipName"], lines["field"]) == ("OpportunityLineItems", "OpportunityId")
    assert lines["cascadeDelete"] is True


async def test_every_object_is_listed_with_its_prefix(client: Salesforce) -> None:
    client.org.schema.declare({"Thing__c": {"label": "Thing", "fields": {}}})
    listed = {each["name"]: each for each in (await client.get("sobjects")).body["sobjects"]}
    expected = {"Account": "001", "Contact": "003", "Lead": "00Q", "Opportunity": "006", "Order": "801"}
    expected |= {"OpportunityLineItem": "00k", "Product2": "01t", "Contract": "800", "OrderItem": "802"}
    assert {name: listed[name]["keyPrefix"] for name in expected} == expected
    thing = listed["Thing__c"]
    assert thing["custom"] is True
    made = await client.create("Thing__c", Name="x")
    assert made.startswith(thing["keyPrefix"])


async def test_versions_and_resources_are_listed(client: Salesforce) -> None:
    async with client.http.get(client.url + "/services/data") as response:
        assert '"version":"67.0"' in await response.text()
    resources = (await client.get(V)).body
    assert resources["sobjects"] == f"{V}/sobjects"
    assert (await client.get(resources["identity"])).body["user_id"] == client.org.actor.user_id
    [organization] = (await client.query("SELECT Id, Name FROM Organization")).body["records"]
    assert organization["Id"] == client.org.org_id


async def test_a_query_is_paged_as_asked(client: Salesforce) -> None:
    client.org.load("Account", ({"Name": f"A{number}"} for number in range(2100)))
    first = (await client.query("SELECT Id FROM Account")).body
    assert (first["totalSize"], first["done"], len(first["records"])) == (2100, False, 2000)
    last = (await client.get(first["nextRecordsUrl"])).body
    assert (last["done"], len(last["records"])) == (True, 100)
    assert "nextRecordsUrl" not in last
    for asked, given in (("batchSize=250", 250), ("batchSize=1", 200), ("batchSize=9999", 2000)):
        page = await client.query("SELECT Id FROM Account", Sforce_Query_Options=asked)
        assert len(page.body["records"]) == given


async def test_a_commit_tells_who_wrote_what_from_where(client: Salesforce) -> None:
    heard: list[Any] = []
    ids = agreement(client.org)
    client.org.on_commit(heard.extend)
    options = "client=m3sync; defaultNamespace=x"
    path = f"sobjects/Opportunity/{ids['opportunity']}"
    await client.call("PATCH", path, {"Name": "New", "Amount": None}, Sforce_Call_Options=options)
    await client.call("DELETE", path)
    update, *deleted = heard
    assert update.origin == "com/salesforce/api/rest/67.0;client=m3sync"
    assert (update.change_type, update.user_id) == ("UPDATE", client.org.actor.user_id)
    assert set(update.changed) == {"Name", "LastModifiedDate", "SystemModstamp"}
    assert (update.before["Name"], update.after["Name"]) == ("Won", "New")
    assert [(each.object_name, each.change_type, each.sequence_number) for each in deleted] == [
        ("Opportunity", "DELETE", 1),
        ("OpportunityLineItem", "DELETE", 2),
    ]
    assert deleted[0].origin == "com/salesforce/api/rest/67.0"
    assert len({each.transaction_key for each in deleted}) == 1
    assert deleted[0].transaction_key != update.transaction_key


async def test_writes_of_one_transaction_are_told_once_for_each_record(client: Salesforce) -> None:
    heard: list[Any] = []
    client.org.on_commit(heard.append)
    with client.org.transaction() as tx:
        kept = tx.create("Account", {"Name": "a"})
        tx.update("Account", kept, {"Name": "b"})
        gone = tx.create("Account", {"Name": "c"})
        tx.delete("Account", gone)
    [changes] = heard
    assert [(each.record_id, each.change_type, each.after["Name"]) for each in changes] == [
        (kept, "CREATE", "b")
    ]
