"""The records of one Bulk job: thousands, so they are packed in memory and unpacked a few at a time."""

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

from connectors import wire
from state.entity_models import Waiting

_PACK = 100
_QUICKLY = 1  # of zlib's levels: records of one object are so alike that it suffices


@dataclass(slots=True)
class Load:
    """`rows` are the copies without their payloads, `records` gives these again, in the same order."""

    rows: list[Waiting] = field(default_factory=list)
    _packs: list[bytes] = field(default_factory=list)

    def add(self, rows: Sequence[Waiting]) -> None:
        """Rows with a payload each."""
        self.rows += [replace(row, payload=None) for row in rows]
        for at in range(0, len(rows), _PACK):
            some = [dict(row.payload or {}) for row in rows[at : at + _PACK]]
            self._packs.append(zlib.compress(wire.dumps(some), _QUICKLY))

    @property
    def records(self) -> "Packed":
        return Packed(self._packs)

    def whole(self) -> Iterator[Waiting]:
        """The rows with their payloads, one at a time."""
        for row, record in zip(self.rows, self.records, strict=True):
            yield replace(row, payload=record)


@dataclass(frozen=True, slots=True)
class Packed:
    """May be iterated as often as needed."""

    packs: Sequence[bytes]

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for pack in self.packs:
            yield from cast("list[dict[str, Any]]", wire.loads(zlib.decompress(pack)))
