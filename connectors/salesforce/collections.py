"""sObject Collections: up to 200 records of one object in a call, each with a result of its own, in order."""

from collections.abc import Mapping, Sequence
from typing import Any

from connectors.errors import TransientError
from connectors.exchange import Repeatable, Request
from connectors.salesforce import rows
from connectors.salesforce.ids import to_id18
from connectors.salesforce.models import Record
from connectors.salesforce.rest import Salesforce
from connectors.salesforce.rows import RowResult
from connectors.wire import Json

# REST guide, sObject Collections.
MAX_RECORDS = 200


async def upsert(
    salesforce: Salesforce, object_name: str, key_field: str, records: Sequence[Mapping[str, Any]]
) -> list[RowResult]:
    """Creates or updates each record by its external id, which is among its fields; harmless to repeat.

    One bad record stops only itself. A key that another writer created meanwhile is tried once more. What
    concerns the whole call (an unknown object or field, an outage) raises the SyncError family: a
    TransientError.may_have_happened then needs no look at the far side, only the same call again.
    """
    path = salesforce.path("composite", "sobjects", object_name, key_field)
    results = await _write(salesforce, path, object_name, records)
    again = [number for number, result in enumerate(results) if rows.is_taken(result, key_field)]
    if again:
        retried = await _write(salesforce, path, object_name, [records[number] for number in again])
        for number, result in zip(again, retried, strict=True):
            results[number] = result
    return results


async def update(
    salesforce: Salesforce, object_name: str, records: Sequence[Mapping[str, Any]]
) -> list[RowResult]:
    """Sets the given fields of each record, found by its `Id`; harmless to repeat."""
    return await _write(salesforce, salesforce.path("composite", "sobjects"), object_name, records)


async def delete(salesforce: Salesforce, record_ids: Sequence[str]) -> list[RowResult]:
    """Into the recycle bin. A record that is there already counts as done, so that a repeat does no harm."""
    _check_size(record_ids)
    if not record_ids:
        return []
    ids = ",".join(to_id18(record_id) for record_id in record_ids)
    request = Request(
        "DELETE",
        salesforce.path("composite", "sobjects"),
        query=(("ids", ids), ("allOrNone", "false")),
        repeatable=Repeatable.ALWAYS,
        answer_within=salesforce.answer_many,
    )
    results = _results((await salesforce.send(request)).body, len(record_ids))
    return [
        RowResult(to_id18(record_id), success=True) if result.code == "ENTITY_IS_DELETED" else result
        for record_id, result in zip(record_ids, results, strict=True)
    ]


async def _write(
    salesforce: Salesforce, path: str, object_name: str, records: Sequence[Mapping[str, Any]]
) -> list[RowResult]:
    _check_size(records)
    if not records:
        return []
    typed: list[Record] = [{"attributes": {"type": object_name}, **record} for record in records]
    request = Request(
        "PATCH",
        path,
        json={"allOrNone": False, "records": typed},
        repeatable=Repeatable.ALWAYS,
        answer_within=salesforce.answer_many,
    )
    return _results((await salesforce.send(request)).body, len(records))


def _check_size(records: Sequence[Any]) -> None:
    if len(records) > MAX_RECORDS:
        raise ValueError(f"{len(records)} records: one call takes {MAX_RECORDS}")


def _results(body: Json, expected: int) -> list[RowResult]:
    """One result per record: fewer could not be told apart."""
    if not isinstance(body, list) or len(body) != expected:
        told = len(body) if isinstance(body, list) else 0
        error = TransientError(f"Salesforce answered {expected} records with {told} results.")
        error.may_have_happened = True
        raise error
    return [_result(each) for each in body]


def _result(each: Any) -> RowResult:
    told = each if isinstance(each, dict) else {}
    given = told.get("id")
    record_id = to_id18(given) if isinstance(given, str) and given else ""
    if told.get("success") is True:
        return RowResult(record_id, success=True, was_created=told.get("created") is True)
    errors = told.get("errors")
    code, message, fields = rows.of_errors(errors if isinstance(errors, list) else [])
    return RowResult(record_id, success=False, code=code, message=message, fields=fields)
