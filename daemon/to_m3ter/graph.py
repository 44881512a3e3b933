"""A record's whole graph from Salesforce in one call, and the reason when there is none."""

import shlex
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from connectors.errors import NotFoundError, RejectedError, SyncError, TransientError
from connectors.salesforce.models import Record, to_id18
from connectors.salesforce.rest import Salesforce
from daemon.to_m3ter.mapping import soql
from daemon.to_m3ter.mapping.document import Mapping

# Only these can be merged, and only these have a MasterRecordId.
_MERGEABLE = ("account", "contact", "lead", "case")
_AT_ONCE = 200  # ids of one query: an address has at most 16,384 bytes


class RecordDeleted(RejectedError):  # noqa: N818 - named as its siblings in connectors.errors
    """The record is in Salesforce's recycle bin; `merged_into` names the record that a merge left, and `how`
    tells what became of it."""

    how: str = ""
    deleted_at: datetime | None = None
    merged_into: str | None = None


class RecordMissing(NotFoundError):  # noqa: N818 - as above
    """No record of this object has this id, and it is not in the recycle bin."""


class RecordInaccessible(RejectedError):  # noqa: N818 - as above
    """The record is there, but not for the integration user."""


@dataclass(frozen=True, slots=True)
class Named:
    """A record by object and id, for messages."""

    object_name: str
    record_id: str

    def __str__(self) -> str:
        return f"{self.object_name} {self.record_id}"


async def read(salesforce: Salesforce, mapping: Mapping, record_id: str) -> Record:
    """The record with everything the mapping reads.

    Raises RecordDeleted, RecordMissing or RecordInaccessible, or what the query itself met.
    """
    try:
        record = await _first(salesforce, soql.soql(mapping, record_id))
    except TransientError:
        raise
    except RejectedError as error:
        raise _unreadable(error, mapping, record_id) from error
    if record is None:
        raise await _reason(salesforce, Named(mapping.parent, record_id))
    return record


async def parent_of(salesforce: Salesforce, line: Named, parent_field: str) -> str | None:
    """The 18-character id of the record a line belongs to, also of a deleted line; None if it has none
    or is gone. Of a line that is only not shown raises RecordInaccessible or TransientError.
    """
    told = await _told(salesforce, line.object_name, [line.record_id], parent_field)
    if line.record_id in told:
        return told[line.record_id]
    reason = await _reason(salesforce, line)
    if isinstance(reason, RecordMissing):
        return None
    if isinstance(reason, RecordDeleted):
        # A deleted line is shown with its parent: it was only not shown yet.
        reason = TransientError(
            f"The {line} was not found at first, but is in the recycle bin.",
            instruction="It is tried again.",
        )
    raise reason


async def parents_of(
    salesforce: Salesforce, object_name: str, record_ids: Collection[str], parent_field: str
) -> dict[str, str]:
    """The same of many lines: line to parent. Those that are gone or have no parent are not in it."""
    told = await _told(salesforce, object_name, record_ids, parent_field)
    return {line: parent for line, parent in told.items() if parent is not None}


async def _told(
    salesforce: Salesforce, object_name: str, record_ids: Collection[str], parent_field: str
) -> dict[str, str | None]:
    """Of each line that Salesforce shows, or has in its recycle bin: its parent, None if it has none."""
    told: dict[str, str | None] = {}
    for listed in _listed(record_ids):
        query = f"SELECT Id, {parent_field} FROM {object_name} WHERE Id IN ({listed})"  # noqa: S608 - names and ids are checked
        async for page in salesforce.query(query, include_deleted=True):
            for row in page:
                parent = row.get(parent_field)
                told[to_id18(row["Id"])] = to_id18(parent) if parent else None
    return told


async def _first(
    salesforce: Salesforce, query: str, *, include_deleted: bool = False
) -> dict[str, Any] | None:
    found: dict[str, Any] | None = None
    async for page in salesforce.query(query, include_deleted=include_deleted):
        found = found or next(iter(page), None)
    return found


