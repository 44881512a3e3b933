"""Custom objects and fields of a deployment as the schema declares them, refused where Salesforce refuses."""

from collections.abc import Collection
from decimal import Decimal
from typing import Any

from connectors.sandbox.salesforce.fields import Field
from connectors.sandbox.salesforce.metadata_xml import Node
from connectors.sandbox.salesforce.schema import Schema, SObject

TYPES = {
    "Text": "string",
    "TextArea": "textarea",
    "LongTextArea": "textarea",
    "Number": "double",
    "Currency": "currency",
    "Percent": "percent",
    "Date": "date",
    "DateTime": "datetime",
    "Checkbox": "boolean",
    "Email": "email",
    "Phone": "phone",
    "Url": "url",
    "Picklist": "picklist",
    "MultiselectPicklist": "multipicklist",
    "Lookup": "reference",
    "MasterDetail": "reference",
}
_NEEDED = {
    "Text": ("length",),
    "LongTextArea": ("length", "visibleLines"),
    "Number": ("precision", "scale"),
    "Currency": ("precision", "scale"),
    "Percent": ("precision", "scale"),
    "Checkbox": ("defaultValue",),
    "Picklist": ("valueSet",),
    "MultiselectPicklist": ("valueSet", "visibleLines"),
    "Lookup": ("referenceTo",),
    "MasterDetail": ("referenceTo", "relationshipName"),
}
_MAY_BE_EXTERNAL = frozenset({"Text", "Number", "Email"})
_SHARING = ("ControlledByParent", "Private", "Read", "ReadWrite", "ReadWriteTransfer", "FullAccess")
LONGEST_NAME = 40


def check_name(name: str) -> None:
    """Refuse a name that no custom component of this org can have; raises ValueError."""
    stem = name.removesuffix("__c")
    if "__" in stem:
        prefix = stem.partition("__")[0]
        raise ValueError(
            f"Cannot create a new component with the namespace: {prefix}.  Only components in the same "
            "namespace as the organization can be created through the API"
        )
    is_word = stem.isascii() and stem.replace("_", "").isalnum() and stem[0].isalpha()
    if not is_word or stem.endswith("_") or len(stem) > LONGEST_NAME:
        raise ValueError(f"The name {name} is no API name: up to {LONGEST_NAME} letters, digits and single _")


def declared_object(schema: Schema, name: str, node: Node) -> dict[str, Any]:
    """What the schema is told of the object itself; raises MisfitError."""
    if schema.find(name) is not None:
        return {}
    try:
        if not name.endswith("__c"):
            raise ValueError(f"Entity of type 'CustomObject' named '{name}' cannot be found")
        check_name(name)
    except ValueError as error:
        raise node.misfit(str(error)) from None
    if not node.get("label"):
        raise node.misfit("Must specify a non-empty label for the CustomObject")
    for element in ("pluralLabel", "sharingModel"):
        if not node.get(element):
            raise node.misfit(f"Must specify '{element}' for a CustomObject")
    if next(node.all("nameField"), None) is None:
        raise node.misfit("Must specify a nameField for a CustomObject")
    if node.get("sharingModel") not in _SHARING:
        raise node.misfit(f"'{node.get('sharingModel')}' is not a valid value for the enum 'SharingModel'")
    return {"label": node.get("label"), "label_plural": node.get("pluralLabel")}


def declared_field(schema: Schema, owner: str, node: Node, along: Collection[str]) -> dict[str, Any]:
    """What the schema is told of a field; `along` are objects deployed with it. Raises MisfitError."""
    try:
        return _field(schema, owner, node, along)
    except ValueError as error:
        raise node.misfit(str(error)) from None


def _field(schema: Schema, owner: str, node: Node, along: Collection[str]) -> dict[str, Any]:
    name, kind = node.get("fullName"), node.get("type")
    if not name.endswith("__c"):
        raise ValueError(f"Could not resolve standard field's name: {owner}.{name}")
    check_name(name)
    if kind not in TYPES:
        raise ValueError(f"'{kind}' is not a valid value for the enum 'FieldType'")
    if not node.get("label"):
        raise ValueError("Must specify a non-empty label for the CustomField")
    for element in _NEEDED.get(kind, ()):
        if next(node.all(element), None) is None:
            raise ValueError(f"Must specify '{element}' for a CustomField of type {kind}")
    known = schema.find(owner)
    _check_type_stays(known, name, kind)
    spec: dict[str, Any] = {"type": TYPES[kind], "label": node.get("label")}
    spec |= _flags(node, kind) | _size(node, kind)
    if kind in {"Picklist", "MultiselectPicklist"}:
        spec |= _choices(node)
    if kind in {"Lookup", "MasterDetail"}:
        spec |= _pointing(schema, node, kind, along)
    if kind == "Checkbox":
        spec["default"] = node.get("defaultValue").lower() == "true"
    return spec


def _check_type_stays(owner: SObject | None, name: str, kind: str) -> None:
    held: Field | None = None if owner is None else owner.find(name)
    if held is not None and held.type != TYPES[kind]:
        raise ValueError(
            f"Cannot change the type of {name}: it is of type {held.type} and holds values of it"
        )


def _flags(node: Node, kind: str) -> dict[str, Any]:
    flags = {name: node.get(name).lower() == "true" for name in ("externalId", "unique", "required")}
    if (flags["externalId"] or flags["unique"]) and kind not in _MAY_BE_EXTERNAL:
        what = "externalId" if flags["externalId"] else "unique"
        raise ValueError(f"Can not specify '{what}' for a CustomField of type {kind}")
    if flags["required"] and kind in {"Checkbox", "LongTextArea", "MasterDetail"}:
        raise ValueError(f"Can not specify 'required' for a CustomField of type {kind}")
    return {
        "external_id": flags["externalId"],
        "unique": flags["unique"],
        "required": flags["required"] or kind == "MasterDetail",
    }


def _size(node: Node, kind: str) -> dict[str, Any]:
    match kind:
        case "Text":
            return {"length": _whole(node, "length", 1, 255)}
        case "TextArea":
            return {"length": 255}
        case "LongTextArea":
            _whole(node, "visibleLines", 2, 50)
            return {"length": _whole(node, "length", 256, 131_072)}
        case "Number" | "Currency" | "Percent":
            precision = _whole(node, "precision", 1, 18)
            return {"precision": precision, "scale": _whole(node, "scale", 0, precision)}
        case _:
            return {}


def _whole(node: Node, name: str, least: int, most: int) -> int:
    text = node.get(name)
    if not text.isdecimal() or not least <= Decimal(text) <= most:
        raise ValueError(f"Invalid {name}: {text} is not between {least} and {most}")
    return int(text)


def _choices(node: Node) -> dict[str, Any]:
    value_set = next(node.all("valueSet"))
    definition = next(value_set.all("valueSetDefinition"), None)
    if definition is None:
        raise ValueError("Must specify 'valueSetDefinition' for the valueSet: this org has no global ones")
    chosen = [each.get("fullName") for each in definition.all("value")]
    return {"values": chosen, "restricted": value_set.get("restricted").lower() == "true"}


def _pointing(schema: Schema, node: Node, kind: str, along: Collection[str]) -> dict[str, Any]:
    target = node.get("referenceTo")
    if schema.find(target) is None and target not in along:
        raise ValueError(f"referenceTo value of '{target}' does not resolve to a valid sObject type")
    children = node.get("relationshipName")
    return {
        "to": [target],
        "cascade": kind == "MasterDetail",
        **({"children": f"{children}__r"} if children else {}),
    }
