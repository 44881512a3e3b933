"""The sandbox's control API: what it can declare in the org, and how it refuses what makes no sense."""

from typing import Any

import pytest

from connectors import wire
from tests.bayeux import client_of
from tests.integration.salesforce_calls import Salesforce, logged_in
from tests.sandboxes import ControlApi, LocalSandbox

SITES = "/data/Service_Site__ChangeEvent"
METERS = """
[Meter__c]
label = "Meter"

[Meter__c.fields]
Serial__c = { type = "string", length = 20, external_id = true }
Factor__c = { type = "double", scale = 3, default = 1.5 }
Site__c = { type = "reference", to = ["Service_Site__c"], children = "Meters__r" }
"""


async def refusal(control: ControlApi, path: str, body: bytes) -> str:
    """The message of a control call that must be answered 400."""
    async with control.session.post(f"{control.base_url}/sandbox/{path}", data=body) as response:
        assert response.status == 400, await response.text()
        return str((await response.json())["message"])


async def declare(sandbox: LocalSandbox, body: bytes) -> Any:
    control = sandbox.salesforce_control
    async with control.session.post(f"{control.base_url}/sandbox/org/declare", data=body) as response:
        assert response.status == 200, await response.text()
        return await response.json()


async def test_the_shipped_org_is_upserted_by_external_id(empty_sandbox: LocalSandbox) -> None:
    async with logged_in(empty_sandbox) as client:
        created = await client.call("PATCH", "sobjects/Account/ERP_Id__c/E-1", {"Name": "Ada Freight"})
        updated = await client.call("PATCH", "sobjects/Account/ERP_Id__c/E-1", {"Name": "Ada Shipping"})
        await client.create("Account", Name="Ada Freight, entered twice", ERP_Id__c="E-1")
        several = await client.call("PATCH", "sobjects/Account/ERP_Id__c/E-1", {"Name": "Which?"})
    assert (created.status, updated.status, several.status) == (201, 200, 300)
    assert created.body["id"] == updated.body["id"]
    assert len(several.body) == 2


async def test_the_shipped_org_has_a_custom_object_with_change_events(empty_sandbox: LocalSandbox) -> None:
    async with logged_in(empty_sandbox) as client, client_of(empty_sandbox) as bare:
        listener = await bare.listening_to(SITES)
        account = await client.create("Account", Name="Ada Freight", ERP_Id__c="E-1")
        site = {"Account__r": {"ERP_Id__c": "E-1"}, "City__c": "Hull", "Opened_On__c": "2026-11-01"}
        created = await client.call("PATCH", "sobjects/Service_Site__c/Site_Code__c/HULL-1", site)
        [event] = await listener.events()
        found = await client.query(
            "SELECT (SELECT Site_Code__c, Status__c FROM Service_Sites__r) FROM Account"
        )
    assert created.status == 201
    header = event["payload"]["ChangeEventHeader"]
    assert (header["entityName"], header["recordIds"]) == ("Service_Site__c", [created.body["id"]])
    assert (event["payload"]["Account__c"], event["payload"]["City__c"]) == (account, "Hull")
    [line] = found.body["records"][0]["Service_Sites__r"]["records"]
    assert (line["Site_Code__c"], line["Status__c"]) == ("HULL-1", "Planned")


@pytest.mark.parametrize("as_json", [False, True])
async def test_objects_are_declared_while_it_runs(empty_sandbox: LocalSandbox, *, as_json: bool) -> None:
    fields: dict[str, Any] = {
        "Serial__c": {"type": "string", "length": 20, "external_id": True},
        "Factor__c": {"type": "double", "scale": 3, "default": 1.5},
        "Site__c": {"type": "reference", "to": ["Service_Site__c"], "children": "Meters__r"},
    }
    in_json = wire.dumps({"Meter__c": {"label": "Meter", "fields": fields}})
    assert await declare(empty_sandbox, in_json if as_json else METERS.encode()) == {"objects": ["Meter__c"]}
    async with logged_in(empty_sandbox) as client, client_of(empty_sandbox) as bare:
        listener = await bare.listening_to("/data/Meter__ChangeEvent")
        created = await client.call("PATCH", "sobjects/Meter__c/Serial__c/S-1", {"Name": "Main"})
        assert created.status == 201, created.body
        described = await described_field(client, "Meter__c", "Factor__c")
        [event] = await listener.events()
    assert event["payload"]["ChangeEventHeader"]["recordIds"] == [created.body["id"]]
    assert wire.dumps(event["payload"]["Factor__c"]) == b"1.5"
    assert (described["label"], described["type"]) == ("Factor", "double")


async def described_field(client: Salesforce, object_name: str, name: str) -> dict[str, Any]:
    fields = (await client.get(f"sobjects/{object_name}/describe")).body["fields"]
    found: dict[str, Any] = next(field for field in fields if field["name"] == name)
    return found