async def _reason(salesforce: Salesforce, named: Named) -> SyncError:
    """Why a query found nothing: Salesforce answers alike for deleted, hidden and unknown records."""
    fields = "Id, IsDeleted, SystemModstamp"
    if named.object_name.lower() in _MERGEABLE:
        fields += ", MasterRecordId"
    query = f"SELECT {fields} FROM {named.object_name} WHERE Id = '{named.record_id}'"  # noqa: S608 - as above
    bin_entry = await _first(salesforce, query, include_deleted=True)
    if bin_entry is not None and bin_entry.get("IsDeleted"):
        return _deleted(named, bin_entry)
    try:
        await salesforce.retrieve(named.object_name, named.record_id, ("Id",))
    except NotFoundError:
        return RecordMissing(
            f"There is no {named} in this Salesforce org.",
            instruction="Check the id, and that it is of this object and this org.",
            code="NOT_FOUND",
        )
    except RejectedError as error:
        return RecordInaccessible(
            f"The {named} cannot be read: {error.message}",
            instruction="Give the integration user read access to it in Salesforce.",
            status=error.status,
            code=error.code,
        )
    return TransientError(
        f"The {named} was not found at first, but is there.", instruction="It is tried again."
    )


def _deleted(named: Named, bin_entry: Record) -> RecordDeleted:
    master = bin_entry.get("MasterRecordId")
    how = f"was merged into {named.object_name} {to_id18(master)}" if master else "was deleted in Salesforce"
    how = f"The {named} {how}."
    error = RecordDeleted(
        f"{how} What it made in m3ter is left as it is.",
        instruction="Restore it from the recycle bin and sync again, or end it in m3ter by hand.",
        code="ENTITY_IS_DELETED",
    )
    error.how = how
    error.deleted_at = _moment(bin_entry)
    error.merged_into = to_id18(master) if master else None
    return error


def never_synced(error: RecordDeleted | RecordMissing) -> RecordDeleted | RecordMissing:
    """The same of a record that never made anything in m3ter."""
    if isinstance(error, RecordMissing):
        return error
    return RecordDeleted(
        f"{error.how} m3sync never synced it, so there is nothing of it to end in m3ter.",
        instruction="Restore it from the recycle bin and sync again, should it be wanted after all.",
        code=error.code,
    )


def _moment(bin_entry: Record) -> datetime:
    """Salesforce stamps a record when it is deleted."""
    return datetime.fromisoformat(bin_entry["SystemModstamp"]).astimezone(UTC)


async def deleted(
    salesforce: Salesforce, object_name: str, record_ids: Collection[str]
) -> dict[str, datetime]:
    """Which of these records are in the recycle bin, and since when. A record that is merely hidden from the
    integration user, or has another parent now, is not among them."""
    found: dict[str, datetime] = {}
    for listed in _listed(record_ids):
        query = f"SELECT Id, SystemModstamp FROM {object_name} WHERE IsDeleted = true AND Id IN ({listed})"  # noqa: S608 - names and ids are checked
        async for page in salesforce.query(query, include_deleted=True):
            found |= {to_id18(row["Id"]): _moment(row) for row in page}
    return found


def _listed(record_ids: Collection[str]) -> Iterator[str]:
    """As many of them at once as a query takes."""
    ids = sorted(record_ids)
    for first in range(0, len(ids), _AT_ONCE):
        yield ", ".join(f"'{to_id18(each)}'" for each in ids[first : first + _AT_ONCE])


def _unreadable(error: RejectedError, mapping: Mapping, record_id: str) -> RejectedError:
    named = Named(mapping.parent, record_id)
    instruction = {
        "INVALID_TYPE": f"Give the integration user read access to {mapping.parent} in Salesforce.",
        "INVALID_FIELD": f"Run `m3sync mappings check {shlex.quote(mapping.name)}`: a field does not exist, "
        "or is hidden from the integration user.",
    }.get(error.code, error.instruction)
    return RejectedError(
        f"The {named} cannot be read: {error.message}",
        instruction=instruction,
        status=error.status,
        code=error.code,
    )
