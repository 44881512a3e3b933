"""Merged Accounts in the sandbox, and transactions that are told as gaps: as Salesforce does both."""

from typing import Any

import pytest

from tests.bayeux import client_of
from tests.sandboxes import ControlApi, LocalSandbox

HEADER = "ChangeEventHeader"
ALL = "/data/ChangeEvents"


def account(sandbox: LocalSandbox, name: str, **more: Any) -> str:
    return sandbox.running.org.create("Account", {"Name": name, **more})


def opportunity(sandbox: LocalSandbox, account_id: str) -> str:
    fields = {
        "AccountId": account_id,
        "Name": "Deal",
        "StageName": "Qualification",
        "CloseDate": "2027-01-01",
    }
    return sandbox.running.org.create("Opportunity", fields)


async def refused(control: ControlApi, body: dict[str, Any]) -> str:
    async with control.session.post(f"{control.base_url}/sandbox/org/merge", json=body) as response:
        assert response.status >= 400
        return await response.text()


async def test_a_merge_moves_what_belonged_to_the_losers_and_deletes_them(
    empty_sandbox: LocalSandbox,
) -> None:
    winner, first, second = [account(empty_sandbox, name) for name in ("Winner", "First", "Second")]
    deals = [opportunity(empty_sandbox, each) for each in (first, second)]
    site = empty_sandbox.running.org.create("Service_Site__c", {"Name": "Dock", "Account__c": first})
    async with client_of(empty_sandbox) as bare:
        client = await bare.listening_to(ALL)
        body = {"winner": winner, "losers": [first, second], "fields": {"Name": "Both"}}
        await empty_sandbox.salesforce_control.call("POST", "org/merge", body)
        payloads = [data["payload"] for data in await client.events()]
    told = [(each[HEADER]["changeType"], set(each[HEADER]["recordIds"])) for each in payloads]
    assert told == [
        ("DELETE", {first, second}),
        ("UPDATE", set(deals)),
        ("UPDATE", {site}),
        ("UPDATE", {winner}),
    ]
    assert len({each[HEADER]["transactionKey"] for each in payloads}) == 1
    assert payloads[1]["AccountId"] == payloads[2]["Account__c"] == winner
    org = empty_sandbox.running.org
    assert [org.table("Account").rows[each]["MasterRecordId"] for each in (first, second)] == [winner] * 2
    assert org.row(first) is None
    assert {row["AccountId"] for row in map(org.row, deals) if row} == {winner}


async def test_a_loser_brought_back_from_the_bin_is_nobodys_loser_and_gets_nothing_back(
    empty_sandbox: LocalSandbox,
) -> None:
    winner, loser = account(empty_sandbox, "Winner"), account(empty_sandbox, "Loser")
    deal = opportunity(empty_sandbox, loser)
    org = empty_sandbox.running.org
    org.merge(winner, [loser])
    org.undelete("Account", loser)
    assert (org.row(loser) or {}).get("MasterRecordId", "none") == "none"
    assert (org.row(deal) or {})["AccountId"] == winner


async def test_a_record_merged_into_its_child_is_not_its_own_parent(empty_sandbox: LocalSandbox) -> None:
    parent = account(empty_sandbox, "Parent")
    child = account(empty_sandbox, "Child", ParentId=parent)
    empty_sandbox.running.org.merge(child, [parent])
    assert "ParentId" not in (empty_sandbox.running.org.row(child) or {"ParentId": "lost"})


async def test_what_cannot_be_merged_is_refused_and_leaves_no_trace(empty_sandbox: LocalSandbox) -> None:
    control = empty_sandbox.salesforce_control
    ids = [account(empty_sandbox, f"Account {number}") for number in range(4)]
    deal = opportunity(empty_sandbox, ids[0])
    assert "cannot be merged" in await refused(control, {"winner": deal, "losers": [deal]})
    for losers in ([], [ids[0]], ids[1:], [ids[1], ids[1]]):
        assert "one or two" in await refused(control, {"winner": ids[0], "losers": losers})
    assert "record ids" in await refused(control, {"winner": ids[0], "losers": "all"})
    empty_sandbox.running.org.delete("Account", ids[3])
    assert "ENTITY_IS_DELETED" in await refused(control, {"winner": ids[0], "losers": [ids[1], ids[3]]})
    assert empty_sandbox.running.org.row(ids[1]) is not None


@pytest.mark.parametrize(
    ("manner", "change_type", "record_ids"),
    [
        ("gap", "GAP_UPDATE", None),
        ("wildcard", "GAP_UPDATE", ["001*"]),
        ("overflow", "GAP_OVERFLOW", ["000000000000000AAA"]),
    ],
)
async def test_a_transaction_can_be_told_as_a_gap_in_place_of_its_events(
    empty_sandbox: LocalSandbox, manner: str, change_type: str, record_ids: list[str] | None
) -> None:
    account_id = account(empty_sandbox, "Quiet Ltd")
    async with client_of(empty_sandbox) as bare:
        client = await bare.listening_to(ALL)
        await empty_sandbox.salesforce_control.fault("tell_as", **{"as": manner})
        for name in ("Told amiss", "Told well"):
            empty_sandbox.running.org.update("Account", account_id, {"Name": name})
        amiss, well = [data["payload"] for data in await client.events()]
    assert list(amiss) == [HEADER]
    assert amiss[HEADER]["changeType"] == change_type
    assert amiss[HEADER]["recordIds"] == (record_ids or [account_id])
    assert well["Name"] == "Told well"


async def test_a_transaction_can_be_told_unreadably_or_not_at_all(empty_sandbox: LocalSandbox) -> None:
    control = empty_sandbox.salesforce_control
    async with client_of(empty_sandbox) as bare:
        client = await bare.listening_to(ALL)
        await control.fault("tell_as", **{"as": "undecodable"})
        await control.fault("tell_as", **{"as": "nothing"})
        for name in ("One", "Two"):
            account(empty_sandbox, name)
        assert [data["payload"] for data in await client.events()] == [{HEADER: None}]
        await control.fault("tell_as", times=3, **{"as": "nothing"})
        await control.clear_faults()
        account(empty_sandbox, "Three")
        assert [data["payload"]["Name"] for data in await client.events()] == ["Three"]
