"""The metadata package: whole, consistent in itself, and of the Metadata API's own element names only."""

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from daemon.to_salesforce import metadata, targets
from daemon.to_salesforce.metadata import NAMESPACE_URI
from tests.acceptance.commands import Commands

# Metadata API Developer Guide: the fields of each metadata type and sub-type that may appear in its file.
ALLOWED: dict[str, dict[str, set[str]]] = {
    "Package": {"": {"types", "version", "fullName", "description"}, "types": {"members", "name"}},
    "CustomObject": {
        "": {
            *("deploymentStatus", "description", "enableActivities", "enableBulkApi", "enableHistory"),
            *("enableReports", "enableSearch", "enableSharing", "enableStreamingApi", "enableFeeds"),
            *("externalSharingModel", "fields", "label", "listViews", "nameField", "pluralLabel"),
            *("sharingModel", "visibility", "compactLayouts", "searchLayouts", "validationRules"),
        },
        "fields": {
            *("fullName", "caseSensitive", "defaultValue", "deleteConstraint", "description", "externalId"),
            *("inlineHelpText", "label", "length", "precision", "referenceTo", "relationshipLabel"),
            *("relationshipName", "required", "scale", "type", "unique", "visibleLines", "trackHistory"),
        },
        "nameField": {"label", "type", "displayFormat"},
        "listViews": {"fullName", "columns", "filterScope", "filters", "label"},
    },
    "Layout": {
        "": {
            *("layoutSections", "relatedLists", "showEmailCheckbox", "showHighlightsPanel"),
            *("showInteractionLogPanel", "showRunAssignmentRulesCheckbox", "showSubmitAndAttachButton"),
        },
        "layoutSections": {
            *("customLabel", "detailHeading", "editHeading", "label", "layoutColumns", "style"),
        },
        "layoutColumns": {"layoutItems"},
        "layoutItems": {"behavior", "field", "emptySpace"},
        "relatedLists": {"fields", "relatedList", "sortField", "sortOrder"},
    },
    "PermissionSet": {
        "": {
            *("applicationVisibilities", "description", "fieldPermissions", "hasActivationRequired"),
            *("label", "license", "objectPermissions", "tabSettings"),
        },
        "applicationVisibilities": {"application", "default", "visible"},
        "fieldPermissions": {"editable", "field", "readable"},
        "objectPermissions": {
            *("allowCreate", "allowDelete", "allowEdit", "allowRead", "modifyAllRecords", "object"),
            "viewAllRecords",
        },
        "tabSettings": {"tab", "visibility"},
    },
    "CustomTab": {"": {"customObject", "description", "motif"}},
    "CustomApplication": {
        "": {
            *("brand", "defaultLandingTab", "description", "formFactors", "isNavAutoTempTabsDisabled"),
            *("isNavPersonalizationDisabled", "label", "navType", "tabs", "uiType", "utilityBar"),
        },
        "brand": {"headerColor", "logo", "logoVersion", "shouldOverrideOrgTheme"},
    },
}
# The field types of the guide (FieldType) that we use, and what each must say of itself.
NEEDED = {
    "Text": {"length"},
    "LongTextArea": {"length", "visibleLines"},
    "Number": {"precision", "scale"},
    "Percent": {"precision", "scale"},
    "Checkbox": {"defaultValue"},
    "Date": set(),
    "DateTime": set(),
    "Lookup": {"referenceTo", "relationshipName"},
}
FOLDERS = {
    "objects": "CustomObject",
    "layouts": "Layout",
    "tabs": "CustomTab",
    "permissionsets": "PermissionSet",
    "applications": "CustomApplication",
}
FILES = metadata.package()


def local(element: ET.Element) -> str:
    namespace, _, name = element.tag[1:].partition("}")
    assert namespace == NAMESPACE_URI
    return name


def root(path: str) -> ET.Element:
    return ET.fromstring(FILES[path])


def said(element: ET.Element, name: str) -> list[str]:
    return [each.text or "" for each in element.findall(f"{{{NAMESPACE_URI}}}{name}")]


def strange(kind: str, element: ET.Element, within: str = "") -> list[str]:
    """The elements that the guide does not know, by their paths."""
    found: list[str] = []
    for each in element:
        name = local(each)
        if name not in ALLOWED[kind].get(within, set()):
            found.append(f"{within}/{name}")
        elif len(each):
            found += strange(kind, each, name)
    return found


