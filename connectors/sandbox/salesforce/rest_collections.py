"""sObject Collections: up to 200 records in one call and one transaction, each with a result of its own."""

from collections.abc import Callable
from typing import Any

from connectors.sandbox.salesforce import ids, upserts
from connectors.sandbox.salesforce.errors import SalesforceError, malformed_id, unknown_type
from connectors.sandbox.salesforce.rest_call import Call, Reply
from connectors.sandbox.salesforce.rest_records import definition_of, shown
from connectors.sandbox.salesforce.schema import SObject
from connectors.sandbox.salesforce.transactions import Transaction

MAX_RECORDS = 200
ROLLED_BACK = SalesforceError(
    "ALL_OR_NONE_OPERATION_ROLLED_BACK",
    "Record rolled back because not all records were valid and the request was using AllOrNone header",
    (),
)
Write = Callable[[Transaction, Any], dict[str, Any]]


def create(call: Call) -> Reply:
    """POST composite/sobjects."""

    def write(tx: Transaction, record: Any) -> dict[str, Any]:
        record_id = tx.create(_type_of(call, record).name, record)
        return {**_done(record_id), "errors": tx.enqueued(record_id)}

    return _each(call, _records(call), write, is_all_or_none=call.fields().get("allOrNone") is True)


def update(call: Call) -> Reply:
    """PATCH composite/sobjects."""

    def write(tx: Transaction, record: Any) -> dict[str, Any]:
        owner = _type_of(call, record)
        given = next((value for name, value in record.items() if name.lower() == "id"), None)
        if given is None:
            raise SalesforceError("MISSING_ARGUMENT", "Id not specified in an update call", ())
        record_id = _id_of(owner, given)
        tx.update(owner.name, record_id, record)
        return _done(record_id)

    return _each(call, _records(call), write, is_all_or_none=call.fields().get("allOrNone") is True)


def upsert(call: Call) -> Reply:
    """PATCH composite/sobjects/X/Field."""
    owner = definition_of(call, call.path[2])
    by = upserts.external_id(owner, call.path[3])

    records = _records(call)
    shared = upserts.shared_keys(by, records)

    def write(tx: Transaction, record: Any) -> dict[str, Any]:
        if _type_of(call, record) is not owner:
            message = f"The type in the record's attributes must be {owner.name}"
            raise SalesforceError("INVALID_TYPE", message, ())
        record_id, is_new = upserts.upsert(tx, call.org, (owner, by), record, shared)
        return {**_done(record_id), "created": is_new}

    return _each(call, records, write, is_all_or_none=call.fields().get("allOrNone") is True)


def delete(call: Call) -> Reply:
    """DELETE composite/sobjects?ids=&allOrNone=."""

    def write(tx: Transaction, given: Any) -> dict[str, Any]:
        record_id = ids.normalize(given)
        owner = None if record_id is None else call.org.schema.of_id(record_id)
        if record_id is None or owner is None:
            raise SalesforceError("MALFORMED_ID", f"bad id {given}", ())
        tx.delete(owner.name, record_id)
        return _done(record_id)

    wanted = [each.strip() for each in call.query.get("ids", "").split(",") if each.strip()]
    return _each(call, wanted, write, is_all_or_none=call.query.get("allOrNone", "").lower() == "true")


def retrieve(call: Call) -> Reply:
    """GET composite/sobjects/X?ids=&fields= and POST with both in the body; a missing record is null."""
    owner = definition_of(call, call.path[2])
    if call.method == "POST":
        wanted, names = call.fields().get("ids"), call.fields().get("fields")
    else:
        wanted, names = (call.query.get(name, "").split(",") for name in ("ids", "fields"))
    if not (isinstance(wanted, list) and isinstance(names, list)) or not all(_are_texts(wanted, names)):
        raise SalesforceError("MISSING_ARGUMENT", "The ids and fields arguments are required")
    _check_size(len(wanted), 2000)
    return Reply(200, [_shown_or_none(call, owner, each, names) for each in wanted])


def _are_texts(*lists: list[Any]) -> list[bool]:
    return [isinstance(each, str) and bool(each) for items in lists for each in items]


def _shown_or_none(call: Call, owner: SObject, given: str, names: list[str]) -> dict[str, Any] | None:
    record_id = ids.normalize(given)
    if record_id is None or ids.prefix_of(record_id) != owner.key_prefix:
        raise malformed_id(owner.label, given, ())
    row = call.org.row(record_id)
    return None if row is None or call.org.is_hidden(record_id) else shown(call, owner, row, names)


def _each(call: Call, records: list[Any], write: Write, *, is_all_or_none: bool) -> Reply:
    _check_size(len(records), MAX_RECORDS)
    results: list[dict[str, Any]] = []
    with call.write() as tx:
        mark = tx.mark()
        for record in records:
            try:
                results.append(write(tx, record))
            except SalesforceError as error:
                results.append({"success": False, "errors": [error.item()]})
        if is_all_or_none and not all(result["success"] for result in results):
            tx.roll_back_to(mark)
            lost = {"success": False, "errors": [ROLLED_BACK.item()]}
            results = [lost if result["success"] else result for result in results]
    return Reply(200, results)


def _records(call: Call) -> list[Any]:
    records = call.fields().get("records")
    if not isinstance(records, list):
        raise SalesforceError("MISSING_ARGUMENT", "The records argument is required")
    return records


def _check_size(size: int, limit: int) -> None:
    if size > limit:
        message = f"record limit reached. cannot submit more than {limit} records into this request"
        raise SalesforceError("EXCEEDED_ID_LIMIT", message)


def _type_of(call: Call, record: Any) -> SObject:
    attributes = record.get("attributes") if isinstance(record, dict) else None
    name = attributes.get("type") if isinstance(attributes, dict) else None
    if not isinstance(name, str):
        raise SalesforceError("INVALID_TYPE", "The record's attributes.type is required", ())
    definition = call.org.schema.find(name)
    if definition is None:
        raise unknown_type(name)
    return definition


def _id_of(owner: SObject, given: Any) -> str:
    record_id = ids.normalize(given)
    if record_id is None or ids.prefix_of(record_id) != owner.key_prefix:
        raise malformed_id(f"{owner.label} ID", given, ("Id",))
    return record_id


def _done(record_id: str) -> dict[str, Any]:
    return {"id": record_id, "success": True, "errors": []}
