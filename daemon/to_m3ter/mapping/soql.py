"""The one SELECT that reads a record's whole graph for a sync."""

import re
from collections.abc import Iterator

from daemon.to_m3ter.mapping import document, errors, expressions

RECORD_ID = re.compile(r"[A-Za-z0-9]{15}([A-Za-z0-9]{3})?", re.ASCII)
STAMPS = ("LastModifiedDate", "SystemModstamp")
LONGEST = 15_000  # characters; Salesforce takes 16,384 bytes of address, some of which percent-encoding needs


def soql(mapping: document.Mapping, record_id: str) -> str:
    """The query for one parent record with relationship paths and child sub-queries.

    Names come from patterns that allow letters, digits and underscores only, and so does the id: nothing of a
    document or a record id can leave its place. Raises ValueError for an id that is none, MappingInvalid when
    the query grows past what Salesforce takes.
    """
    if not RECORD_ID.fullmatch(record_id):
        message = f"{record_id[:40]!r} is not a Salesforce record id (15 or 18 letters and digits)"
        raise ValueError(message)
    own, children = selected(mapping)
    fields = [".".join(path) for path in own]
    for relationship, paths in children.items():
        inner = ", ".join(".".join(path) for path in paths)
        fields.append(f"(SELECT {inner} FROM {relationship})")  # noqa: S608 - only names
    query = f"SELECT {', '.join(fields)} FROM {mapping.parent} WHERE Id = '{record_id}'"  # noqa: S608 - only names
    if len(query) > LONGEST:
        message = f"The query has {len(query)} characters, for so many fields are mapped (at most {LONGEST})."
        raise errors.MappingInvalid(message, where="objects", instruction="Map fewer fields.")
    return query


def selected(mapping: document.Mapping) -> tuple[list[expressions.Path], dict[str, list[expressions.Path]]]:
    """The fields to read: of the parent (with relationship paths), and of each child relationship."""
    own: list[expressions.Path] = [("Id",), *((stamp,) for stamp in STAMPS)]
    children: dict[str, list[expressions.Path]] = {}
    for _, path in reads(mapping):
        if path[0] in mapping.lines:
            inner = children.setdefault(path[0], [("Id",)])
            inner.append(path[1:] or ("Id",))
        else:
            own.append(path)
    return _once(own), {name: _once(paths) for name, paths in children.items()}


def reads(mapping: document.Mapping) -> Iterator[tuple[str, expressions.Path]]:
    """Every path the mapping reads, from the parent on, with its place; in the document's order."""
    if mapping.criterion:
        yield from (("criterion.holds", path) for path in mapping.criterion.holds.paths)
        yield from (("criterion.fields", tuple(path.split("."))) for path in mapping.criterion.fields)
    for kind, made in mapping.in_order:
        source = tuple(made.source.split(".")) if made.source else ()
        yield f"objects.{kind}.source", (*source, "Id")
        yield from ((f"objects.{kind}.{key}", (*source, *path)) for key, path in made.reads())


def _once(paths: list[expressions.Path]) -> list[expressions.Path]:
    """Without repeats (SOQL does not tell capitals apart) and without paths that only lead to others."""
    leading = {tuple(part.lower() for part in path[:end]) for path in paths for end in range(1, len(path))}
    unique = {tuple(part.lower() for part in path): path for path in reversed(paths)}
    kept = [
        key
        for key in dict.fromkeys(tuple(part.lower() for part in path) for path in paths)
        if key not in leading
    ]
    return [unique[key] for key in kept]
