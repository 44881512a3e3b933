"""What a request may write: fields known and writable, values fit, references and unique values right."""

from collections.abc import Mapping
from typing import Any

from connectors.sandbox.salesforce import values
from connectors.sandbox.salesforce.errors import (
    SalesforceError,
    deleted,
    malformed_id,
    unknown_field,
    unknown_reference,
)
from connectors.sandbox.salesforce.fields import Field
from connectors.sandbox.salesforce.schema import SObject
from connectors.sandbox.salesforce.tables import Tables
from connectors.sandbox.salesforce.values import Row


def accept(tables: Tables, owner: SObject, given: Mapping[str, Any], *, is_new: bool) -> Row:
    """The stored values of a request's fields; a field that is emptied is there with None.

    Raises SalesforceError for the first thing wrong, and one for all fields that may not be written.
    """
    accepted: Row = {}
    refused: list[str] = []
    for name, value in given.items():
        if name == "attributes":
            continue
        field = owner.find(name)
        if field is None:
            pointing = owner.parents.get(name.lower())
            if pointing is None or not isinstance(value, dict):
                raise unknown_field(name, owner.name)
            field, value = pointing, _parent_by_external_id(tables, pointing, value)  # noqa: PLW2901 - one meaning
        if not (field.is_createable if is_new else field.is_updateable):
            refused.append(field.name)
            continue
        accepted[field.name] = values.coerce(field, value)
        if field.reference_to and accepted[field.name] is not None:
            _check_reference(tables, field, accepted[field.name])
    if refused:
        raise not_writable(refused)
    return accepted


def not_writable(names: list[str]) -> SalesforceError:
    """Fields that this user may not set, or nobody."""
    message = (
        f"Unable to create/update fields: {', '.join(names)}. Please check the security settings of this "
        "field and verify that it is read/write for your profile or permission set."
    )
    return SalesforceError("INVALID_FIELD_FOR_INSERT_UPDATE", message, names)


def complete(owner: SObject, row: Row) -> None:
    """Fill in defaults and refuse a new record that lacks required values."""
    for field in owner.fields.values():
        if field.default is not None and row.get(field.name) is None:
            row[field.name] = field.default
    missing = [field.name for field in owner.required if row.get(field.name) is None]
    if missing:
        raise values.missing(missing)


def check_unique(tables: Tables, owner: SObject, record_id: str, row: Row) -> None:
    """Refuse a value that another record holds in a unique field."""
    table = tables.table(owner.name)
    for field in owner.indexed:
        if not field.is_unique or row.get(field.name) is None:
            continue
        for other in table.find(field.name, row[field.name]) or ():
            if other != record_id and not table.rows[other]["IsDeleted"]:
                message = f"duplicate value found: {field.name} duplicates value on record with id: {other}"
                raise SalesforceError("DUPLICATE_VALUE", message, ())


def _check_reference(tables: Tables, field: Field, record_id: str) -> None:
    target = tables.schema.of_id(record_id)
    if target is None or target.name not in field.reference_to:
        raise malformed_id(field.label, record_id, (field.name,))
    row = tables.table(target.name).rows.get(record_id)
    if row is None:
        raise unknown_reference()
    if row["IsDeleted"]:
        raise deleted()
    if tables.is_hidden(record_id):
        code = "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY"
        raise SalesforceError(code, "insufficient access rights on cross-reference id", ())


def _parent_by_external_id(tables: Tables, field: Field, given: Mapping[str, Any]) -> str:
    keys = [(name, value) for name, value in given.items() if name != "attributes"]
    target = tables.schema.find(field.reference_to[0])
    by = target.find(keys[0][0]) if target is not None and len(keys) == 1 else None
    if target is None or by is None or not by.is_id_lookup:
        names = ", ".join(name for name, _ in keys)
        what = f"{field.relationship_name}: {names or 'nothing'} is no external ID of {field.reference_to[0]}"
        raise SalesforceError("INVALID_FIELD", what, (field.name,))
    found = tables.matches(target, by, keys[0][1])
    if len(found) != 1:
        how_many = "not found" if not found else "matches more than one record"
        message = (
            f"Foreign key external ID: {keys[0][1]} {how_many} for field {by.name} in entity {target.name}"
        )
        raise SalesforceError("INVALID_FIELD", message, ())
    return found[0]
