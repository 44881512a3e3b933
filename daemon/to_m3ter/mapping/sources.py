"""Which m3ter entities one Salesforce record graph makes, from which of its records."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from daemon.to_m3ter.mapping import document, errors, expressions

Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class ObjectKey:
    """One entity of a sync: its m3ter kind and the Salesforce record it is made from."""

    kind: str
    salesforce_id: str


@dataclass(frozen=True, slots=True)
class Source:
    """One m3ter entity to be made, and the record that it is made from.

    `depends_on` names the entities of this same sync whose ids its body takes. `is_absent`: the relationship
    `path` that leads to the record is empty; then the id and the object are the parent's, and `needs` and
    `desired` raise MissingMappingError saying so.
    """

    kind: str
    record: Record = field(repr=False)
    salesforce_object: str
    salesforce_id: str
    path: str
    is_flagged: bool = False
    is_absent: bool = False
    depends_on: tuple[ObjectKey, ...] = ()

    @property
    def key(self) -> ObjectKey:
        return ObjectKey(self.kind, self.salesforce_id)

    @property
    def title(self) -> str:
        return f"{self.salesforce_object} {self.salesforce_id}"


def criterion_holds(mapping: document.Mapping, record: Record) -> bool:
    """Whether this parent record is one to sync. Raises MappingValueError when the expression fails on it."""
    if mapping.criterion is None:
        return True
    title = f"{mapping.parent} {record.get('Id') or ''}".rstrip()
    return _holds(mapping.criterion.holds, record, "criterion.holds", title)


def sources(mapping: document.Mapping, record: Record) -> list[Source]:
    """The entities this record graph makes, in the order in which they are written; lines by their id.

    Raises MappingValueError when an `only_if` or `do_not_sync` expression fails on a record.
    """
    found: dict[ObjectKey, Source] = {}
    single: dict[str, ObjectKey] = {}  # the entities of which there is one, whatever the number of lines
    for kind, made in mapping.in_order:
        for source in _candidates(mapping, kind, made, record):
            if not source.is_absent and not _is_wanted(made, source):
                continue
            wanted = dict.fromkeys(other for _, other in made.references())
            keys = [single.get(other, ObjectKey(other, source.salesforce_id)) for other in wanted]
            found[source.key] = replace(
                source,
                is_flagged=_is_flagged(made, source),
                depends_on=tuple(key for key in keys if key in found),
            )
            if made.source not in mapping.lines:
                single[kind] = source.key
    return list(found.values())


def follow(record: Any, path: str) -> Any:
    """The field at the end of a relationship path; None as soon as a relationship on the way is empty."""
    for name in path.split("."):
        if not isinstance(record, dict):
            return None
        record = record.get(name)
    return record


def _candidates(
    mapping: document.Mapping, kind: str, made: document.ObjectMapping, record: Record
) -> Iterator[Source]:
    own_id = str(record.get("Id") or "")
    path = made.source
    if not path:
        yield Source(kind, record, mapping.parent, own_id, path)
    elif path in mapping.lines:
        for line in sorted(follow(record, path) or [], key=lambda line: str(line.get("Id"))):
            yield Source(kind, line, mapping.lines[path].object, str(line.get("Id") or ""), path)
    else:
        related = follow(record, path)
        if isinstance(related, dict):
            yield Source(kind, related, _object_name(related, path), str(related.get("Id") or ""), path)
        else:
            yield Source(kind, {}, mapping.parent, own_id, path, is_absent=True)


def _object_name(record: Record, path: str) -> str:
    """Salesforce says it with the record; else the relationship is nearly always called after its object."""
    named = (record.get("attributes") or {}).get("type")
    last = path.rpartition(".")[2]
    return str(named) if named else (last.removesuffix("__r") + "__c" if last.endswith("__r") else last)


def _is_wanted(made: document.ObjectMapping, source: Source) -> bool:
    return made.only_if is None or _holds(
        made.only_if, source.record, f"objects.{source.kind}.only_if", source.title
    )


def _is_flagged(made: document.ObjectMapping, source: Source) -> bool:
    return made.do_not_sync is not None and _holds(
        made.do_not_sync, source.record, f"objects.{source.kind}.do_not_sync", source.title
    )


def _holds(expression: expressions.Expression, record: Record, where: str, title: str) -> bool:
    try:
        return expression.holds(record)
    except ValueError as error:
        raise errors.MappingValueError(
            f"Whether {title} is synced cannot be told: {error} ({where}).",
            instruction=f"Correct {where} in the field mapping, or the record in Salesforce.",
        ) from error
