"""Entities of one kind in memory: newest last, indexed, paged from the newest."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from connectors.sandbox.m3ter.kinds import Kind

Entity = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Page:
    """Some entities, and the position from which the next page goes on (None: this was the last)."""

    entities: list[Entity]
    next_position: int | None


class Table:
    """The entities of one kind.

    A place is given once and never again, so that a page token stays good while others write. Entities are
    replaced whole, never changed in place: whoever holds one keeps what was read.
    """

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self._places: list[Entity | None] = []
        self._by_id: dict[str, int] = {}
        self._indexes: dict[str, dict[Any, dict[int, None]]] = {name: {} for name in kind.indexed}

    @property
    def end(self) -> int:
        """The position from which a first page starts."""
        return len(self._places)

    def __len__(self) -> int:
        return len(self._by_id)

    def __contains__(self, entity_id: object) -> bool:
        return entity_id in self._by_id

    def __iter__(self) -> Iterator[Entity]:
        """Newest first."""
        return (entity for entity in reversed(self._places) if entity is not None)

    def get(self, entity_id: str) -> Entity | None:
        """One entity by its id."""
        place = self._by_id.get(entity_id)
        return None if place is None else self._places[place]

    def put(self, entity: Entity) -> None:
        """Add an entity, or replace the one of the same id in its place."""
        place = self._by_id.get(entity["id"])
        if place is None:
            place = len(self._places)
            self._places.append(entity)
            self._by_id[entity["id"]] = place
        else:
            self._forget(place)
            self._places[place] = entity
        for name, index in self._indexes.items():
            for value in _values(entity.get(name)):
                index.setdefault(value, {})[place] = None

    def remove(self, entity_id: str) -> None:
        """Take an entity out; its place stays empty."""
        place = self._by_id.pop(entity_id)
        self._forget(place)
        self._places[place] = None

    def having(self, name: str, value: Any) -> list[Entity]:
        """The entities whose indexed field is, or contains, this value; newest first."""
        return [self._at(place) for place in self._found(name, [value])]

    def newest(self, name: str, value: Any) -> Entity | None:
        """The newest entity whose indexed field is, or contains, this value."""
        places = self._indexes[name].get(value)
        return self._at(max(places)) if places else None

    def candidates(self, name: str, values: Iterable[Any]) -> list[int]:
        """Places, newest first, of the entities that an id list or an indexed filter picks."""
        if name == "id":
            return sorted({self._by_id[value] for value in values if value in self._by_id}, reverse=True)
        return self._found(name, values)

    def page(
        self, size: int, position: int | None, picked: list[int] | None, fits: Callable[[Entity], bool]
    ) -> Page:
        """At most `size` entities below `position`: cut first, filtered after, so a page may be empty."""
        places = (
            self._below(position)
            if picked is None
            else (p for p in picked if position is None or p < position)
        )
        cut: list[int] = []
        for place in places:
            if len(cut) == size:
                return Page(self._fitting(cut, fits), cut[-1])
            if self._places[place] is not None:
                cut.append(place)
        return Page(self._fitting(cut, fits), None)

    def _below(self, position: int | None) -> range:
        return range(
            (len(self._places) if position is None else min(position, len(self._places))) - 1, -1, -1
        )

    def _fitting(self, places: list[int], fits: Callable[[Entity], bool]) -> list[Entity]:
        return [entity for entity in map(self._at, places) if fits(entity)]

    def _found(self, name: str, values: Iterable[Any]) -> list[int]:
        index = self._indexes[name]
        return sorted({place for value in values for place in index.get(value, ())}, reverse=True)

    def _at(self, place: int) -> Entity:
        entity = self._places[place]
        if entity is None:
            raise LookupError(f"nothing is at place {place} of {self.kind.name}")
        return entity

    def _forget(self, place: int) -> None:
        before = self._at(place)
        for name, index in self._indexes.items():
            for value in _values(before.get(name)):
                places = index.get(value)
                if places is not None:
                    places.pop(place, None)
                    if not places:
                        del index[value]


def _values(value: Any) -> Iterable[Any]:
    if value is None:
        return ()
    return value if isinstance(value, list) else (value,)
