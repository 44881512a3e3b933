"""sObject rows: create, read, update and delete by id or by external id, and upsert."""

from typing import Any

from connectors.sandbox.salesforce import ids, upserts
from connectors.sandbox.salesforce.errors import (
    NO_SUCH_RECORD,
    SalesforceError,
    deleted,
    no_access,
    not_found,
    unknown_field,
)
from connectors.sandbox.salesforce.rest_call import Call, Reply
from connectors.sandbox.salesforce.schema import SObject
from connectors.sandbox.salesforce.storage import rendered
from connectors.sandbox.salesforce.values import Row


def definition_of(call: Call, name: str) -> SObject:
    """The object that a URL names; an unknown one is a resource that does not exist."""
    definition = call.org.schema.find(name)
    if definition is None:
        raise not_found()
    return definition


def create(call: Call) -> Reply:
    """POST sobjects/X."""
    owner = definition_of(call, call.path[1])
    with call.write() as tx:
        record_id = tx.create(owner.name, call.fields())
        enqueued = tx.enqueued(record_id)
    headers = {"Location": call.url("sobjects", owner.name, record_id)}
    return Reply(201, {"id": record_id, "success": True, "errors": enqueued}, headers)


def read(call: Call) -> Reply:
    """GET sobjects/X/id?fields=."""
    owner = definition_of(call, call.path[1])
    return Reply(200, shown(call, owner, readable(call, owner, call.path[2])))


def update(call: Call) -> Reply:
    """PATCH sobjects/X/id."""
    owner = definition_of(call, call.path[1])
    given = call.fields()
    if any(name.lower() == "id" for name in given):
        message = "The Id field should not be specified in the sobject data."
        raise SalesforceError("INVALID_FIELD", message, ())
    with call.write() as tx:
        tx.update(owner.name, _own_id(owner, call.path[2]), given)
    return Reply(204)


def delete(call: Call) -> Reply:
    """DELETE sobjects/X/id."""
    owner = definition_of(call, call.path[1])
    with call.write() as tx:
        tx.delete(owner.name, _own_id(owner, call.path[2]))
    return Reply(204)


def read_by_external_id(call: Call) -> Reply:
    """GET sobjects/X/Field/value."""
    owner, found = _found(call)
    if len(found) > 1:
        return several(call, owner, found)
    if not found:
        raise not_found()
    return Reply(200, shown(call, owner, readable(call, owner, found[0])))


def delete_by_external_id(call: Call) -> Reply:
    """DELETE sobjects/X/Field/value."""
    owner, found = _found(call)
    if len(found) > 1:
        return several(call, owner, found)
    if not found:
        raise not_found()
    with call.write() as tx:
        tx.delete(owner.name, found[0])
    return Reply(204)


def upsert(call: Call) -> Reply:
    """PATCH sobjects/X/Field/value?updateOnly=."""
    owner, found = _found(call)
    by = upserts.external_id(owner, call.path[2])
    given = call.fields()
    if any(name.lower() == by.name.lower() for name in given):
        message = f"The {by.name} field should not be specified in the sobject data."
        raise SalesforceError("INVALID_FIELD", message, ())
    if len(found) > 1:
        return several(call, owner, found)
    if not found and (call.query.get("updateOnly", "").lower() == "true" or by.name == "Id"):
        raise not_found()
    if not found:
        upserts.lose_race(call.org, (owner, by), call.path[3], {**given, by.name: call.path[3]})
    with call.write() as tx:
        if found:
            tx.update(owner.name, found[0], given)
            record_id = found[0]
        else:
            record_id = tx.create(owner.name, {**given, by.name: call.path[3]})
    body = {"id": record_id, "success": True, "errors": [], "created": not found}
    if float(call.version) < 46 and found:
        return Reply(204)
    headers = {"Location": call.url("sobjects", owner.name, record_id)}
    return Reply(200 if found else 201, body, headers if not found else {})


def several(call: Call, owner: SObject, found: list[str]) -> Reply:
    """The 300 that lists every record with the external id."""
    return Reply(300, [call.url("sobjects", owner.name, record_id) for record_id in found])


def readable(call: Call, owner: SObject, given_id: str) -> Row:
    """The record that a URL names, as far as this user may read it."""
    record_id = ids.normalize(given_id)
    if record_id is None:
        raise SalesforceError("NOT_FOUND", NO_SUCH_RECORD.format(given_id))
    row = call.org.table(owner.name).rows.get(record_id)
    if row is None:
        raise not_found()
    if row["IsDeleted"]:
        raise deleted()
    if call.org.is_hidden(record_id):
        raise no_access()
    return row


def shown(call: Call, owner: SObject, row: Row, names: list[str] | None = None) -> dict[str, Any]:
    """A record with its attributes: all fields, or those of `?fields=` or `names`."""
    url = call.url("sobjects", owner.name, row["Id"])
    record: dict[str, Any] = {"attributes": {"type": owner.name, "url": url}}
    if names is None and "fields" in call.query:
        names = [name.strip() for name in call.query["fields"].split(",") if name.strip()]
    if names is None:
        return record | {field.name: rendered(row, owner, field) for field in owner.fields.values()}
    for name in names:
        field = owner.find(name)
        if field is None:
            raise unknown_field(name, owner.name)
        record[field.name] = rendered(row, owner, field)
    return record if "Id" in record else {**record, "Id": row["Id"]}


def _own_id(owner: SObject, given: str) -> str:
    record_id = ids.normalize(given)
    if record_id is None or ids.prefix_of(record_id) != owner.key_prefix:
        raise SalesforceError("NOT_FOUND", NO_SUCH_RECORD.format(given))
    return record_id


def _found(call: Call) -> tuple[SObject, list[str]]:
    owner = definition_of(call, call.path[1])
    by = upserts.external_id(owner, call.path[2])
    return owner, call.org.matches(owner, by, call.path[3])
