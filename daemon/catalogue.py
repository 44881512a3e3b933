"""m3ter's products, plan templates and aggregations by code, read once and refreshed when needed."""

import asyncio
import time
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Protocol, TypeVar

from connectors.errors import RejectedError
from connectors.m3ter.models import EntityKind
from connectors.m3ter.rest import Entity, M3ter


class Lookup(Hashable, Protocol):
    """What is asked of the catalogue: which kind of entity has this code?"""

    @property
    def kind(self) -> str: ...

    @property
    def code(self) -> str: ...


L = TypeVar("L", bound=Lookup)


@dataclass(frozen=True, slots=True)
class Freshness:
    """How long what was read may be trusted, and how soon a code that was missing is looked for again."""

    longest: timedelta = timedelta(minutes=10)
    miss: timedelta = timedelta(seconds=5)


@dataclass(slots=True)
class _Shelf:
    """All entities of one kind by code; a code that two of them carry is ambiguous."""

    read_at: float
    by_code: dict[str, Entity] = field(default_factory=dict)
    ambiguous: dict[str, list[str]] = field(default_factory=dict)


class Catalogue:
    """One m3ter organization's catalogue, shared by all who sync to it. Times come from `clock` (seconds)."""

    def __init__(
        self,
        m3ter: M3ter,
        freshness: Freshness = Freshness(),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._m3ter = m3ter
        self._freshness = freshness
        self._clock = clock
        self._shelves: dict[EntityKind, _Shelf] = {}
        self._permitted: _Permitted | None = None
        self._reading = asyncio.Lock()

    async def find(self, kind: EntityKind, code: str) -> Entity | None:
        """The entity with this code. Raises RejectedError when several carry it."""
        shelf = self._shelves.get(kind)
        if shelf is None or self._is_stale(shelf, known=code in shelf.by_code):
            shelf = await self._read(kind, shelf)
        if code in shelf.ambiguous:
            ids = ", ".join(shelf.ambiguous[code])
            raise RejectedError(
                f"m3ter has several {kind.value}s with the code {code!r}: {ids}.",
                instruction="Give each of them a code of its own in m3ter.",
            )
        return shelf.by_code.get(code)

    async def resolve(self, lookups: tuple[L, ...]) -> Mapping[L, str]:
        """m3ter ids of the look-ups that found something."""
        found: dict[L, str] = {}
        for lookup in lookups:
            entity = await self.find(EntityKind(lookup.kind), lookup.code)
            if entity is not None:
                found[lookup] = str(entity["id"])
        return found

    async def doubt(self, lookups: tuple[Lookup, ...]) -> None:
        """m3ter rejected what was made with their ids: read their kinds anew, unless that was just done."""
        for kind in sorted({EntityKind(lookup.kind) for lookup in lookups}):
            shelf = self._shelves.get(kind)
            if shelf is not None and self._is_stale(shelf, known=False):
                await self._read(kind, shelf)

    async def product_of_template(self, plan_template_id: str) -> str | None:
        """The product of a plan template that was looked up before."""
        shelf = self._shelves.get(EntityKind.PLAN_TEMPLATE)
        for entity in shelf.by_code.values() if shelf else ():
            if entity["id"] == plan_template_id:
                return entity.get("productId")
        return None

    async def may_map(self, m3ter_entity: str, external_table: str) -> bool:
        """Whether m3ter keeps an external mapping between this entity and this Salesforce object."""
        permitted = self._permitted
        now = self._clock()
        if permitted is None or now - permitted.read_at > self._freshness.longest.total_seconds():
            permitted = _Permitted(now, await self._m3ter.external_mapping_configuration())
            self._permitted = permitted
        return permitted.allows(m3ter_entity, external_table)

    def _is_stale(self, shelf: _Shelf, *, known: bool) -> bool:
        trusted = self._freshness.longest if known else self._freshness.miss
        return self._clock() - shelf.read_at > trusted.total_seconds()

    async def _read(self, kind: EntityKind, outdated: _Shelf | None) -> _Shelf:
        async with self._reading:
            current = self._shelves.get(kind)
            if current is not None and current is not outdated:
                return current  # another sync has just read it
            shelf = _Shelf(self._clock())
            async for page in self._m3ter.pages(kind):
                for entity in page:
                    _put(shelf, entity)
            self._shelves[kind] = shelf
            return shelf


def _put(shelf: _Shelf, entity: Entity) -> None:
    code = entity.get("code")
    if not isinstance(code, str) or not code:
        return
    other = shelf.by_code.setdefault(code, entity)
    if other is not entity:
        shelf.ambiguous.setdefault(code, [str(other["id"])]).append(str(entity["id"]))


@dataclass(frozen=True, slots=True)
class _Permitted:
    """What m3ter's external mapping configuration allows, and when it was read."""

    read_at: float
    configuration: Mapping[str, Any]

    def allows(self, m3ter_entity: str, external_table: str) -> bool:
        if m3ter_entity not in (self.configuration.get("m3terEntities") or ()):
            return False
        for system in self.configuration.get("externalSystems") or ():
            if str(system.get("name", "")).lower() == "salesforce":
                return bool(system.get("allowCustomExternalTables")) or external_table in (
                    system.get("tables") or ()
                )
        return False
