"""Reading one mapped value out of a Salesforce record, with its transforms."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from daemon.to_m3ter.mapping import conversions, errors, sources, transforms, values


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value is being made: for which entity and field, and (inside `each`) from which item."""

    source: sources.Source
    target: str
    item: Any

    @property
    def field(self) -> str:
        return f"{self.source.kind} {self.target}"


def places(value: values.Value, source: sources.Source, target: str) -> Iterator[tuple[Place, values.Value]]:
    """The plain values below one mapped field: itself, or those of each item of an `each`."""
    if value.each is None:
        yield Place(source, target, source.record), value
        return
    for number, item in enumerate(items(value, source, target)):
        for name, part in value.parts.items():
            yield Place(source, f"{target}[{number}].{name}", item), part


def read(value: values.Value, place: Place) -> Any:
    """The value of a path, literal or expression after its transforms; None when there is none.

    Raises MappingValueError naming the record, the m3ter field and what went wrong.
    """
    try:
        if value.path is not None:
            found = sources.follow(place.item, value.path)
        elif value.jmespath is not None:
            found = value.jmespath.search(place.item)
        else:
            found = value.literal
        return transforms.apply(value.transform, found)
    except ValueError as error:
        raise errors.MappingValueError(
            f"m3ter {place.field} cannot be made from {value.origin} of {place.source.title}: {error}.",
            instruction="Correct the record in Salesforce, or the transform in the field mapping.",
        ) from error


def codes(value: values.Value, place: Place) -> list[str]:
    """The codes a look-up asks for: none, one, or (when its expression gives a list) several."""
    found = read(value, place)
    several = found if isinstance(found, list) else [found]
    return list(
        dict.fromkeys(conversions.as_text(code) for code in several if not conversions.is_empty(code))
    )


def items(value: values.Value, source: sources.Source, target: str) -> list[Any]:
    """The things an `each` is made for: a list's items, or the one thing found."""
    if value.each is None:
        return []
    try:
        found = value.each.search(source.record)
    except ValueError as error:
        message = f"m3ter {source.kind} {target} cannot be made from {source.title}: {error}."
        raise errors.MappingValueError(message, instruction="Correct 'each' in the field mapping.") from error
    if found is None:
        return []
    return found if isinstance(found, list) else [found]
