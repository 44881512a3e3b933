"""Records of the sandbox's Salesforce: created, read, changed, deleted, computed, hidden."""

from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.integration.salesforce_calls import Salesforce, agreement, logged_in
from tests.sandboxes import LocalSandbox


@pytest.fixture
async def client(empty_sandbox: LocalSandbox) -> AsyncIterator[Salesforce]:
    async with logged_in(empty_sandbox) as salesforce:
        yield salesforce


async def test_a_record_lives_from_creation_to_deletion(client: Salesforce) -> None:
    fields = {"Name": "Acme", "BillingStreet": "1 Main St", "BillingCity": "Leeds"}
    answer = await client.call("POST", "sobjects/Account", fields)
    record_id = answer.body["id"]
    assert answer.status == 201
    assert answer.body == {"id": record_id, "success": True, "errors": []}
    assert record_id.startswith("001")
    assert len(record_id) == 18
    assert answer.headers["Location"].endswith(f"/sobjects/Account/{record_id}")

    record = (await client.get(f"sobjects/account/{record_id[:15]}")).body
    assert record["attributes"]["type"] == "Account"
    assert record["BillingAddress"]["street"] == "1 Main St"
    assert record["Industry"] is None
    assert record["CreatedDate"] == record["LastModifiedDate"] == record["SystemModstamp"]
    assert record["OwnerId"] == record["CreatedById"] == client.org.actor.user_id

    answer = await client.call(
        "PATCH", f"sobjects/Account/{record_id}", {"Industry": "Retail", "BillingCity": None}
    )
    assert answer.status == 204
    chosen = await client.get(f"sobjects/Account/{record_id}?fields=Industry,BillingCity,Name")
    assert {name: value for name, value in chosen.body.items() if name != "attributes"} == {
        "Industry": "Retail",
        "BillingCity": None,
        "Name": "Acme",
        "Id": record_id,
    }

    assert (await client.call("DELETE", f"sobjects/Account/{record_id}")).status == 204
    for method, body in (("GET", None), ("PATCH", {"Name": "x"}), ("DELETE", None)):
        answer = await client.call(method, f"sobjects/Account/{record_id}", body)
        assert (answer.status, answer.code) == (404, "ENTITY_IS_DELETED")


async def test_a_change_moves_the_stamps_and_keeps_the_creation(client: Salesforce) -> None:
    record_id = await client.create("Account", Name="Acme")
    before = (await client.get(f"sobjects/Account/{record_id}")).body
    client.org.clock.advance(timedelta(hours=1))
    await client.call("PATCH", f"sobjects/Account/{record_id}", {"Name": "Acme 2"})
    after = (await client.get(f"sobjects/Account/{record_id}")).body
    assert after["CreatedDate"] == before["CreatedDate"]
    assert after["LastModifiedDate"] == after["SystemModstamp"] > before["SystemModstamp"]


async def test_the_org_computes_lines_stages_and_roll_ups(client: Salesforce) -> None:
    ids = agreement(client.org)
    line = (await client.get(f"sobjects/OpportunityLineItem/{ids['line']}")).body
    assert line["TotalPrice"] == Decimal("1.5")
    assert line["UnitPrice"] == line["ListPrice"] == Decimal("0.0015")
    assert (line["Product2Id"], line["ProductCode"], line["Name"]) == (ids["product"], "CALLS", "Won Calls")
    opportunity = (await client.get(f"sobjects/Opportunity/{ids['opportunity']}")).body
    assert (opportunity["IsWon"], opportunity["IsClosed"]) == (True, True)
    assert opportunity["HasOpportunityLineItem"] is True
    assert (opportunity["FiscalYear"], opportunity["FiscalQuarter"]) == (2026, 4)

    await client.call("PATCH", f"sobjects/OpportunityLineItem/{ids['line']}", {"Quantity": 2000})
    await client.call("PATCH", f"sobjects/Opportunity/{ids['opportunity']}", {"StageName": "Prospecting"})
    await client.call("PATCH", f"sobjects/Product2/{ids['product']}", {"ProductCode": "CALLS-2"})
    line = (await client.get(f"sobjects/OpportunityLineItem/{ids['line']}")).body
    assert (line["TotalPrice"], line["ProductCode"]) == (Decimal("3.0"), "CALLS-2")
    assert (await client.get(f"sobjects/Opportunity/{ids['opportunity']}")).body["IsWon"] is False


async def test_an_order_adds_up_its_items(client: Salesforce) -> None:
    ids = agreement(client.org)
    started = {"AccountId": ids["account"], "EffectiveDate": "2026-11-01", "Status": "Draft"}
    order = await client.create("Order", **started)
    for quantity in (1, 2):
        price = {"PricebookEntryId": ids["entry"], "UnitPrice": Decimal("10.25"), "Quantity": quantity}
        await client.create("OrderItem", OrderId=order, **price)
    record = (await client.get(f"sobjects/Order/{order}")).body
    assert record["TotalAmount"] == Decimal("30.75")
    assert record["OrderNumber"] == "00000100"
    assert record["StatusCode"] == "Draft"


