"""What describe tells of objects and fields."""

from typing import Any

from connectors.sandbox.salesforce.fields import TEXT_TYPES, Field
from connectors.sandbox.salesforce.schema import Schema, SObject

_SOAP = {
    "id": "tns:ID",
    "reference": "tns:ID",
    "boolean": "xsd:boolean",
    "int": "xsd:int",
    "double": "xsd:double",
    "currency": "xsd:double",
    "percent": "xsd:double",
    "date": "xsd:date",
    "datetime": "xsd:dateTime",
    "address": "urn:address",
}


def summary(owner: SObject, version: str) -> dict[str, Any]:
    """An object as the global describe lists it."""
    url = f"/services/data/v{version}/sobjects/{owner.name}"
    is_writable = owner.name != "Organization"
    return {
        "name": owner.name,
        "label": owner.label,
        "labelPlural": owner.label_plural,
        "keyPrefix": owner.key_prefix,
        "custom": owner.is_custom,
        "customSetting": False,
        "createable": is_writable,
        "updateable": is_writable,
        "deletable": is_writable and owner.name != "User",
        "undeletable": is_writable and owner.name != "User",
        "queryable": True,
        "retrieveable": True,
        "replicateable": True,
        "searchable": True,
        "layoutable": True,
        "triggerable": True,
        "activateable": False,
        "mergeable": owner.name in {"Account", "Contact", "Lead"},
        "feedEnabled": False,
        "deprecatedAndHidden": False,
        "hasSubtypes": False,
        "urls": {
            "sobject": url,
            "describe": f"{url}/describe",
            "rowTemplate": f"{url}/{{ID}}",
        },
    }


def full(owner: SObject, schema: Schema, version: str) -> dict[str, Any]:
    """An object with its fields and child relationships."""
    children: list[dict[str, Any]] = [
        {
            "childSObject": child.name,
            "field": field.name,
            "relationshipName": field.child_relationship,
            "cascadeDelete": field.is_cascading,
            "restrictedDelete": False,
            "deprecatedAndHidden": False,
            "junctionIdListNames": [],
            "junctionReferenceTo": [],
        }
        for child in schema
        for field in child.fields.values()
        if owner.name in field.reference_to
    ]
    return {
        **summary(owner, version),
        "fields": [_field(field) for field in owner.fields.values()],
        "childRelationships": children,
        "recordTypeInfos": [],
        "namedLayoutInfos": [],
        "supportedScopes": [{"label": f"All {owner.label_plural.lower()}", "name": "everything"}],
    }


def _field(field: Field) -> dict[str, Any]:
    return {
        "name": field.name,
        "label": field.label,
        "type": field.type,
        **_size(field),
        **_writing(field),
        **_finding(field),
        **_pointing(field),
        "custom": field.is_custom,
        "calculated": False,
        "caseSensitive": False,
        "autoNumber": field.name in {"OrderNumber", "OrderItemNumber", "ContractNumber"},
        "compoundFieldName": field.compound,
        "restrictedPicklist": field.is_restricted,
        "picklistValues": [_choice(field, value) for value in field.values],
        "encrypted": False,
        "htmlFormatted": False,
        "deprecatedAndHidden": False,
        "dependentPicklist": False,
        "inlineHelpText": None,
    }


def _size(field: Field) -> dict[str, Any]:
    return {
        "soapType": _SOAP.get(field.type, "xsd:string"),
        "length": field.length,
        "byteLength": field.length * 3 if field.type in TEXT_TYPES else field.length,
        "precision": field.precision if field.type != "int" else 0,
        "digits": field.precision if field.type == "int" else 0,
        "scale": field.scale,
    }


def _writing(field: Field) -> dict[str, Any]:
    return {
        "nillable": field.is_nillable,
        "createable": field.is_createable,
        "updateable": field.is_updateable,
        "defaultedOnCreate": field.type == "boolean" or field.default is not None or field.name == "OwnerId",
        "defaultValue": field.default,
        "permissionable": field.is_createable and not field.is_required,
    }


def _finding(field: Field) -> dict[str, Any]:
    is_long = field.type == "address" or (field.type == "textarea" and field.length > 255)
    return {
        "unique": field.is_unique,
        "externalId": field.is_external_id,
        "idLookup": field.is_id_lookup,
        "nameField": field.is_name,
        "filterable": not is_long,
        "sortable": not is_long,
        "groupable": not is_long and field.type not in {"double", "currency", "percent", "datetime"},
    }


def _pointing(field: Field) -> dict[str, Any]:
    return {
        "referenceTo": list(field.reference_to),
        "relationshipName": field.relationship_name,
        "cascadeDelete": field.is_cascading,
        "restrictedDelete": False,
        "polymorphicForeignKey": len(field.reference_to) > 1,
        "namePointing": False,
    }


def _choice(field: Field, value: str) -> dict[str, Any]:
    return {
        "active": True,
        "defaultValue": value == field.default,
        "label": value,
        "validFor": None,
        "value": value,
    }
