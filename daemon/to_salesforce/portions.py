"""Cuts what waits into calls, by records and by bytes, and reads no more of it than is sent soon."""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from connectors import wire
from connectors.salesforce.collections import MAX_RECORDS
from daemon.to_salesforce.place import Place
from state import entity_copies
from state.entity_models import CopyAction, Waiting

# JSON of the records of one call. The lines of a bill alone may have 131,072 characters.
MOST_BYTES = 4 * 1024 * 1024
# A call is full from here on, so that it need not be known how large the next record is.
_FULL_BYTES = MOST_BYTES * 3 // 4


@dataclass(slots=True)
class Portion:
    """The records of one call, all of one action and all with a payload or none; `size` in bytes."""

    rows: list[Waiting] = field(default_factory=list)
    size: int = 0

    @property
    def is_full(self) -> bool:
        return len(self.rows) >= MAX_RECORDS or self.size >= _FULL_BYTES


class Cutting:
    """Goes on with more rows where it was; `full` are the calls that are."""

    def __init__(self) -> None:
        self.full: list[Portion] = []
        self._open: dict[tuple[CopyAction, bool], Portion] = {}

    def add(self, rows: Sequence[Waiting]) -> int:
        """How many bytes they have."""
        added = 0
        for row in rows:
            kind, size = (row.action, bool(row.payload)), _size(row)
            portion = self._open.get(kind, Portion())
            if portion.rows and portion.size + size > MOST_BYTES:
                self.full.append(portion)
                portion = Portion()
            portion.rows.append(row)
            portion.size += size
            added += size
            self._open[kind] = portion
            if portion.is_full:
                self.full.append(self._open.pop(kind))
        return added

    def all(self) -> list[Portion]:
        """The others too."""
        return self.full + list(self._open.values())


class Reader:
    """Of one run."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._for_a_call = MAX_RECORDS  # so many, of the size of those that were read last, fill one

    async def portions(self, most: int, *, without: Collection[str], is_all: bool) -> list[Portion]:
        """At most so many calls of what is due; with `is_all` also what does not fill one, at the end."""
        cutting, met = Cutting(), list(without)
        while len(cutting.full) < most:
            limit = self._for_a_call
            found = await entity_copies.waiting(
                self._place.db, self._place.integration_id, limit=limit, without=met
            )
            added = cutting.add(found)
            met += [row.m3ter_id for row in found]
            if len(found) < limit:
                return (cutting.all() if is_all else cutting.full)[:most]
            self._for_a_call = min(MAX_RECORDS, math.ceil(_FULL_BYTES * len(found) / max(1, added)))
        return cutting.full[:most]


def cut(rows: Sequence[Waiting], *, is_all: bool) -> list[Portion]:
    """Full calls; what does not fill one only when all that is to come is there."""
    cutting = Cutting()
    cutting.add(rows)
    return cutting.all() if is_all else cutting.full


def _size(row: Waiting) -> int:
    return len(wire.dumps(dict(row.payload))) if row.payload else 0
