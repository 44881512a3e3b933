"""Own writes to Salesforce that are expected back as change events: told before, met once, expired unmet."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from uuid import UUID

from state import database, sql
from state.database import Connection, Db, Row

_SQL = sql.load("own_writes")

# Events come within seconds, and within minutes after a backlog. One that comes later is synced, which costs
# two reads and no write; the shorter an expectation lives, the less a write that raised no event (nothing
# differed) or was never sent can be mistaken for another's.
LIFETIME = timedelta(hours=1)


class WriteKind(StrEnum):
    """The change type of the event that a write will raise."""

    CREATE = "CREATE"
    UPDATE = "UPDATE"
    DELETE = "DELETE"
    UNDELETE = "UNDELETE"


class Verdict(StrEnum):
    """What a change event was taken for, with regard to our own writes."""

    FOREIGN = ""
    ECHO = "echo"  # nothing but what we wrote: not synced
    NEAR_MISS = "near miss"  # ours by a sign of it and different in content: synced, and counted


@dataclass(frozen=True, slots=True)
class OwnWrite:
    """One record about to be written. `fields`: name in lower case -> hash (daemon.echoes makes both).

    A create has no `record_id` yet; its event is known by `key`, the hash of a field whose value no other
    record has (an external id).
    """

    object_name: str
    record_id: str = ""  # 18 characters
    fields: Mapping[str, str] = field(default_factory=dict)
    kind: WriteKind = WriteKind.UPDATE
    key: str = ""


@dataclass(frozen=True, slots=True)
class Expected:
    """An own write whose event may come, or came already: `echo_of` is the transaction it came with."""

    own_write_id: int
    write: OwnWrite
    echo_of: str = ""


@dataclass(frozen=True, slots=True)
class Spent:
    """An expectation that is over, by the event of which transaction, and whether that was its echo."""

    own_write_id: int
    transaction_key: str
    was_echo: bool


async def expect(
    tx: Connection, org_id: str, writes: Sequence[OwnWrite], lifetime: timedelta = LIFETIME
) -> list[int]:
    """Tell what is about to be written; gives their ids in order. To be committed before the first is sent.

    Writes of one record are to be sent in the order they were told in.
    """
    if not writes:
        return []
    rows = ((w.object_name, w.record_id, w.key, w.kind.value, dict(w.fields)) for w in writes)
    columns = [list(column) for column in zip(*rows, strict=True)]
    found = await database.fetch(tx, _SQL["expect"], org_id, lifetime, *columns)
    return sorted(row["own_write_id"] for row in found)


async def withdraw(db: Db, own_write_ids: Collection[int]) -> None:
    """They were refused or never sent: no event will come of them."""
    await database.execute(db, _SQL["withdraw"], list(own_write_ids))


async def meeting(
    tx: Connection,
    org_id: str,
    *,
    record_ids: Iterable[str],
    keys: Iterable[str],
    transaction_keys: Iterable[str],
) -> list[Expected]:
    """The own writes that events of these records, creates and transactions may be of, in order of writing.

    They stay locked until the transaction ends, which is to spend those that are used.
    """
    sought = [sorted({*each} - {""}) for each in (record_ids, keys, transaction_keys)]
    if not sought[0]:
        return []
    return [_expected(row) for row in await database.fetch(tx, _SQL["meeting"], org_id, *sought)]


def _expected(row: Row) -> Expected:
    write = OwnWrite(
        row["object_name"], row["record_id"], row["fields"], WriteKind(row["change_type"]), row["key"]
    )
    return Expected(row["own_write_id"], write, row["spent_by"] if row["was_echo"] else "")


async def spend(tx: Connection, spent: Collection[Spent]) -> None:
    """They are used up: the next event with the same content is somebody else's."""
    if spent:
        rows = [(each.own_write_id, each.transaction_key, each.was_echo) for each in spent]
        await database.execute(tx, _SQL["spend"], *(list(column) for column in zip(*rows, strict=True)))


async def settle(tx: Connection, record_ids: Collection[str]) -> None:
    """A sync of these records ended; it may have read them before our write and written m3ter after it. So
    the event of it, if it is still to come, is to be synced. To be called before the inbox is touched."""
    await database.execute(tx, _SQL["settle"], sorted(record_ids))


async def in_hand(tx: Connection, integration_id: UUID, record_ids: Collection[str]) -> set[str]:
    """Those that are being synced right now, and may have been read before our write."""
    if not record_ids:
        return set()
    rows = await database.fetch(tx, _SQL["in_hand"], integration_id, sorted(record_ids))
    return {row["record_id"] for row in rows}


async def forget(tx: Connection, org_id: str, object_names: Collection[str]) -> None:
    """Events of these objects may have been missed: their records may have changed and changed back, and the
    second of these changes must not be taken for ours. To be called before the inbox is touched."""
    if object_names:
        await database.execute(tx, _SQL["forget"], org_id, sorted(each.lower() for each in object_names))


async def count(tx: Connection, integration_id: UUID, counts: Mapping[Verdict, int]) -> None:
    """Add echoes and near misses to the integration's totals."""
    rows = [(label.value, number) for label, number in counts.items() if number and label.value]
    if rows:
        columns = [list(column) for column in zip(*rows, strict=True)]
        await database.execute(tx, _SQL["count"], integration_id, *columns)
