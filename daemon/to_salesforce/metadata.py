"""The Salesforce objects that copies need, as a package for the Metadata API: made of the same targets."""

from collections.abc import Iterable, Mapping
from typing import TypeAlias
from xml.etree import ElementTree as ET

from daemon.to_salesforce import metadata_pages, targets
from daemon.to_salesforce.targets import Naming, Target, TargetField

API_VERSION = "67.0"
NAMESPACE_URI = "http://soap.sforce.com/2006/04/metadata"
APPLICATION = "m3ter_Data"
SYNC_PERMISSIONS, REVIEW_PERMISSIONS = "m3ter_Data_Sync", "m3ter_Data_Review"
_MOTIFS = {
    "Account": "Custom15: People",
    "Contract": "Custom83: Pencil",
    "Commitment": "Custom87: Safe",
    "Balance": "Custom17: Sack",
    "Bill": "Custom18: Form",
}

Value: TypeAlias = "str | int | bool | Mapping[str, Value] | list[Value] | None"


class NotPackageable(Exception):  # noqa: N818 - reads as what it says
    """The objects of this namespace belong to the vendor's managed package, which nobody else can add to."""

    def __init__(self, namespace: str) -> None:
        self.reason = (
            f"The objects of the namespace {namespace!r} belong to m3ter's own managed package; a package of "
            "ours cannot make them."
        )
        self.instruction = (
            "Install m3ter's package and let `m3sync doctor` say what it lacks, "
            f"or use the namespace {targets.CUSTOM_OBJECTS!r}."
        )
        super().__init__(self.reason)


def package(namespace: str = targets.CUSTOM_OBJECTS, naming: Naming | None = None) -> dict[str, bytes]:
    """Each file of the package by its path in it: what a Metadata API deployment takes as a ZIP.

    Raises NotPackageable for a namespace of m3ter's managed package, targets.NoSuchTarget for an unknown one.
    """
    every = targets.every(namespace, naming)
    if namespace != targets.CUSTOM_OBJECTS:
        raise NotPackageable(namespace)
    names = [each.object_name for each in every]
    files = {
        "package.xml": _xml("Package", _manifest(every)),
        f"applications/{APPLICATION}.app": _xml("CustomApplication", _application(names)),
    }
    for each in every:
        files[f"objects/{each.object_name}.object"] = _xml("CustomObject", _object(each))
        files[f"tabs/{each.object_name}.tab"] = _xml("CustomTab", _tab(each))
        layout = metadata_pages.layout(each, every)
        files[f"layouts/{metadata_pages.layout_name(each)}.layout"] = _xml("Layout", layout)
    for name, may_write in ((SYNC_PERMISSIONS, True), (REVIEW_PERMISSIONS, False)):
        permissions = _permissions(every, may_write=may_write)
        files[f"permissionsets/{name}.permissionset"] = _xml("PermissionSet", permissions)
    return files


def _manifest(every: Iterable[Target]) -> Mapping[str, Value]:
    names: list[Value] = [each.object_name for each in every]
    kinds: dict[str, list[Value]] = {
        "CustomObject": names,
        "CustomTab": names,
        "Layout": [metadata_pages.layout_name(each) for each in every],
        "PermissionSet": [SYNC_PERMISSIONS, REVIEW_PERMISSIONS],
        "CustomApplication": [APPLICATION],
    }
    types: list[Value] = [{"members": members, "name": kind} for kind, members in kinds.items()]
    return {"types": types, "version": API_VERSION}


def _object(target: Target) -> Mapping[str, Value]:
    name = target.field("Name")
    return {
        "deploymentStatus": "Deployed",
        "description": f"Holds the {target.plural}, as m3sync copies them. Edits are overwritten.",
        "enableActivities": False,
        "enableBulkApi": True,
        "enableHistory": False,
        "enableReports": True,
        "enableSearch": True,
        "enableSharing": True,
        "enableStreamingApi": True,
        "externalSharingModel": "Private",
        "fields": [_field(target, each) for each in target.fields if each.name != "Name"],
        "label": target.label,
        "listViews": [metadata_pages.list_view(target)],
        "nameField": {"label": name.label if name else "Name", "type": "Text"},
        "pluralLabel": target.plural,
        "sharingModel": "Private",
        "visibility": "Public",
    }


