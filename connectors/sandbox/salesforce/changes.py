"""What a committed transaction tells its listeners: each record's change, by whom and from where."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any


class ChangeType(StrEnum):
    """Salesforce's words for what happened to a record."""

    CREATE = "CREATE"
    UPDATE = "UPDATE"
    DELETE = "DELETE"
    UNDELETE = "UNDELETE"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who writes: a User id, and the origin as change events name it (empty: not through an API)."""

    user_id: str
    origin: str = ""


@dataclass(frozen=True, slots=True)
class RecordChange:
    """One record's net change within a transaction.

    `before` and `after` hold fields that have a value only: read them with `.get`. `changed` names the fields
    that differ, LastModifiedDate and SystemModstamp among them. `sequence_number` counts from 1 within the
    transaction.
    """

    object_name: str
    record_id: str
    change_type: ChangeType
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None
    changed: tuple[str, ...]
    user_id: str
    origin: str
    transaction_key: str
    committed_at: datetime
    sequence_number: int


Listener = Callable[[Sequence[RecordChange]], None]


def change_type_of(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> ChangeType | None:
    """The net change between two states of a record (None: it does not exist), or None when nothing shows.

    Emptying the recycle bin shows nothing: Salesforce sends no event for it.
    """
    was_there = before is not None and not before["IsDeleted"]
    is_there = after is not None and not after["IsDeleted"]
    if was_there and is_there:
        return ChangeType.UPDATE
    if was_there:
        return ChangeType.DELETE
    if is_there:
        return ChangeType.CREATE if before is None else ChangeType.UNDELETE
    return None


def differing(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> tuple[str, ...]:
    """Names of the fields whose values differ, those of `after` first."""
    old, new = before or {}, after or {}
    return tuple(name for name in {**new, **old} if old.get(name) != new.get(name))
