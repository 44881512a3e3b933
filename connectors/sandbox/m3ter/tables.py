"""Entities of one kind in memory: newest last, indexed, paged from the newest."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from connectors.sandbox.m3ter.kinds import Kind

Entity = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Page:
    """Some entities, and the position from which the next page goes on (None: this was the last)."""

    entities: list[Entity]
    next_position: int | None


class Crowd(Protocol):
    """Entities that take no room: numbered from 0, made when they are asked for, always the same."""

    @property
    def count(self) -> int:
        """How many there are."""

    @property
    def make(self) -> Callable[[int], Entity]:
        """Gives the entity of a number."""

    def number(self, entity_id: object) -> int | None:
        """The number of an id."""

    def numbers(self, name: str, value: object) -> Iterable[int]:
        """The numbers of those whose field is, or contains, a value."""


_IN_CROWD: Entity = {}


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
        self._crowd: Crowd | None = None
        self._in_crowd = 0

    def join(self, crowd: Crowd) -> None:
        """Have the entities of a crowd, the first of the table; raises ValueError when there are others."""
        if self._places:
            raise ValueError(f"There are entities of kind {self.kind.name} already.")
        self._crowd, self._in_crowd = crowd, crowd.count
        self._places = [_IN_CROWD] * crowd.count

    @property
    def end(self) -> int:
        """The position from which a first page starts."""
        return len(self._places)

    def __len__(self) -> int:
        return len(self._by_id) + self._in_crowd

    def __contains__(self, entity_id: object) -> bool:
        return self._place_of(entity_id) is not None

    def __iter__(self) -> Iterator[Entity]:
        """Newest first."""
        places = range(len(self._places) - 1, -1, -1)
        return (self._at(place) for place in places if self._places[place] is not None)

    def get(self, entity_id: str) -> Entity | None:
        """One entity by its id."""
        place = self._place_of(entity_id)
        return None if place is None else self._at(place)

    def put(self, entity: Entity) -> None:
        """Add an entity, or replace the one of the same id in its place."""
        place = self._place_of(entity["id"])
        if place is None:
            place = len(self._places)
            self._places.append(entity)
            self._by_id[entity["id"]] = place
        else:
            self._forget(place)
            self._places[place] = entity
            self._by_id[entity["id"]] = place
        for name, index in self._indexes.items():
            for value in _values(entity.get(name)):
                index.setdefault(value, {})[place] = None

    def remove(self, entity_id: str) -> None:
        """Take an entity out; its place stays empty."""
        place = self._place_of(entity_id)
        if place is None:
            raise LookupError(f"There is no {self.kind.name} {entity_id}.")
        self._forget(place)
        self._by_id.pop(entity_id, None)
        self._places[place] = None

    def having(self, name: str, value: Any) -> list[Entity]:
        """The entities whose indexed field is, or contains, this value; newest first."""
        return [self._at(place) for place in self._found(name, [value])]

    def newest(self, name: str, value: Any) -> Entity | None:
        """The newest entity whose indexed field is, or contains, this value."""
        places = [*self._indexes[name].get(value, ()), *self._crowded(name, value)]
        return self._at(max(places)) if places else None

    def candidates(self, name: str, values: Iterable[Any]) -> list[int]:
        """Places, newest first, of the entities that an id list or an indexed filter picks."""
        if name == "id":
            found = {self._place_of(value) for value in values}
            return sorted((place for place in found if place is not None), reverse=True)
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
        found = {place for value in values for place in (*index.get(value, ()), *self._crowded(name, value))}
        return sorted(found, reverse=True)

    def _crowded(self, name: str, value: Any) -> Iterator[int]:
        """Places of those in the crowd, still as they came, whose field is or contains the value."""
        numbers = () if self._crowd is None else self._crowd.numbers(name, value)
        return (place for place in numbers if self._places[place] is _IN_CROWD)

    def _place_of(self, entity_id: object) -> int | None:
        place = self._by_id.get(str(entity_id))
        if place is None and self._crowd is not None:
            number = self._crowd.number(entity_id)
            return number if number is not None and self._places[number] is _IN_CROWD else None
        return place

    def _at(self, place: int) -> Entity:
        entity = self._places[place]
        if entity is None:
            raise LookupError(f"nothing is at place {place} of {self.kind.name}")
        return self._crowd.make(place) if entity is _IN_CROWD and self._crowd is not None else entity

    def _forget(self, place: int) -> None:
        if self._places[place] is _IN_CROWD:
            self._in_crowd -= 1
            return
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