def _field(target: Target, field: TargetField) -> Mapping[str, Value]:
    facts: dict[str, Value] = {
        "fullName": field.name,
        "description": field.description or None,
        "externalId": field.is_external_id or None,
        "label": field.label,
        "type": field.type,
    }
    match field.type:
        case "Text":
            facts |= {"length": field.length, "unique": field.is_external_id, "required": field.is_required}
            facts |= {"caseSensitive": True} if field.is_external_id else {}
        case "LongTextArea":
            facts |= {"length": field.length, "visibleLines": 5}
        case "Number" | "Percent":
            facts |= {"precision": field.precision, "scale": field.scale, "required": False}
        case "Checkbox":
            facts |= {"defaultValue": "false"}
        case "Lookup":
            facts |= _lookup(target, field)
        case _:
            facts |= {"required": False}
    return dict(sorted(facts.items(), key=lambda fact: (fact[0] != "fullName", fact[0])))


def _lookup(target: Target, field: TargetField) -> dict[str, Value]:
    """A parent's deletion empties the lookup: a bill outlives its account."""
    is_own = field.refers_to == target.object_name
    return {
        "deleteConstraint": "SetNull",
        "referenceTo": field.refers_to,
        "relationshipLabel": f"Child {target.plural}" if is_own else target.plural,
        "relationshipName": "m3ter_Children" if is_own else f"{target.plural}".replace(" ", "_"),
        "required": False,
    }


def _tab(target: Target) -> Mapping[str, Value]:
    return {"customObject": True, "motif": _MOTIFS[target.entity_type]}


def _application(names: Iterable[str]) -> Mapping[str, Value]:
    return {
        "brand": {"headerColor": "#0B5CAB", "shouldOverrideOrgTheme": False},
        "description": "The accounts, contracts, commitments, balances and bills of m3ter.",
        "formFactors": ["Small", "Large"],
        "isNavAutoTempTabsDisabled": False,
        "isNavPersonalizationDisabled": False,
        "label": "m3ter Data",
        "navType": "Standard",
        "tabs": list(names),
        "uiType": "Lightning",
    }


def _permissions(every: Iterable[Target], *, may_write: bool) -> Mapping[str, Value]:
    """Required fields are left out: Salesforce refuses permissions for what everybody has."""
    said = "Write" if may_write else "Review"
    told = "For the user as whom m3sync signs in." if may_write else "For people who look at the data."
    fields: list[Value] = []
    objects: list[Value] = []
    tabs: list[Value] = []
    for target in every:
        fields += [
            {"editable": may_write, "field": f"{target.object_name}.{each.name}", "readable": True}
            for each in target.fields
            if each.name != "Name" and not each.is_required
        ]
        objects.append(_object_permissions(target.object_name, may_write=may_write))
        tabs.append({"tab": target.object_name, "visibility": "Visible"})
    return {
        "applicationVisibilities": {"application": APPLICATION, "default": False, "visible": True},
        "description": f"{said} the copies that m3sync keeps of m3ter's entities. {told}",
        "fieldPermissions": fields,
        "hasActivationRequired": False,
        "label": f"m3ter Data {'Sync' if may_write else 'Review'}",
        "objectPermissions": objects,
        "tabSettings": tabs,
    }


def _object_permissions(object_name: str, *, may_write: bool) -> Mapping[str, Value]:
    return {
        "allowCreate": may_write,
        "allowDelete": may_write,
        "allowEdit": may_write,
        "allowRead": True,
        "modifyAllRecords": may_write,
        "object": object_name,
        "viewAllRecords": True,
    }


def _xml(root: str, values: Mapping[str, Value]) -> bytes:
    element = ET.Element(root, xmlns=NAMESPACE_URI)
    _put(element, values)
    ET.indent(element, space="    ")
    text = ET.tostring(element, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'.encode()


def _put(parent: ET.Element, values: Mapping[str, Value]) -> None:
    for name, value in values.items():
        for each in value if isinstance(value, list) else [value]:
            match each:
                case None:
                    continue
                case bool():
                    ET.SubElement(parent, name).text = "true" if each else "false"
                case Mapping():
                    _put(ET.SubElement(parent, name), each)
                case _:
                    ET.SubElement(parent, name).text = str(each)