async def test_an_external_id_declared_later_finds_the_records_that_are_there(
    empty_sandbox: LocalSandbox,
) -> None:
    plain = b"[Account.fields]\nTax__c = {}"
    await declare(empty_sandbox, plain)
    async with logged_in(empty_sandbox) as client:
        account = await client.create("Account", Name="Ada Freight", Tax__c="GB 1")
        await declare(empty_sandbox, plain.replace(b"{}", b"{ external_id = true }"))
        updated = await client.call("PATCH", "sobjects/Account/Tax__c/GB%201", {"Name": "Ada Shipping"})
    assert (updated.status, updated.body["id"]) == (200, account)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"{", "Expecting"),
        (b"\xff", "utf-8"),
        (b"Meter__c = 5", "Meter__c"),
        (b"[Meter__c]\nlable = 'x'", "lable"),
        (b"[Meter__c.fields]\nX__c = { type = 'sting' }", "sting is none of the types"),
        (b"[Meter__c.fields]\nX__c = { length = 'long' }", "length"),
        (b"[Meter__c.fields]\nX__c = { type = 'reference' }", '"to"'),
        (b"[Meter__c.fields]\nX__c = { type = 'reference', to = ['Nothing'] }", "no object Nothing"),
        (b"[Meter__c.fields]\nX__c = { type = 'int', default = 'x' }", "the default cannot be"),
        (b"[Meter.fields]\nX__c = {}", "ends in __c"),
        (b"[Account.fields]\nX = {}", "ends in __c"),
        (b"[Account.fields]\nERP_Id__c = { type = 'double' }", "is of type string"),
        (b"[Meter__c]\nkey_prefix = '001'", "that of Account"),
        (b"[Meter__c.fields]\nX__c = {}\n[Nothing.fields]\nX__c = {}", "Nothing is no object"),
    ],
)
async def test_a_declaration_that_makes_no_sense_is_explained_and_leaves_nothing(
    empty_sandbox: LocalSandbox, body: bytes, words: str
) -> None:
    assert words in await refusal(empty_sandbox.salesforce_control, "org/declare", body)
    assert empty_sandbox.running.org.schema.find("Meter__c") is None


@pytest.mark.parametrize("since", ["abc", "1.5", "", "9" * 5_000])
async def test_a_journal_since_no_number_is_explained(empty_sandbox: LocalSandbox, since: str) -> None:
    control = empty_sandbox.m3ter_control
    url = f"{control.base_url}/sandbox/journal"
    async with control.session.get(url, params={"since": since}) as response:
        assert response.status == 400
        assert "since is the number of a journal entry" in (await response.json())["message"]


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"kind": "gap", "object": "Account"}, "record_ids"),
        ({"kind": "gap", "object": "Account", "record_ids": []}, "record_ids"),
        ({"kind": "gap", "object": "Account", "record_ids": ["some"]}, "record_ids"),
        ({"kind": "gap", "record_ids": ["001*"]}, "object"),
        ({"kind": "gap", "object": "Account", "record_ids": ["001*"], "change_type": "UPDATE"}, "GAP_DELETE"),
        ({"kind": "gap", "object": "Nothing", "record_ids": ["001*"]}, "no object Nothing"),
        ({"kind": "gap", "object": "User", "record_ids": ["005*"]}, "not captured"),
        ({"kind": "overflow"}, "object"),
        ({"kind": "overflow", "object": ["Account"]}, "object"),
        ({"kind": "overflow", "object": "Account", "record_ids": ["001*"]}, "record_ids"),
        ({"kind": "publish", "payload": {}}, "channel"),
        ({"kind": "publish", "channel": "/data/ChangeEvents", "payload": "text"}, "payload"),
        ({"kind": "publish", "channel": "/data/Nothing__ChangeEvent", "payload": {}}, "no channel"),
        ({"kind": "custom_channel", "name": "Sales__chn"}, "objects"),
        ({"kind": "custom_channel", "name": "Sales", "objects": ["Account"]}, "ends in __chn"),
        ({"kind": "custom_channel", "name": "Sales__chn", "objects": ["Nothing"]}, "no object Nothing"),
    ],
)
async def test_what_a_stream_cannot_be_told_is_explained(
    empty_sandbox: LocalSandbox, document: dict[str, Any], words: str
) -> None:
    message = await refusal(empty_sandbox.salesforce_control, "faults", wire.dumps(document))
    assert words in message
    assert "KeyError" not in message
    assert empty_sandbox.running.stream.bus.purge() == 0


async def test_m3ter_loads_a_list_of_entities_only(empty_sandbox: LocalSandbox) -> None:
    for body in ({"kind": "Account"}, {"kind": "Account", "rows": "x"}, {"kind": "Account", "rows": ["x"]}):
        assert "rows must be a list" in await refusal(empty_sandbox.m3ter_control, "load", wire.dumps(body))
