"""Gap and overflow events of the sandbox as a Bayeux client sees them: told to, or brought about."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.bayeux import Bayeux, client_of
from tests.sandboxes import LocalSandbox

HEADER = "ChangeEventHeader"
ACCOUNTS = "/data/AccountChangeEvent"
NO_RECORD = "000000000000000AAA"
RECORDS = ["001S90000010001IAA", "001S90000010002IAA"]
FULL_HEADER = {
    "entityName", "recordIds", "changeType", "changeOrigin", "transactionKey", "sequenceNumber",
    "commitTimestamp", "commitUser", "commitNumber", "changedFields",
}  # fmt: skip


@pytest.fixture
async def client(empty_sandbox: LocalSandbox) -> AsyncIterator[Bayeux]:
    async with client_of(empty_sandbox) as bare:
        yield await bare.listening_to(ACCOUNTS)


async def heard(client: Bayeux) -> list[dict[str, Any]]:
    """The headers of the events that are there, each without any data beside its header."""
    payloads = [data["payload"] for data in await client.events()]
    assert all(list(payload) == [HEADER] for payload in payloads), payloads
    assert all(set(payload[HEADER]) == FULL_HEADER for payload in payloads), payloads
    return [payload[HEADER] for payload in payloads]


@pytest.mark.parametrize("change_type", ["GAP_CREATE", "GAP_UPDATE", "GAP_DELETE", "GAP_UNDELETE"])
@pytest.mark.parametrize("record_ids", [RECORDS, ["001*"]])
async def test_a_gap_event_names_records_and_carries_no_data(
    client: Bayeux, empty_sandbox: LocalSandbox, change_type: str, record_ids: list[str]
) -> None:
    control = empty_sandbox.salesforce_control
    told = await control.fault("gap", object="account", change_type=change_type, record_ids=record_ids)
    [header] = await heard(client)
    assert (header["entityName"], header["changeType"]) == ("Account", change_type)
    assert (header["recordIds"], header["changedFields"]) == (record_ids, [])
    assert (header["sequenceNumber"], len(header["transactionKey"])) == (1, 36)
    assert abs(header["commitTimestamp"] / 1000 - empty_sandbox.running.clock.now().timestamp()) < 60
    assert (await client.subscribe(ACCOUNTS, told["replay_id"]))["successful"]
    assert await client.events() == []  # it has a place in the stream, and what follows is after it


async def test_an_overflow_event_names_its_object_and_no_record(
    client: Bayeux, empty_sandbox: LocalSandbox
) -> None:
    await empty_sandbox.salesforce_control.fault("overflow", object="Account")
    await empty_sandbox.salesforce_control.fault("overflow", object="Contact")
    [header] = await heard(client)
    assert (header["entityName"], header["changeType"]) == ("Account", "GAP_OVERFLOW")
    assert (header["recordIds"], header["changedFields"]) == ([NO_RECORD], [])


async def test_each_object_of_a_transaction_that_is_too_large_has_one_overflow_event(
    empty_sandbox: LocalSandbox,
) -> None:
    running = empty_sandbox.running
    running.stream.capture.overflow_after = 0
    async with client_of(empty_sandbox) as bare:
        client = await bare.listening_to("/data/ChangeEvents")
        with running.org.transaction() as tx:
            for number in range(3):
                tx.create("Account", {"Name": f"Customer {number}"})
                tx.create("Contact", {"LastName": f"Person {number}"})
        headers = await heard(client)
    assert [(each["entityName"], each["changeType"], each["recordIds"]) for each in headers] == [
        ("Account", "GAP_OVERFLOW", [NO_RECORD]),
        ("Contact", "GAP_OVERFLOW", [NO_RECORD]),
    ]
    assert len({each["transactionKey"] for each in headers}) == 1


async def test_a_change_of_more_than_a_megabyte_is_told_as_a_gap(
    client: Bayeux, empty_sandbox: LocalSandbox
) -> None:
    org = empty_sandbox.running.org
    org.schema.declare({"Account": {"fields": {"Story__c": {"type": "textarea", "length": 2_000_000}}}})
    record_id = org.create("Account", {"Name": "Ada Freight", "Story__c": "x" * 1_100_000})
    org.update("Account", record_id, {"Name": "Ada Shipping"})
    org.delete("Account", record_id)
    org.undelete("Account", record_id)
    created, updated, deleted, undeleted = [data["payload"] for data in await client.events()]
    for payload, change_type in ((created, "GAP_CREATE"), (undeleted, "GAP_UNDELETE")):
        assert list(payload) == [HEADER]
        assert (payload[HEADER]["changeType"], payload[HEADER]["recordIds"]) == (change_type, [record_id])
    assert (updated[HEADER]["changeType"], updated["Name"]) == ("UPDATE", "Ada Shipping")
    assert deleted[HEADER]["changeType"] == "DELETE"


async def test_a_deafened_session_gets_no_event_and_no_error_and_a_new_one_gets_all(
    client: Bayeux, empty_sandbox: LocalSandbox
) -> None:
    told = await empty_sandbox.salesforce_control.fault("gap", object="Account", record_ids=RECORDS)
    assert [each["recordIds"] for each in await heard(client)] == [RECORDS]
    assert await empty_sandbox.salesforce_control.fault("deafen") == {"deafened": 1}
    await empty_sandbox.salesforce_control.fault("overflow", object="Account")
    assert await client.events() == []
    async with client_of(empty_sandbox) as other:
        assert (await other.handshake())["successful"]
        assert (await other.subscribe(ACCOUNTS, told["replay_id"]))["successful"]
        assert [each["changeType"] for each in await heard(other)] == ["GAP_OVERFLOW"]
