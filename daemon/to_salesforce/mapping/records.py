"""One m3ter entity as the Salesforce record that holds it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from daemon.to_salesforce.mapping import conversions, derivations, fed
from daemon.to_salesforce.mapping.derivations import Entity, Links, Reading
from daemon.to_salesforce.mapping.errors import RecordUnfit, ValueUnfit
from daemon.to_salesforce.mapping.fed import Fed
from daemon.to_salesforce.targets import Target, TargetField

Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class CustomFields:
    """The Salesforce field of each m3ter custom field, and what the org describes of these."""

    names: Mapping[str, str] = field(default_factory=dict)
    fed: Fed = field(default_factory=dict)


def record(target: Target, entity: Entity, custom_fields: CustomFields, links: Links) -> Record:
    """Every field of the copy, ready for JSON: money Decimal, None for nothing, parents by external id.

    Raises RecordUnfit, which names the entity and each field whose value does not fit.
    """
    made: Record = {}
    problems: list[tuple[str, str]] = []
    reading = Reading(entity, links)
    for each in target.fields:
        try:
            value = _value(each, reading)
        except ValueUnfit as unfit:
            problems.append((each.name, str(unfit)))
            continue
        if each.relation is None:
            made[each.name] = value
        else:
            made |= value
    if made.get(target.key_field) is None and target.key_field not in (name for name, _ in problems):
        problems.append((target.key_field, "The entity has no id."))
    made |= _custom(entity, custom_fields, problems)
    if problems:
        raise RecordUnfit(f"The {target.entity_type} {entity.get('id', '')}", problems)
    return made


def mark(target: Target, at: datetime) -> Record:
    """What is written to a copy whose entity is gone: nothing where a person left the mark field out."""
    return {target.mark_field: conversions.salesforce_instant(at)} if target.mark_field else {}


def concerned_account(entity_type: str, entity: Entity) -> str:
    """The m3ter account by which the allow and deny lists judge an entity; empty if it tells none."""
    return str(entity.get("id" if entity_type == "Account" else "accountId") or "")


def custom_field_problems(target: Target, custom_fields: Mapping[str, str]) -> list[str]:
    """Why these custom field mappings cannot be: one sentence each."""
    found: list[str] = []
    if custom_fields and not target.has_custom_fields:
        found.append(f"m3ter keeps no custom fields on a {target.entity_type}.")
    taken = {field.name.lower(): field for field in target.fields}
    sources: dict[str, str] = {}
    for source, name in custom_fields.items():
        if name.lower() in taken:
            found.append(f"{name} is already fed by m3sync; the custom field {source} needs another one.")
        if not name:
            found.append(f"The custom field {source} has no Salesforce field.")
        elif name.lower() in sources:
            found.append(f"{name} cannot be fed by both {sources[name.lower()]} and {source}.")
        sources.setdefault(name.lower(), source)
    return found


def _value(field: TargetField, reading: Reading) -> Any:
    value: Any = reading.entity
    for step in field.path:
        value = value.get(step) if isinstance(value, dict) else None
    if field.derivation:
        return derivations.BY_NAME[field.derivation](field, reading, value)
    return conversions.convert(field, value)


def _custom(entity: Entity, custom_fields: CustomFields, problems: list[tuple[str, str]]) -> Record:
    """m3ter's are texts and numbers, whatever the fields are that people made for them."""
    given = entity.get("customFields")
    held: Mapping[str, Any] = given if isinstance(given, Mapping) else {}
    made: Record = {}
    for source, name in custom_fields.names.items():
        try:
            made[name] = fed.convert(custom_fields.fed.get(name.lower()), held.get(source))
        except ValueUnfit as unfit:
            problems.append((name, f"The custom field {source}: {unfit}"))
    return made
