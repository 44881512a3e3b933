"""Metadata deployed to the sandbox over REST: applied to the org, or refused component by component."""

import io
import zipfile
from collections.abc import AsyncIterator, Mapping
from typing import Any

import aiohttp
import pytest

from connectors import wire
from daemon.to_salesforce import metadata
from tests.sandboxes import LocalSandbox

HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'
SPACE = 'xmlns="http://soap.sforce.com/2006/04/metadata"'
OBJECT = (
    "<label>Site</label><pluralLabel>Sites</pluralLabel><deploymentStatus>Deployed</deploymentStatus>"
    "<nameField><label>Name</label><type>Text</type></nameField><sharingModel>ReadWrite</sharingModel>"
)
KEY = (
    "<fields><fullName>Key__c</fullName><label>Key</label><type>Text</type><length>40</length>"
    "<externalId>true</externalId><unique>true</unique><required>true</required></fields>"
)


def manifest(**members: str) -> str:
    types = "".join(
        f"<types><members>{member}</members><name>{kind}</name></types>" for kind, member in members.items()
    )
    return f"{HEAD}<Package {SPACE}>{types}<version>67.0</version></Package>"


def site(fields: str = KEY, body: str = OBJECT) -> dict[str, str]:
    """A package of one object."""
    return {
        "package.xml": manifest(CustomObject="Site__c"),
        "objects/Site__c.object": f"{HEAD}<CustomObject {SPACE}>{body}{fields}</CustomObject>",
    }


