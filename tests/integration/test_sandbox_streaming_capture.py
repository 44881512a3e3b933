"""Change Data Capture in the sandbox: headers and bodies of change events as Salesforce documents them."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from connectors.sandbox.salesforce.changes import Actor
from tests.bayeux import Bayeux, client_of
from tests.sandboxes import LocalSandbox

HEADER = "ChangeEventHeader"


@pytest.fixture
async def client(empty_sandbox: LocalSandbox) -> AsyncIterator[Bayeux]:
    async with client_of(empty_sandbox) as bare:
        yield await bare.listening_to("/data/ChangeEvents")


async def payloads(client: Bayeux) -> list[dict[str, Any]]:
    return [data["payload"] for data in await client.events()]


async def test_a_create_carries_a_full_header_and_its_non_empty_fields(
    client: Bayeux, empty_sandbox: LocalSandbox
) -> None:
    org = empty_sandbox.running.org
    with org.transaction(Actor(org.actor.user_id, "com/salesforce/api/rest/67.0;client=tests")) as tx:
        record_id = tx.create(
            "Account", {"Name": "Ada Freight", "BillingCity": "York", "BillingStreet": "1 Dock"}
        )
    [data] = await client.events()
    body = data["payload"]
    header = body.pop(HEADER)
    committed_at = header.pop("commitTimestamp")
    assert abs(committed_at / 1000 - org.now().timestamp()) < 60
    assert isinstance(header.pop("commitNumber"), int)
    assert len(header.pop("transactionKey")) == 36
    assert header == {
        "entityName": "Account",
        "recordIds": [record_id],
        "changeType": "CREATE",
        "changeOrigin": "com/salesforce/api/rest/67.0;client=tests",
        "sequenceNumber": 1,
        "commitUser": org.actor.user_id,
        "changedFields": [],
    }
    assert body["Name"] == "Ada Freight"
    assert body["BillingAddress"] == {"City": "York", "Street": "1 Dock"}
    assert body["CreatedDate"].endswith("Z")
    assert {"Id", "IsDeleted", "SystemModstamp", "BillingCity", "Phone"}.isdisjoint(body)
    assert len(data["schema"]) == 22


async def test_an_update_carries_what_changed_with_null_where_emptied(
    client: Bayeux, empty_sandbox: LocalSandbox
) -> None:
    org = empty_sandbox.running.org
    given = {"Name": "Ada Freight", "Phone": "01", "BillingCity": "York", "BillingStreet": "1 Dock"}
    record_id = org.create("Account", given)
    await client.events()
    org.update("Account", record_id, {"Name": "Ada Freight", "Phone": None, "BillingCity": "Hull"})
    [body] = await payloads(client)
    header = body.pop(HEADER)
    assert header["changeType"] == "UPDATE"
    assert sorted(header["changedFields"]) == ["BillingAddress.City", "LastModifiedDate", "Phone"]
    assert body.pop("LastModifiedDate").endswith("Z")
    assert body == {"Phone": None, "BillingAddress": {"City": "Hull"}}


async def test_the_modifier_is_named_only_when_it_is_another(
    client: Bayeux, empty_sandbox: LocalSandbox
) -> None:
    org = empty_sandbox.running.org
    user = {"Username": "eve@x.example", "LastName": "Eve", "Email": "eve@x.example", "Alias": "eve"}
    other = org.create("User", user)
    record_id = org.create("Account", {"Name": "Ada Freight"})
    await client.events()
    with org.transaction(Actor(other)) as tx:
        tx.update("Account", record_id, {"Name": "Ada Shipping"})
    [body] = await payloads(client)
    assert body["LastModifiedById"] == body[HEADER]["commitUser"] == other


async def test_an_update_without_a_change_is_no_event(client: Bayeux, empty_sandbox: LocalSandbox) -> None:
    org = empty_sandbox.running.org
    record_id = org.create("Account", {"Name": "Ada Freight"})
    await client.events()
    org.update("Account", record_id, {"Name": "Ada Freight"})
    assert await payloads(client) == []


async def test_a_delete_carries_no_fields_and_an_undelete_all(
    client: Bayeux, empty_sandbox: LocalSandbox
) -> None:
    org = empty_sandbox.running.org
    record_id = org.create("Account", {"Name": "Ada Freight"})
    await client.events()
    org.delete("Account", record_id)
    await empty_sandbox.salesforce_control.call("POST", "org/undelete", {"ids": [record_id]})
    deleted, undeleted = await payloads(client)
    assert list(deleted) == [HEADER]
    assert deleted[HEADER]["changeType"] == "DELETE"
    assert undeleted[HEADER]["changeType"] == "UNDELETE"
    assert undeleted["Name"] == "Ada Freight"


async def test_equal_changes_in_a_transaction_are_merged(client: Bayeux, empty_sandbox: LocalSandbox) -> None:
    org = empty_sandbox.running.org
    ids = [org.create("Account", {"Name": f"Customer {number}"}) for number in range(3)]
    await client.events()
    with org.transaction() as tx:
        tx.update("Account", ids[0], {"Industry": "Energy"})
        tx.update("Account", ids[1], {"Industry": "Media"})
        tx.update("Account", ids[2], {"Industry": "Energy"})
    first, second = await payloads(client)
    assert first[HEADER]["recordIds"] == [ids[0], ids[2]]
    assert second[HEADER]["recordIds"] == [ids[1]]
    assert [first[HEADER]["sequenceNumber"], second[HEADER]["sequenceNumber"]] == [1, 2]
    assert first[HEADER]["transactionKey"] == second[HEADER]["transactionKey"]
    assert first[HEADER]["commitNumber"] == second[HEADER]["commitNumber"]


async def test_several_writes_to_a_record_in_one_transaction_are_one_event(
    client: Bayeux, empty_sandbox: LocalSandbox
) -> None:
    with empty_sandbox.running.org.transaction() as tx:
        record_id = tx.create("Account", {"Name": "Ada Freight"})
        tx.update("Account", record_id, {"Name": "Ada Shipping"})
    [body] = await payloads(client)
    assert (body[HEADER]["changeType"], body["Name"]) == ("CREATE", "Ada Shipping")


async def test_objects_that_are_not_selected_leave_holes_in_the_sequence(
    client: Bayeux, empty_sandbox: LocalSandbox
) -> None:
    empty_sandbox.running.stream.channels.selected.discard("Lead")
    with empty_sandbox.running.org.transaction() as tx:
        tx.create("Account", {"Name": "Ada Freight"})
        tx.create("Lead", {"LastName": "Hill", "Company": "Ada"})
        tx.create("Contact", {"LastName": "Dale", "FirstName": "Jo", "Salutation": "Dr."})
    account, contact = await payloads(client)
    assert [account[HEADER]["sequenceNumber"], contact[HEADER]["sequenceNumber"]] == [1, 3]
    assert contact["Name"] == {"LastName": "Dale", "FirstName": "Jo", "Salutation": "Dr."}


async def test_a_long_text_changes_as_a_diff(client: Bayeux, empty_sandbox: LocalSandbox) -> None:
    org = empty_sandbox.running.org
    record_id = org.create("Account", {"Name": "Ada Freight", "Description": "first\n" + "a" * 1_200})
    org.update("Account", record_id, {"Description": "second\n" + "a" * 1_200})
    created, updated = await payloads(client)
    assert len(created["Description"]) == 1_206
    assert list(updated["Description"]) == ["diff"]
    assert updated["Description"]["diff"].startswith("--- \n+++ ")
    assert "-first\n+second\n" in updated["Description"]["diff"]


async def test_custom_objects_and_custom_channels_have_their_events(
    client: Bayeux, empty_sandbox: LocalSandbox
) -> None:
    running = empty_sandbox.running
    running.org.schema.declare({"Meter__c": {"fields": {"Name": {"type": "string", "length": 80}}}})
    told = await empty_sandbox.salesforce_control.fault(
        "custom_channel", name="Sales__chn", objects=["account"]
    )
    assert told == {"channel": "/data/Sales__chn"}
    for channel in ("/data/Meter__ChangeEvent", "/data/Sales__chn"):
        assert (await client.subscribe(channel))["successful"] is True
    running.org.create("Meter__c", {"Name": "m1"})
    running.org.create("Account", {"Name": "Ada Freight"})
    *messages, _ = await client.connect()
    heard = [(message["channel"], message["data"]["payload"][HEADER]["entityName"]) for message in messages]
    assert ("/data/Meter__ChangeEvent", "Meter__c") in heard
    assert ("/data/Sales__chn", "Account") in heard
    assert ("/data/Sales__chn", "Meter__c") not in heard


async def test_more_than_100000_changes_overflow(client: Bayeux, empty_sandbox: LocalSandbox) -> None:
    running = empty_sandbox.running
    running.stream.capture.overflow_after = 2
    with running.org.transaction() as tx:
        for number in range(4):
            tx.create("Account", {"Name": f"Customer {number}"})
    one, two, overflow = await payloads(client)
    assert (one["Name"], two["Name"]) == ("Customer 0", "Customer 1")
    assert overflow[HEADER]["changeType"] == "GAP_OVERFLOW"
    assert overflow[HEADER]["recordIds"] == ["000000000000000AAA"]
    assert list(overflow) == [HEADER]


async def test_gaps_overflows_and_raw_events_come_when_told(
    client: Bayeux, empty_sandbox: LocalSandbox
) -> None:
    control = empty_sandbox.salesforce_control
    record_id = "001S90000010001IAA"
    await control.fault("gap", object="Account", change_type="GAP_DELETE", record_ids=[record_id])
    await control.fault("overflow", object="Opportunity")
    await control.fault("publish", channel="/data/ChangeEvents", payload={"nothing": "known"})
    gap, overflow, raw = await payloads(client)
    assert (gap[HEADER]["changeType"], gap[HEADER]["recordIds"]) == ("GAP_DELETE", [record_id])
    assert overflow[HEADER]["changeType"] == "GAP_OVERFLOW"
    assert raw == {"nothing": "known"}


async def test_platform_events_have_their_channel(client: Bayeux, empty_sandbox: LocalSandbox) -> None:
    control = empty_sandbox.salesforce_control
    await control.fault("publish", channel="/event/Ping__e", payload={"Text__c": "before"})
    assert (await client.subscribe("/event/Ping__e"))["successful"] is True
    await control.fault("publish", channel="/event/Ping__e", payload={"Text__c": "hello"})
    assert await payloads(client) == [{"Text__c": "hello"}]


async def test_a_write_over_rest_says_which_client_it_came_from(
    client: Bayeux, empty_sandbox: LocalSandbox
) -> None:
    url = f"{empty_sandbox.salesforce['url']}/services/data/v67.0/sobjects/Account"
    headers = {"Authorization": f"Bearer {client.token}", "Sforce-Call-Options": "client=night-job"}
    async with client.http.post(url, json={"Name": "Ada Freight"}, headers=headers) as response:
        assert response.status == 201
        record_id = (await response.json())["id"]
    [body] = await payloads(client)
    assert body[HEADER]["recordIds"] == [record_id]
    assert body[HEADER]["changeOrigin"] == "com/salesforce/api/rest/67.0;client=night-job"
    assert body[HEADER]["commitUser"] == empty_sandbox.running.org.actor.user_id
