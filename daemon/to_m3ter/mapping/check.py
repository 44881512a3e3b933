"""Proving a field mapping against a Salesforce org and m3ter's requests, before any record meets it."""

from collections.abc import Iterator, Mapping

from connectors.m3ter import shapes
from connectors.m3ter.models import EntityKind
from daemon.to_m3ter.mapping import (
    check_channels,
    check_fields,
    described,
    document,
    errors,
    expressions,
    limits,
    soql,
)

Shapes = Mapping[EntityKind, shapes.Shape]
Finding = check_fields.Finding


def check(mapping: document.Mapping, describes: described.Describes, m3ter_shapes: Shapes) -> list[Finding]:
    """Every finding, in the document's order. `describes` holds what `described.wanted` asked for."""
    findings = [*_check_graph(mapping, describes), *check_channels.check(mapping, describes)]
    for kind, made in mapping.in_order:
        shape = m3ter_shapes[EntityKind(kind)]
        findings.extend(_check_required(kind, made, shape))
        for target, value in made.fields.items():
            asked = check_fields.Asked(kind, target, value, *_object_of(mapping, made.source))
            findings.extend(check_fields.check_field(asked, describes, shape))
    return findings


def _check_graph(mapping: document.Mapping, describes: described.Describes) -> Iterator[Finding]:
    """The parent, the lines, and every path that the query will name."""
    if mapping.parent not in describes:
        message = f"Salesforce has no object {mapping.parent} that m3sync's user can see."
        yield Finding("error", "parent", message, "Correct the name, or give the user access to the object.")
        return
    actual = str(describes[mapping.parent]["name"])
    if actual != mapping.parent:
        message = f"Salesforce spells {mapping.parent} as {actual}."
        yield Finding("error", "parent", message, f'Write parent = "{actual}".')
    for name, line in mapping.lines.items():
        yield from _check_line(mapping.parent, name, line, describes)
    try:
        soql.soql(mapping, "0" * 18)
    except errors.MappingInvalid as error:
        yield Finding("error", error.where, error.message, error.instruction)
    asked = [(where, *_from_object(mapping, path)) for where, path in soql.reads(mapping)]
    for where, object_name, path in dict.fromkeys(asked):
        answer = described.find(describes, object_name, path)
        if isinstance(answer, described.Undescribed) and answer.otherwise is None:
            message = f"Salesforce has no object {answer.object_names[0]} that m3sync's user can see."
            yield Finding("error", where, message, "Correct the name, or give the user access to the object.")
        elif isinstance(answer, described.Undescribed | described.Unknown):
            unknown = answer if isinstance(answer, described.Unknown) else answer.otherwise
            if unknown is not None:
                yield Finding("error", where, unknown.message, unknown.instruction)


def _from_object(mapping: document.Mapping, path: expressions.Path) -> tuple[str, expressions.Path]:
    """A path from the parent as one from the object it begins at: a line's own, or the parent."""
    if path[0] in mapping.lines:
        return mapping.lines[path[0]].object, path[1:] or ("Id",)
    return mapping.parent, path


def _check_line(
    parent: str, name: str, line: document.Line, describes: described.Describes
) -> Iterator[Finding]:
    where = f"lines.{name}"
    answer = described.child(describes, parent, name)
    if isinstance(answer, described.Unknown):
        yield Finding("error", where, answer.message, answer.instruction)
    elif answer is not None:
        facts = (
            ("object", answer["childSObject"], line.object),
            ("parent_field", answer["field"], line.parent_field),
        )
        for key, actual, given in facts:
            if actual != given:
                message = f"{parent}.{name} leads to {actual}, not to {given}."
                yield Finding("error", f"{where}.{key}", message, f'Write {key} = "{actual}".')


def _check_required(kind: str, made: document.ObjectMapping, shape: shapes.Shape) -> Iterator[Finding]:
    where = f"objects.{kind}.fields"
    for name in shape.required:
        if name not in made.fields:
            yield Finding(
                "error", where, f"m3ter requires {kind} {name}, and it is not mapped.", f"Map {name}."
            )
    for group in limits.ONE_OF.get(kind, ()):
        given = [name for name in group if name in made.fields]
        if not given:
            message = f"m3ter requires {kind} {' or '.join(group)}, and neither is mapped."
            yield Finding("error", where, message, f"Map {group[0]} or {group[1]}.")
        elif len(given) > 1:
            message = f"m3ter takes {kind} {' or '.join(group)}, and both are mapped."
            yield Finding("warning", where, message, "Where both have a value, the record is refused.")


def _object_of(mapping: document.Mapping, source: str) -> tuple[str, expressions.Path]:
    """The Salesforce object a source begins at, and the relationships that lead from it."""
    if source in mapping.lines:
        return mapping.lines[source].object, ()
    return mapping.parent, tuple(source.split(".")) if source else ()
