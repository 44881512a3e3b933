"""Platform events and custom channels in the sandbox: published, filtered and enriched as documented."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from connectors import wire
from tests.bayeux import Bayeux, client_of
from tests.sandboxes import LocalSandbox

HEADER = "ChangeEventHeader"
EVENT, CHANNEL, CUSTOM = "Deal_Closed__e", "/event/Deal_Closed__e", "/data/Sales__chn"
FIELDS = {
    "Opportunity_Id__c": {"type": "string", "length": 18, "required": True},
    "Closed_At__c": {"type": "datetime"},
    "Note__c": {"type": "textarea", "length": 1000},
}


@pytest.fixture
async def client(empty_sandbox: LocalSandbox) -> AsyncIterator[Bayeux]:
    empty_sandbox.running.org.schema.declare({EVENT: {"label": "Deal Closed", "fields": FIELDS}})
    async with client_of(empty_sandbox) as bare:
        await bare.handshake()
        yield bare


async def asked(client: Bayeux, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    headers = {"Authorization": f"Bearer {client.token}", "Content-Type": "application/json"}
    url = f"{client.url}/services/data/v67.0/{path}"
    data = None if body is None else wire.dumps(body)
    async with client.http.request(method, url, data=data, headers=headers) as response:
        return response.status, wire.loads(await response.read())


async def custom_channel(sandbox: LocalSandbox, **member: Any) -> None:
    member = {"object": "Account", **member}
    told = await sandbox.salesforce_control.fault("custom_channel", name="Sales__chn", members=[member])
    assert told == {"channel": CUSTOM}


async def test_a_created_event_is_heard_and_its_answer_names_it(
    client: Bayeux, empty_sandbox: LocalSandbox
) -> None:
    await client.subscribe(CHANNEL)
    event = {"Opportunity_Id__c": "006S90000010001IAA", "Closed_At__c": "2026-11-21T12:00:00Z"}
    status, answer = await asked(client, "POST", f"sobjects/{EVENT}", event)
    assert (status, answer["success"]) == (201, True)
    [enqueued] = answer["errors"]
    assert enqueued["statusCode"] == "OPERATION_ENQUEUED"
    [data] = await client.events()
    created_at = data["payload"].pop("CreatedDate")
    assert created_at.endswith("Z")
    assert data["payload"] == {
        "CreatedById": empty_sandbox.running.org.actor.user_id,
        "Opportunity_Id__c": "006S90000010001IAA",
        "Closed_At__c": "2026-11-21T12:00:00.000Z",
        "Note__c": None,
    }
    assert data["event"]["EventUuid"] == enqueued["message"]
    assert isinstance(data["event"]["replayId"], int)
    assert len(data["schema"]) == 22


async def test_events_of_a_collection_and_a_transaction_are_published_when_it_commits(
    client: Bayeux, empty_sandbox: LocalSandbox
) -> None:
    await client.subscribe(CHANNEL)
    records = [
        {"attributes": {"type": EVENT}, "Opportunity_Id__c": "006S90000010001IAA"},
        {"attributes": {"type": EVENT}},
    ]
    _, both = await asked(client, "POST", "composite/sobjects", {"allOrNone": True, "records": records})
    assert [each["success"] for each in both] == [False, False]
    assert await client.events() == []
    _, each = await asked(client, "POST", "composite/sobjects", {"records": records})
    assert each[0]["errors"][0]["statusCode"] == "OPERATION_ENQUEUED"
    assert each[1]["errors"][0]["statusCode"] == "REQUIRED_FIELD_MISSING"
    with empty_sandbox.running.org.transaction() as tx:
        tx.create(EVENT, {"Opportunity_Id__c": "006S90000010001IAA"})
        tx.roll_back()
    uuids = [data["event"]["EventUuid"] for data in await client.events()]
    assert uuids == [each[0]["errors"][0]["message"]]


async def test_an_event_is_no_record(client: Bayeux) -> None:
    _, answer = await asked(client, "POST", f"sobjects/{EVENT}", {"Opportunity_Id__c": "x"})
    for method, path, body, said in (
        ("GET", f"query?q=SELECT+ReplayId+FROM+{EVENT}", None, "does not support query"),
        ("PATCH", f"sobjects/{EVENT}/{answer['id']}", {"Note__c": "x"}, "does not support update"),
        ("DELETE", f"sobjects/{EVENT}/{answer['id']}", None, "does not support delete"),
    ):
        status, refused = await asked(client, method, path, body)
        assert (status, refused[0]["errorCode"]) == (400, "INVALID_TYPE_FOR_OPERATION")
        assert said in refused[0]["message"]
    status, described = await asked(client, "GET", f"sobjects/{EVENT}/describe")
    assert status == 200
    assert {"ReplayId", "EventUuid", "CreatedDate", "CreatedById", *FIELDS} == {
        field["name"] for field in described["fields"]
    }


@pytest.mark.parametrize("body", [{"Nothing__c": 1}, {}, {"Opportunity_Id__c": "x", "ReplayId": "5"}])
async def test_an_event_that_does_not_fit_is_refused_and_not_heard(
    client: Bayeux, body: dict[str, Any]
) -> None:
    await client.subscribe(CHANNEL)
    assert (await asked(client, "POST", f"sobjects/{EVENT}", body))[0] == 400
    assert await client.events() == []


async def test_an_event_channel_is_case_sensitive_and_must_be_declared(client: Bayeux) -> None:
    for channel in ("/event/deal_closed__e", "/event/Other__e", "/event/Account"):
        reply = await client.subscribe(channel)
        assert reply["error"] == f"400::The channel you requested to subscribe to doesn't exist {channel}"


async def test_a_platform_event_is_no_change_that_a_gap_could_stand_for(
    client: Bayeux, empty_sandbox: LocalSandbox
) -> None:
    await client.subscribe("/data/ChangeEvents")
    await empty_sandbox.salesforce_control.fault("tell_as", **{"as": "gap"})
    org = empty_sandbox.running.org
    org.create(EVENT, {"Opportunity_Id__c": "x"})
    org.create("Account", {"Name": "Ada Freight"})
    [data] = await client.events()
    assert data["payload"][HEADER]["changeType"] == "GAP_CREATE"


async def test_a_filtered_member_hears_only_what_passes_with_the_fields_of_its_filter(
    client: Bayeux, empty_sandbox: LocalSandbox
) -> None:
    await custom_channel(
        empty_sandbox, filter="Industry = 'banking' AND ChangeEventHeader.changeType != 'DELETE'"
    )
    await client.subscribe(CUSTOM)
    org = empty_sandbox.running.org
    bank = org.create("Account", {"Name": "Bank", "Industry": "Banking"})
    other = org.create("Account", {"Name": "Other"})
    for record_id in (bank, other):
        org.update("Account", record_id, {"Phone": "1"})
        org.delete("Account", record_id)
    created, updated = [data["payload"] for data in await client.events()]
    assert (created[HEADER]["recordIds"], created["Industry"]) == ([bank], "Banking")
    assert updated[HEADER]["changedFields"] == ["Phone", "LastModifiedDate"]
    assert (updated[HEADER]["recordIds"], updated["Industry"]) == ([bank], "Banking")


async def test_updates_and_deletes_carry_enriched_fields_that_are_not_empty(
    client: Bayeux, empty_sandbox: LocalSandbox
) -> None:
    await custom_channel(empty_sandbox, enriched_fields=["Industry", "AccountNumber", "BillingCity"])
    await client.subscribe(CUSTOM)
    await client.subscribe("/data/ChangeEvents")
    org = empty_sandbox.running.org
    record_id = org.create("Account", {"Name": "Ada", "Industry": "Banking", "BillingCity": "York"})
    org.update("Account", record_id, {"BillingStreet": "1 Dock"})
    org.delete("Account", record_id)
    *messages, _ = await client.connect()
    bodies: dict[str, list[dict[str, Any]]] = {CUSTOM: [], "/data/ChangeEvents": []}
    for message in messages:
        body = message["data"]["payload"]
        names = {name: value for name, value in body.items() if name in ("Industry", "BillingAddress")}
        bodies[message["channel"]].append(names)
    assert bodies[CUSTOM][1:] == [
        {"Industry": "Banking", "BillingAddress": {"City": "York", "Street": "1 Dock"}},
        {"Industry": "Banking", "BillingAddress": {"City": "York"}},
    ]
    assert bodies["/data/ChangeEvents"][1:] == [{"BillingAddress": {"Street": "1 Dock"}}, {}]


async def test_a_replayed_event_is_enriched_with_the_latest_values_but_keeps_what_changed(
    client: Bayeux, empty_sandbox: LocalSandbox
) -> None:
    await custom_channel(empty_sandbox, enriched_fields=["Industry", "Phone"])
    org = empty_sandbox.running.org
    record_id = org.create("Account", {"Name": "Ada", "Industry": "Banking"})
    org.update("Account", record_id, {"Phone": "1"})
    org.update("Account", record_id, {"Phone": "2", "Industry": "Energy"})
    org.update("Account", record_id, {"Phone": None})
    await client.subscribe(CUSTOM, -2)
    _, first, second, third = [data["payload"] for data in await client.events()]
    assert (first["Phone"], first["Industry"]) == ("1", "Energy")
    assert (second["Phone"], second["Industry"]) == ("2", "Energy")
    assert third["Phone"] is None


async def test_merged_records_come_singly_with_one_replay_id_when_enriched(
    client: Bayeux, empty_sandbox: LocalSandbox
) -> None:
    await custom_channel(empty_sandbox, enriched_fields=["AccountNumber"])
    org = empty_sandbox.running.org
    ids = [org.create("Account", {"Name": f"Ada {n}", "AccountNumber": f"N{n}"}) for n in range(3)]
    await client.subscribe(CUSTOM)
    await client.subscribe("/data/ChangeEvents")
    with org.transaction() as tx:
        for record_id in ids:
            tx.update("Account", record_id, {"Phone": "1"})
    *messages, _ = await client.connect()
    single = [message["data"] for message in messages if message["channel"] == CUSTOM]
    [merged] = [message["data"] for message in messages if message["channel"] != CUSTOM]
    assert merged["payload"][HEADER]["recordIds"] == ids
    assert [data["payload"][HEADER]["recordIds"] for data in single] == [[each] for each in ids]
    assert [data["payload"]["AccountNumber"] for data in single] == ["N0", "N1", "N2"]
    assert {data["event"]["replayId"] for data in single} == {merged["event"]["replayId"]}


async def test_gaps_are_neither_filtered_nor_enriched(client: Bayeux, empty_sandbox: LocalSandbox) -> None:
    await custom_channel(empty_sandbox, filter="Industry = 'Banking'", enriched_fields=["Phone"])
    await client.subscribe(CUSTOM)
    record_id = empty_sandbox.running.org.create("Account", {"Name": "Ada", "Phone": "1"})
    await empty_sandbox.salesforce_control.fault("gap", object="Account", record_ids=[record_id])
    await empty_sandbox.salesforce_control.fault("overflow", object="Account")
    payloads = [data["payload"] for data in await client.events()]
    assert [list(payload) for payload in payloads] == [[HEADER], [HEADER]]


@pytest.mark.parametrize(
    ("member", "message"),
    [
        ({"filter": "NOT Name = 'x'"}, "NOT is not supported"),
        ({"filter": "CreatedDate = TODAY"}, "date literals"),
        ({"filter": "Id IN (SELECT AccountId FROM Contact)"}, "sub-selects"),
        ({"filter": "ChangeEventHeader.recordIds = 'x'"}, "recordIds is not supported"),
        ({"filter": "Owner.Name = 'x'"}, "No such field 'Owner.Name'"),
        ({"filter": "Name = 'x' LIMIT 1"}, "no filter expression"),
        ({"filter": "Nothing = 1"}, "No such field 'Nothing'"),
        ({"filter": "Name ="}, "unexpected token"),
        ({"enriched_fields": ["Nothing"]}, "No such field 'Nothing'"),
        ({"object": "Nothing"}, "no object Nothing"),
    ],
)
async def test_a_member_that_cannot_be_is_refused(
    client: Bayeux, empty_sandbox: LocalSandbox, member: dict[str, Any], message: str
) -> None:
    body = {"kind": "custom_channel", "name": "Sales__chn", "members": [{"object": "Account", **member}]}
    url = f"{empty_sandbox.salesforce['url']}/sandbox/faults"
    async with client.http.post(url, data=wire.dumps(body)) as response:
        assert response.status == 400
        assert message in await response.text()
    assert (await client.subscribe(CUSTOM))["successful"] is False