async def test_deleting_a_parent_takes_its_lines_along_and_undeleting_brings_them_back(
    client: Salesforce, empty_sandbox: LocalSandbox
) -> None:
    ids = agreement(client.org)
    await client.call("DELETE", f"sobjects/Opportunity/{ids['opportunity']}")
    assert (await client.get(f"sobjects/OpportunityLineItem/{ids['line']}")).code == "ENTITY_IS_DELETED"
    found = await client.query("SELECT Id, IsDeleted FROM OpportunityLineItem", "queryAll")
    assert [record["IsDeleted"] for record in found.body["records"]] == [True]
    client.org.clock.advance(timedelta(minutes=5))
    await empty_sandbox.salesforce_control.call("POST", "org/undelete", {"ids": [ids["opportunity"]]})
    line = (await client.get(f"sobjects/OpportunityLineItem/{ids['line']}")).body
    minutes_ago = client.org.now() - timedelta(minutes=2)
    assert line["SystemModstamp"] > minutes_ago.isoformat() > line["CreatedDate"]
    assert (await client.get(f"sobjects/Opportunity/{ids['opportunity']}")).body[
        "HasOpportunityLineItem"
    ] is True


async def test_an_emptied_bin_leaves_nothing(client: Salesforce, empty_sandbox: LocalSandbox) -> None:
    record_id = await client.create("Account", Name="Acme")
    await client.call("DELETE", f"sobjects/Account/{record_id}")
    await empty_sandbox.salesforce_control.call("POST", "org/empty-bin", {"ids": [record_id]})
    assert (await client.get(f"sobjects/Account/{record_id}")).code == "NOT_FOUND"
    assert (await client.query("SELECT Id FROM Account", "queryAll")).body["totalSize"] == 0


async def test_what_is_not_there_and_what_may_not_be_seen_are_told_apart(
    client: Salesforce, empty_sandbox: LocalSandbox
) -> None:
    ids = agreement(client.org)
    missing = await client.get("sobjects/Account/001000000000001AAA")
    assert (missing.status, missing.code) == (404, "NOT_FOUND")
    malformed = await client.get("sobjects/Account/hello")
    assert (malformed.status, malformed.code) == (404, "NOT_FOUND")
    assert "hello" in malformed.message
    other_object = await client.get(f"sobjects/Account/{ids['opportunity']}")
    assert (other_object.status, other_object.code) == (404, "NOT_FOUND")

    await empty_sandbox.salesforce_control.call("POST", "org/hide", {"ids": [ids["account"]]})
    for method, body in (("GET", None), ("PATCH", {"Name": "x"}), ("DELETE", None)):
        hidden = await client.call(method, f"sobjects/Account/{ids['account']}", body)
        assert (hidden.status, hidden.code) == (403, "INSUFFICIENT_ACCESS_OR_READONLY")
    assert (await client.query("SELECT Id FROM Account")).body["records"] == []
    [won] = (await client.query("SELECT Account.Name FROM Opportunity")).body["records"]
    assert won["Account"] is None
    child = {"LastName": "x", "AccountId": ids["account"]}
    refused = await client.call("POST", "sobjects/Contact", child)
    assert refused.code == "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY"
    await empty_sandbox.salesforce_control.call("POST", "org/show", {"ids": [ids["account"]]})
    assert (await client.get(f"sobjects/Account/{ids['account']}")).status == 200


async def test_updated_and_deleted_records_are_listed_by_time(client: Salesforce) -> None:
    changed = await client.create("Account", Name="changed")
    gone = await client.create("Account", Name="gone")
    await client.call("DELETE", f"sobjects/Account/{gone}")
    span = "start=2026-01-01T00:00:00Z&end=2999-01-01T00:00:00%2B00:00"
    assert (await client.get(f"sobjects/Account/updated/?{span}")).code == "INVALID_REPLICATION_DATE"
    now = client.org.now()
    start, end = (now.replace(hour=0, minute=0)).isoformat(), "2999-01-01T00:00:00%2B00:00"
    span = f"start={start.replace('+', '%2B')}&end={end}"
    listed = (await client.get(f"sobjects/Account/updated/?{span}")).body
    assert listed["ids"] == [changed]
    assert listed["latestDateCovered"].endswith(":00.000+0000")
    listed = (await client.get(f"sobjects/Account/deleted/?{span}")).body
    assert [each["id"] for each in listed["deletedRecords"]] == [gone]
    assert listed["earliestDateAvailable"] < listed["latestDateCovered"]
    minute = listed["deletedRecords"][0]["deletedDate"][:16]
    late = f"start={minute}:59.999Z&end={end}"
    assert len((await client.get(f"sobjects/Account/deleted?{late}")).body["deletedRecords"]) == 1
    past = "start=" + start.replace("+", "%2B") + "&end=" + start.replace("+", "%2B")
    assert (await client.get(f"sobjects/Account/updated?{past}")).code == "INVALID_REPLICATION_DATE"


@pytest.mark.parametrize("bad", [{"ids": ["x"]}, {"ids": []}, {}, []])
async def test_a_control_call_that_makes_no_sense_is_refused(client: Salesforce, bad: Any) -> None:
    answer = await client.call("POST", "/sandbox/org/hide", bad)
    assert (answer.status, "record ids" in answer.body["message"]) == (400, True)