def zipped(files: Mapping[str, str | bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return out.getvalue()


class Metadata:
    """The deployRequest resource as a client sees it."""

    def __init__(self, session: aiohttp.ClientSession, sandbox: LocalSandbox) -> None:
        self.session = session
        self.org = sandbox.running.org
        token = self.org.sessions.open(self.org.actor.user_id).token
        self.headers = {"Authorization": f"Bearer {token}"}
        self.url = f"{sandbox.salesforce['url']}/services/data/v67.0/metadata/deployRequest"

    async def send(self, content: bytes, **options: Any) -> tuple[int, Any]:
        form = aiohttp.FormData()
        asked = wire.dumps({"deployOptions": {"singlePackage": True, **options}})
        form.add_field("json", asked.decode(), content_type="application/json")
        form.add_field("file", content, filename="deploy.zip", content_type="application/zip")
        async with self.session.post(self.url, data=form, headers=self.headers) as response:
            return response.status, wire.loads(await response.read())

    async def deploy(self, files: Mapping[str, str | bytes], **options: Any) -> dict[str, Any]:
        """The deployResult once it is done."""
        status, made = await self.send(zipped(files), **options)
        assert status == 201, made
        while True:
            url = f"{self.url}/{made['id']}?includeDetails=true"
            async with self.session.get(url, headers=self.headers) as response:
                answer: Any = wire.loads(await response.read())
            result: dict[str, Any] = answer["deployResult"]
            if result["done"]:
                return result


@pytest.fixture
async def api(empty_sandbox: LocalSandbox) -> AsyncIterator[Metadata]:
    async with aiohttp.ClientSession() as session:
        yield Metadata(session, empty_sandbox)


def problems(result: dict[str, Any]) -> dict[str, str]:
    assert result["status"] == "Failed"
    return {each["fullName"]: each["problem"] for each in result["details"]["componentFailures"]}


async def test_an_object_is_deployed_and_takes_records_at_once(api: Metadata) -> None:
    fields = KEY + (
        "<fields><fullName>Size__c</fullName><label>Size</label><type>Number</type>"
        "<precision>8</precision><scale>2</scale></fields>"
        "<fields><fullName>Note__c</fullName><label>Note</label><type>LongTextArea</type>"
        "<length>1000</length><visibleLines>3</visibleLines></fields>"
        "<fields><fullName>On__c</fullName><label>On</label><type>Checkbox</type>"
        "<defaultValue>true</defaultValue></fields>"
        "<fields><fullName>Account__c</fullName><label>Account</label><type>Lookup</type>"
        "<referenceTo>Account</referenceTo><relationshipName>Sites</relationshipName></fields>"
        "<fields><fullName>Kind__c</fullName><label>Kind</label><type>Picklist</type><valueSet>"
        "<restricted>true</restricted><valueSetDefinition><sorted>false</sorted><value><fullName>A</fullName>"
        "<default>false</default><label>A</label></value></valueSetDefinition></valueSet></fields>"
    )
    result = await api.deploy(site(fields))
    assert (result["status"], result["numberComponentErrors"]) == ("Succeeded", 0), result
    assert {each["fullName"] for each in result["details"]["componentSuccesses"]} >= {
        "Site__c",
        "Site__c.Account__c",
    }
    account = api.org.create("Account", {"Name": "a"})
    record = api.org.create("Site__c", {"Name": "s", "Key__c": "k", "Account__c": account, "Kind__c": "A"})
    row = api.org.row(record)
    assert row is not None
    assert row["On__c"] is True
    owner = api.org.schema.find("Site__c")
    assert owner is not None
    assert [(f.type, f.length, f.is_required) for f in (owner.fields["key__c"], owner.fields["note__c"])] == [
        ("string", 40, True),
        ("textarea", 1000, False),
    ]
    again = await api.deploy(site(fields))
    assert not any(each["created"] for each in again["details"]["componentSuccesses"])


async def test_the_package_of_m3sync_is_deployed(api: Metadata) -> None:
    files = metadata.package()
    result = await api.deploy(files)
    assert (result["status"], result["details"]["componentFailures"]) == ("Succeeded", [])
    for name in files:
        if name.startswith("objects/"):
            assert api.org.schema.find(name.removeprefix("objects/").removesuffix(".object")) is not None


async def test_a_check_changes_nothing(api: Metadata) -> None:
    result = await api.deploy(site(), checkOnly=True)
    assert (result["status"], result["checkOnly"]) == ("Succeeded", True)
    assert api.org.schema.find("Site__c") is None


@pytest.mark.parametrize(
    ("field", "problem"),
    [
        ("<type>Txt</type>", "'Txt' is not a valid value for the enum 'FieldType'"),
        ("<type>Text</type>", "Must specify 'length' for a CustomField of type Text"),
        ("<type>Checkbox</type>", "Must specify 'defaultValue' for a CustomField of type Checkbox"),
        ("<type>Text</type><length>300</length>", "Invalid length: 300 is not between 1 and 255"),
        (
            "<type>Lookup</type><referenceTo>No__c</referenceTo>",
            "referenceTo value of 'No__c' does not resolve to a valid sObject type",
        ),
        (
            "<type>Date</type><externalId>true</externalId>",
            "Can not specify 'externalId' for a CustomField of type Date",
        ),
    ],
)
async def test_a_field_that_cannot_be_is_refused(api: Metadata, field: str, problem: str) -> None:
    bad = f"<fields><fullName>Bad__c</fullName><label>Bad</label>{field}</fields>"
    assert problems(await api.deploy(site(KEY + bad))) == {"Site__c.Bad__c": problem}
    assert api.org.schema.find("Site__c") is None, "one refusal takes everything back"
    result = await api.deploy(site(KEY + bad), rollbackOnError=False)
    assert result["status"] == "SucceededPartial"
    owner = api.org.schema.find("Site__c")
    assert owner is not None
    assert (owner.find("Key__c") is not None, owner.find("Bad__c")) == (True, None)


async def test_an_element_that_is_not_documented_is_refused_with_its_place(api: Metadata) -> None:
    result = await api.deploy(site(body=OBJECT + "<colour>red</colour>"))
    (failure,) = result["details"]["componentFailures"]
    assert failure["problem"].startswith(
        "Error parsing file: Element {http://soap.sforce.com/2006/04/metadata}colour"
        " invalid at this location in type CustomObject"
    )
    assert (failure["lineNumber"], failure["problemType"]) == (2, "Error")


@pytest.mark.parametrize(
    ("files", "problem"),
    [
        (site(body=""), "Must specify a non-empty label for the CustomObject"),
        ({**site(), "package.xml": manifest(CustomTab="Other__c")}, "Not in package.xml"),
        ({"objects/Site__c.object": "x"}, "No package.xml found"),
        (
            {"package.xml": manifest(CustomObject="Gone__c")},
            (
                "An object 'Gone__c' of type CustomObject was named in package.xml, "
                "but was not found in zipped directory"
            ),
        ),
        (
            {**site(), "objects/Site__c.object": f'<!DOCTYPE x [<!ENTITY a "b">]><CustomObject {SPACE}/>'},
            "Error parsing file: DOCTYPE is not allowed",
        ),
        ({**site(), "objects/Site__c.object": "<CustomObject"}, "Error parsing file: unclosed token"),
    ],
)
async def test_a_package_that_cannot_be_is_refused(
    api: Metadata, files: dict[str, str], problem: str
) -> None:
    assert problem in problems(await api.deploy(files)).values()


async def test_a_namespace_that_is_not_the_orgs_is_refused(api: Metadata) -> None:
    files = {
        "package.xml": manifest(CustomObject="m3__Site__c"),
        "objects/m3__Site__c.object": site()["objects/Site__c.object"],
    }
    assert (
        "Cannot create a new component with the namespace: m3."
        in problems(await api.deploy(files))["m3__Site__c"]
    )


async def test_permissions_layouts_and_tabs_must_fit_the_objects(api: Metadata) -> None:
    permissions = (
        f"<PermissionSet {SPACE}><label>P</label><fieldPermissions><editable>true</editable>"
        "<field>Site__c.{}</field><readable>true</readable></fieldPermissions></PermissionSet>"
    )
    members = {
        "CustomObject": "Site__c",
        "PermissionSet": "P",
        "Layout": "Site__c-Site Layout",
        "CustomTab": "No__c",
    }
    files = {
        **site(),
        "package.xml": manifest(**members),
        "permissionsets/P.permissionset": permissions.format("Key__c"),
        "layouts/Site__c-Site Layout.layout": f"<Layout {SPACE}/>",
        "tabs/No__c.tab": f"<CustomTab {SPACE}><customObject>true</customObject><motif>m</motif></CustomTab>",
    }
    assert problems(await api.deploy(files)) == {
        "P": "You cannot deploy to a required field: Site__c.Key__c",
        "Site__c-Site Layout": "Layout must contain an item for required layout field: Key__c",
        "No__c": "In field: customObject - no CustomObject named No__c found",
    }
    files["permissionsets/P.permissionset"] = permissions.format("Nope__c")
    found = problems(await api.deploy(files))
    assert found["P"] == "In field: field - no CustomField named Site__c.Nope__c found"


async def test_what_is_no_deployment_is_refused_at_once(api: Metadata) -> None:
    assert (await api.send(b""))[0] == 400
    async with api.session.post(api.url, json={}, headers=api.headers) as response:
        assert response.status == 415
    async with api.session.get(f"{api.url}/0Af000000000000", headers=api.headers) as response:
        assert response.status == 404
    status, made = await api.send(b"no zip")
    assert (status, made["deployResult"]["status"]) == (201, "Pending")
