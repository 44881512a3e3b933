"""Proving a field mapping against a Salesforce org and m3ter's requests, before any record meets it."""

from collections.abc import Iterator, Mapping

from connectors.m3ter import shapes
from connectors.m3ter.models import EntityKind
from daemon.to_m3ter.mapping import check_fields, described, document, errors, expressions, limits, soql
from daemon.to_m3ter.mapping.check_fields import Finding

Shapes = Mapping[EntityKind, shapes.Shape]


def check(mapping: document.Mapping, describes: described.Describes, m3ter_shapes: Shapes) -> list[Finding]:
    """Every finding, in the document's order. `describes` holds what `described.wanted` asked for."""
    findings = list(_check_graph(mapping, describes))
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
    for name, line in mapping.lines.items():
        yield from _check_line(mapping.parent, name, line, describes)
    try:
        own, children = soql.selected(mapping)
        soql.soql(mapping, "0" * 18)
    except errors.MappingInvalid as error:
        yield Finding("error", error.where, error.message, error.instruction)
        return
    asked = [(mapping.parent, path) for path in own]
    asked += [(mapping.lines[name].object, path) for name, paths in children.items() for path in paths]
    for object_name, path in asked:
        answer = described.find(describes, object_name, path)
        if isinstance(answer, described.Unknown):
            where = " and ".join(_mentions(mapping, path[-1])) or "objects"
            yield Finding("error", where, answer.message, answer.instruction)
        elif isinstance(answer, described.Undescribed) and object_name in describes:
            message = f"Salesforce has no object {answer.object_names[0]} that m3sync's user can see."
            yield Finding("error", f"{object_name}.{'.'.join(path)}", message, "Give the user access to it.")


def _mentions(mapping: document.Mapping, name: str) -> list[str]:
    """Where in the document a Salesforce field is read, for a message."""
    places = ["criterion.holds"] if mapping.criterion and _reads(mapping.criterion.holds.paths, name) else []
    for kind, made in mapping.in_order:
        if made.only_if and _reads(made.only_if.paths, name):
            places.append(f"objects.{kind}.only_if")
        if made.do_not_sync and _reads(made.do_not_sync.paths, name):
            places.append(f"objects.{kind}.do_not_sync")
        fields = made.fields.items()
        places += [f"objects.{kind}.fields.{target}" for target, value in fields if _reads(value.paths, name)]
    return places


def _reads(paths: tuple[expressions.Path, ...], name: str) -> bool:
    return any(path and path[-1] == name for path in paths)


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
                "error", where, f"m3ter requires {name} of a {kind}, and it is not mapped.", f"Map {name}."
            )
    for group in limits.ONE_OF.get(kind, ()):
        given = [name for name in group if name in made.fields]
        if not given:
            message = f"m3ter requires {' or '.join(group)} of a {kind}, and neither is mapped."
            yield Finding("error", where, message, f"Map {group[0]} or {group[1]}.")
        elif len(given) > 1:
            message = f"m3ter takes {' or '.join(group)}, and both are mapped."
            yield Finding("warning", where, message, "Where both have a value, the record is refused.")


def _object_of(mapping: document.Mapping, source: str) -> tuple[str, expressions.Path]:
    """The Salesforce object a source begins at, and the relationships that lead from it."""
    if source in mapping.lines:
        return mapping.lines[source].object, ()
    return mapping.parent, tuple(source.split(".")) if source else ()
