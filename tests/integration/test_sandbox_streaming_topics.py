"""PushTopics in the sandbox: refused, notified and retained as Salesforce documents it."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from connectors import wire
from tests.bayeux import Bayeux, client_of
from tests.sandboxes import LocalSandbox

CHANNEL = "/topic/WonDeals"
QUERY = "SELECT Id, Name, StageName FROM Opportunity WHERE StageName = 'Closed Won'"


@pytest.fixture
async def client(empty_sandbox: LocalSandbox) -> AsyncIterator[Bayeux]:
    async with client_of(empty_sandbox) as bare:
        await bare.handshake()
        yield bare


async def made(client: Bayeux, **fields: Any) -> tuple[int, Any]:
    """The answer to the creation of a PushTopic by REST."""
    body = {"Name": "WonDeals", "Query": QUERY, "ApiVersion": 67.0, **fields}
    headers = {"Authorization": f"Bearer {client.token}", "Content-Type": "application/json"}
    url = f"{client.url}/services/data/v67.0/sobjects/PushTopic"
    async with client.http.post(url, data=wire.dumps(body), headers=headers) as response:
        return response.status, wire.loads(await response.read())


async def heard(client: Bayeux, **fields: Any) -> None:
    """A client that hears a topic made so."""
    status, body = await made(client, **fields)
    assert status == 201, body
    assert (await client.subscribe(f"/topic/{fields.get('Name', 'WonDeals')}"))["successful"]


def deal(sandbox: LocalSandbox, stage: str = "Closed Won", **fields: Any) -> str:
    given = {"Name": "Ada 2026", "StageName": stage, "CloseDate": "2026-12-31", **fields}
    return sandbox.running.org.create("Opportunity", given)


async def kinds(client: Bayeux) -> list[str]:
    return [data["event"]["type"] for data in await client.events()]


async def hours_later(client: Bayeux, sandbox: LocalSandbox, hours: int) -> None:
    """The same client with a new token and a new session."""
    await sandbox.salesforce_control.advance_clock(hours * 3600)
    org = sandbox.running.org
    client.token = org.sessions.open(org.actor.user_id).token
    await client.handshake()


async def test_a_topic_tells_what_its_query_selects(client: Bayeux, empty_sandbox: LocalSandbox) -> None:
    await heard(client)
    record_id = deal(empty_sandbox)
    [data] = await client.events()
    assert data["sobject"] == {"Id": record_id, "Name": "Ada 2026", "StageName": "Closed Won"}
    assert sorted(data["event"]) == ["createdDate", "replayId", "type"]
    assert data["event"]["type"] == "created"
    assert data["event"]["createdDate"].endswith("Z")


async def test_a_record_is_told_while_it_matches_the_query(
    client: Bayeux, empty_sandbox: LocalSandbox
) -> None:
    await heard(client)
    org = empty_sandbox.running.org
    record_id = deal(empty_sandbox, "Prospecting")
    assert await kinds(client) == []
    org.update("Opportunity", record_id, {"StageName": "Closed Won"})
    org.delete("Opportunity", record_id)
    org.undelete("Opportunity", record_id)
    org.update("Opportunity", record_id, {"StageName": "Closed Lost"})
    assert await kinds(client) == ["updated", "deleted", "undeleted"]


async def test_a_deleted_record_is_told_by_its_id(client: Bayeux, empty_sandbox: LocalSandbox) -> None:
    await heard(client)
    record_id = deal(empty_sandbox)
    empty_sandbox.running.org.delete("Opportunity", record_id)
    _, deleted = await client.events()
    assert deleted["sobject"] == {"Id": record_id}


@pytest.mark.parametrize(
    ("notify_for", "changed", "is_told"),
    [
        ("All", {"Amount": 5}, True),
        ("Referenced", {"Amount": 5}, False),
        ("Referenced", {"Name": "B"}, True),
        ("Referenced", {"StageName": "Closed Won", "Probability": 90}, False),
        ("Select", {"Name": "B"}, True),
        ("Select", {"Description": "B"}, True),
        ("Where", {"Name": "B"}, False),
        ("Where", {"LeadSource": "Web"}, True),
    ],
)
async def test_which_fields_count_is_said_by_notify_for_fields(
    client: Bayeux, empty_sandbox: LocalSandbox, notify_for: str, changed: dict[str, Any], *, is_told: bool
) -> None:
    where = "StageName = 'Closed Won' AND LeadSource != 'Other'"
    query = f"SELECT Id, Name, Description FROM Opportunity WHERE {where}"
    record_id = deal(empty_sandbox)
    await heard(client, Query=query, NotifyForFields=notify_for)
    empty_sandbox.running.org.update("Opportunity", record_id, changed)
    assert await kinds(client) == ["updated"] * is_told


@pytest.mark.parametrize(
    ("operation", "left"),
    [
        ("Create", ["updated", "deleted", "undeleted"]),
        ("Update", ["created", "deleted", "undeleted"]),
        ("Delete", ["created", "updated", "undeleted"]),
        ("Undelete", ["created", "updated", "deleted"]),
    ],
)
async def test_operations_can_be_left_out(
    client: Bayeux, empty_sandbox: LocalSandbox, operation: str, left: list[str]
) -> None:
    await heard(client, **{f"NotifyForOperation{operation}": False})
    org = empty_sandbox.running.org
    record_id = deal(empty_sandbox)
    org.update("Opportunity", record_id, {"Name": "B"})
    org.delete("Opportunity", record_id)
    org.undelete("Opportunity", record_id)
    assert await kinds(client) == left


async def test_a_changed_query_takes_effect_at_once(client: Bayeux, empty_sandbox: LocalSandbox) -> None:
    org = empty_sandbox.running.org
    _, body = await made(client)
    await client.subscribe(CHANNEL)
    org.update("PushTopic", body["id"], {"Query": "SELECT Id, Name FROM Account"})
    deal(empty_sandbox)
    account_id = org.create("Account", {"Name": "Ada Freight"})
    assert [data["sobject"]["Id"] for data in await client.events()] == [account_id]


async def test_only_an_active_topic_of_this_very_name_can_be_heard(
    client: Bayeux, empty_sandbox: LocalSandbox
) -> None:
    _, body = await made(client)
    empty_sandbox.running.org.update("PushTopic", body["id"], {"IsActive": False})
    for channel in (CHANNEL, "/topic/wondeals", "/topic/Nothing"):
        reply = await client.subscribe(channel)
        wanted = f"400::The channel you requested to subscribe to doesn't exist {channel}"
        assert (reply["successful"], reply["error"]) == (False, wanted)
    empty_sandbox.running.org.update("PushTopic", body["id"], {"IsActive": True})
    assert (await client.subscribe(CHANNEL))["successful"] is True
    empty_sandbox.running.org.delete("PushTopic", body["id"])
    assert (await client.subscribe(CHANNEL))["successful"] is False


async def test_notifications_are_kept_for_a_day_and_change_events_for_three(
    client: Bayeux, empty_sandbox: LocalSandbox
) -> None:
    await heard(client)
    await client.subscribe("/data/ChangeEvents")
    deal(empty_sandbox)
    change, told = await client.events()
    await hours_later(client, empty_sandbox, 23)
    assert (await client.subscribe(CHANNEL, told["event"]["replayId"]))["successful"] is True
    await hours_later(client, empty_sandbox, 2)
    assert (await client.subscribe("/data/ChangeEvents", change["event"]["replayId"]))["successful"] is True
    refused = await client.subscribe(CHANNEL, told["event"]["replayId"])
    assert refused["error"].startswith(
        f"400::The replayId {told['event']['replayId']} you provided was invalid"
    )
    assert (await client.subscribe(CHANNEL, -2))["successful"] is True
    assert await client.events() == []


async def test_a_replay_id_of_another_channel_is_refused(client: Bayeux, empty_sandbox: LocalSandbox) -> None:
    await heard(client)
    await client.subscribe("/data/ChangeEvents")
    deal(empty_sandbox)
    change, told = await client.events()
    for channel, other in ((CHANNEL, change), ("/data/ChangeEvents", told)):
        reply = await client.subscribe(channel, other["event"]["replayId"])
        assert reply["successful"] is False


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("SELECT Name FROM Account", "Id field must be"),
        ("SELECT Id FROM Account", "needs a field other than Id"),
        ("SELECT Id, Name FROM Account ORDER BY Name", "'ORDER BY' clause is not allowed"),
        ("SELECT Id, Name FROM Account LIMIT 10", "'LIMIT' is not allowed"),
        ("SELECT Id, Name FROM Account OFFSET 0", "'OFFSET' is not allowed"),
        ("SELECT Id, Account.Name FROM Contact", "relationships are not supported"),
        ("SELECT Id, (SELECT Id FROM Contacts) FROM Account", "relationships are not supported"),
        ("SELECT Id, Name FROM Contact WHERE Account.Name = 'x'", "relationships are not supported"),
        ("SELECT Id, COUNT(Name) FROM Account", "Aggregate queries are not supported"),
        ("SELECT Id, AVG(NumberOfEmployees) FROM Account", "Aggregate queries are not supported"),
        ("SELECT Id, Name FROM Account GROUP BY Name", "Aggregate queries are not supported"),
        ("SELECT Id, Name FROM Account WHERE NOT Name = 'x'", "'NOT' is not supported"),
        (
            "SELECT Id, Name FROM Account WHERE Id IN (SELECT AccountId FROM Contact)",
            "semi/anti join sub-selects are not supported",
        ),
        ("SELECT Id, Name FROM Account WHERE Description = 'x'", "can not be filtered"),
        ("SELECT Id, Name FROM OpportunityLineItem", "OpportunityLineItem is not supported"),
        ("SELECT Id, Name FROM Nothing__c", "Nothing__c is not supported"),
        ("SELECT Id, Nothing FROM Account", "No such column 'Nothing'"),
        ("SELECT Id, Name FROM Opportunity WHERE Amount = 'x'", "must be of type"),
        ("SELECT Id, Name", "unexpected token"),
        (f"SELECT Id, Name FROM Account WHERE Name = '{'x' * 1300}'", "max length=1300"),
    ],
)
async def test_a_query_that_no_topic_can_have_is_refused(client: Bayeux, query: str, message: str) -> None:
    status, body = await made(client, Query=query)
    assert status == 400
    assert message in body[0]["message"]
    assert (await client.subscribe(CHANNEL))["successful"] is False


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"Name": "x" * 26}, "STRING_TOO_LONG"),
        ({"Name": None}, "REQUIRED_FIELD_MISSING"),
        ({"ApiVersion": None}, "REQUIRED_FIELD_MISSING"),
        ({"ApiVersion": 20.0}, "INVALID_FIELD"),
        ({"NotifyForFields": "Some"}, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"),
        ({"NotifyForFields": "Where", "Query": "SELECT Id, Name FROM Account"}, "INVALID_FIELD"),
    ],
)
async def test_a_topic_that_cannot_be_is_refused(client: Bayeux, fields: dict[str, Any], code: str) -> None:
    status, body = await made(client, **fields)
    assert (status, body[0]["errorCode"]) == (400, code)


async def test_two_topics_cannot_have_one_name(client: Bayeux) -> None:
    assert (await made(client))[0] == 201
    status, body = await made(client)
    assert (status, body[0]["errorCode"]) == (400, "DUPLICATE_VALUE")


async def test_not_in_and_a_name_of_25_characters_are_well(client: Bayeux) -> None:
    query = "SELECT Id, Name FROM Opportunity WHERE StageName NOT IN ('Prospecting', 'Closed Lost')"
    assert (await made(client, Name="x" * 25, Query=query))[0] == 201