@pytest.mark.parametrize("path", FILES)
def test_each_file_has_only_elements_of_the_metadata_api(path: str) -> None:
    made = root(path)
    folder = path.partition("/")[0]
    assert local(made) == FOLDERS.get(folder, "Package")
    assert strange(local(made), made) == []


def test_the_manifest_names_every_file_and_no_other() -> None:
    named = set()
    for types in root("package.xml").findall(f"{{{NAMESPACE_URI}}}types"):
        (kind,) = said(types, "name")
        named |= {(kind, member) for member in said(types, "members")}
    files = {
        (FOLDERS[path.partition("/")[0]], path.partition("/")[2].rpartition(".")[0])
        for path in FILES
        if path != "package.xml"
    }
    assert named == files


@pytest.mark.parametrize("target", targets.every("Custom Objects"), ids=lambda each: each.entity_type)
def test_an_object_has_the_fields_of_its_target(target: targets.Target) -> None:
    made = root(f"objects/{target.object_name}.object")
    fields = {said(each, "fullName")[0]: each for each in made.findall(f"{{{NAMESPACE_URI}}}fields")}
    assert set(fields) == {each.name for each in target.fields} - {"Name"}
    for each in fields.values():
        (kind,) = said(each, "type")
        assert {local(part) for part in each} >= NEEDED[kind] | {"fullName", "label"}
    key = fields["m3ter_Id__c"]
    assert [said(key, name) for name in ("externalId", "unique", "required")] == [["true"]] * 3
    layout = root(f"layouts/{target.object_name}-{target.label} Layout.layout")
    shown = [each.text for each in layout.iter(f"{{{NAMESPACE_URI}}}field")]
    assert sorted(shown, key=str) == sorted(each.name for each in target.fields)


def test_no_two_children_of_a_parent_have_the_same_name() -> None:
    seen = set()
    for path in FILES:
        for field in root(path).findall(f"{{{NAMESPACE_URI}}}fields"):
            if said(field, "type") == ["Lookup"]:
                relation = (said(field, "referenceTo")[0], said(field, "relationshipName")[0])
                assert relation not in seen
                seen.add(relation)
    assert len(seen) == 8


def test_permissions_leave_out_what_salesforce_gives_everybody() -> None:
    for name, may_edit in ((metadata.SYNC_PERMISSIONS, "true"), (metadata.REVIEW_PERMISSIONS, "false")):
        made = root(f"permissionsets/{name}.permissionset")
        fields = made.findall(f"{{{NAMESPACE_URI}}}fieldPermissions")
        named = [said(each, "field")[0] for each in fields]
        assert not [each for each in named if each.endswith((".m3ter_Id__c", ".Name"))]
        expected = sum(len(each.fields) - 2 for each in targets.every("Custom Objects"))
        assert len(set(named)) == len(named) == expected
        assert {said(each, "editable")[0] for each in fields} == {may_edit}


@pytest.mark.parametrize("namespace", ["m3ter Connector", "m3ter Connector (Testing)"])
def test_a_managed_package_is_nothing_that_we_can_make(namespace: str) -> None:
    with pytest.raises(metadata.NotPackageable, match="managed package"):
        metadata.package(namespace)


async def test_the_command_writes_the_package(tmp_path: Path) -> None:
    m3sync = Commands(tmp_path)
    m3sync.configure(None)
    answer = await m3sync.done("salesforce", "metadata", "--out", str(tmp_path / "package"))
    assert "sf project deploy start --metadata-dir" in answer.out
    written = [each for each in (tmp_path / "package").rglob("*") if each.is_file()]
    assert {str(each.relative_to(tmp_path / "package")): each.read_bytes() for each in written} == FILES
    await m3sync.done("salesforce", "metadata", "--out", str(tmp_path / "package"))


async def test_the_command_refuses_what_it_cannot_write(tmp_path: Path) -> None:
    m3sync = Commands(tmp_path)
    m3sync.configure(None)
    out = ("salesforce", "metadata", "--out", str(tmp_path / "package"))
    vendor = await m3sync(*out, "--namespace", "m3ter Connector")
    assert (vendor.code, "managed package" in vendor.err) == (2, True)
    unknown = await m3sync(*out, "--namespace", "Elsewhere")
    assert (unknown.code, "There is no namespace 'Elsewhere'" in unknown.err) == (2, True)
    occupied = await m3sync("salesforce", "metadata", "--out", str(tmp_path))
    assert (occupied.code, "holds other files" in occupied.err) == (1, True)
    assert not (tmp_path / "package").exists()
