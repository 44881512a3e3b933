"""A target compared with what Salesforce describes: what the org lacks, and what would refuse a write."""

from collections.abc import Iterator, Mapping
from typing import Any

from daemon.doctor import findings
from daemon.doctor.findings import Finding
from daemon.to_salesforce import metadata
from daemon.to_salesforce.mapping import fed
from daemon.to_salesforce.targets import CUSTOM_OBJECTS, Target, TargetField
from state.entity_models import EntitySyncSettings, Removal

Describe = Mapping[str, Any]

# The types of a describe that take what a field of ours is written as.
_TYPES: Mapping[str, tuple[str, ...]] = {
    "Text": ("string", "textarea", "email", "url", "phone", "picklist", "combobox"),
    "LongTextArea": ("textarea",),
    "Number": ("double", "int", "currency"),
    "Percent": ("percent", "double"),
    "Checkbox": ("boolean",),
    "Date": ("date",),
    "DateTime": ("datetime",),
    "Lookup": ("reference",),
}
_NAMED = 6


def check(
    where: str, target: Target, settings: EntitySyncSettings, describe: Describe | None
) -> list[Finding]:
    """Every finding about one target; `describe` None where the org has no such object for our user."""
    if describe is None:
        message = f"Salesforce has no object {target.object_name} that m3sync's user can see."
        return [findings.bad(where, message, _mending(target))]
    fields = {str(each["name"]).lower(): each for each in describe.get("fields", ())}
    found = [*_object(where, target, settings, describe), *_missing(where, target, fields)]
    for each in target.fields:
        if described := fields.get(each.name.lower()):
            place = f"{where}: {target.object_name}.{each.name}"
            found += _field(place, target, each, described)
    found += _custom(where, target, settings.custom_fields, fields)
    if found:
        return found
    return [findings.good(where, f"{target.object_name} has all {len(target.fields)} fields.")]


def _object(
    where: str, target: Target, settings: EntitySyncSettings, describe: Describe
) -> Iterator[Finding]:
    needed = ["createable", "updateable"]
    if Removal.DELETE in (settings.on_deletion, settings.on_leaving):
        needed.append("deletable")
    lacking = [word for word in needed if not describe.get(word, False)]
    if lacking:
        message = f"m3sync's user may not write {target.object_name}: it is not {' or '.join(lacking)}."
        yield findings.bad(where, message, _permission(target))


def _missing(where: str, target: Target, fields: Mapping[str, Describe]) -> Iterator[Finding]:
    missing = [each.name for each in target.fields if each.name.lower() not in fields]
    if missing:
        rest = f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
        message = f"{target.object_name} lacks {', '.join(missing[:_NAMED])}{rest}."
        yield findings.bad(where, f"{message} Or m3sync's user may not see what is there.", _mending(target))


def _field(where: str, target: Target, field: TargetField, described: Describe) -> Iterator[Finding]:
    given = described.get("type")
    if given not in _TYPES[field.type]:
        message = f"It is of the type {given}; m3sync writes {_TYPES[field.type][0]}."
        yield findings.bad(where, message, _mending(target))
        return
    yield from _access(where, target, field.name, described)
    if field.is_external_id and not (described.get("externalId") and described.get("unique")):
        message = "It is not a unique external id, and records are found by it."
        yield findings.bad(where, message, "Tick both External ID and Unique on the field.")
    length = described.get("length") or 0
    if field.length and length and length < field.length and field.name != "Name":
        message = f"It has room for {length:,} characters; m3sync may write {field.length:,}."
        yield findings.doubtful(where, message, "Lengthen the field, or longer values will be refused.")
    scale = described.get("scale")
    if field.scale and scale is not None and scale < field.scale:
        message = f"It keeps {scale} digits after the point; m3sync writes up to {field.scale}."
        yield findings.bad(where, message, "Give it more decimal places, or Salesforce will round amounts.")
    refers_to = described.get("referenceTo") or ()
    if field.refers_to and field.refers_to not in refers_to:
        message = f"It refers to {', '.join(refers_to) or 'nothing'}, not to {field.refers_to}."
        yield findings.bad(where, message, _mending(target))


def _custom(
    where: str, target: Target, custom_fields: Mapping[str, str], fields: Mapping[str, Describe]
) -> Iterator[Finding]:
    for source, name in custom_fields.items():
        described = fields.get(name.lower())
        if described is None:
            message = f"{target.object_name} lacks {name}, which the custom field {source} feeds."
            yield findings.bad(where, message, "Make the field in Salesforce, or change the mapping.")
        else:
            place = f"{where}: {target.object_name}.{name}"
            if described.get("type") in fed.UNFEEDABLE:
                message = f"It is of the type {described['type']}; {source} is a text or a number in m3ter."
                yield findings.bad(place, message, "Map it to a field of another type.")
            yield from _access(place, target, name, described)


def _access(where: str, target: Target, name: str, described: Describe) -> Iterator[Finding]:
    lacking = [word for word in ("createable", "updateable") if not described.get(word, False)]
    if lacking:
        message = f"m3sync's user may not write {name}: it is not {' or '.join(lacking)}."
        yield findings.bad(where, message, _permission(target))


def _mending(target: Target) -> str:
    if target.namespace == CUSTOM_OBJECTS:
        return (
            "Write a package by `m3sync salesforce metadata --out DIR`, deploy it, and give the user the "
            f"permission set {metadata.SYNC_PERMISSIONS}."
        )
    return (
        "Install m3ter's package and give the user its permission set; or tell the names that your version "
        "of it has (docs/entity-data-sync.md)."
    )


def _permission(target: Target) -> str:
    if target.namespace == CUSTOM_OBJECTS:
        return f"Give the user the permission set {metadata.SYNC_PERMISSIONS}."
    return "Give the user a permission set that may create and edit it, and delete where we do."
