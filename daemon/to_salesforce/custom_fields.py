"""Which custom field mappings cannot be: those that would write what m3sync or Salesforce itself keeps."""

from collections.abc import Mapping

from daemon.to_salesforce import targets
from daemon.to_salesforce.mapping import records
from daemon.to_salesforce.targets import Naming, Target
from state.entity_models import EntitySyncSettings

# No org lets these be written, and the last is none: a record of the API has its object's name there.
_NOT_WRITABLE = frozenset(
    (
        *("id", "isdeleted", "createddate", "createdbyid", "lastmodifieddate", "lastmodifiedbyid"),
        *("systemmodstamp", "lastactivitydate", "lastvieweddate", "lastreferenceddate", "attributes"),
    )
)


def of(settings: EntitySyncSettings, naming: Naming) -> list[str]:
    """Why the settings' custom field mappings cannot be; raises NoSuchTarget."""
    if not settings.custom_fields:
        return []
    target = targets.target(settings.entity_type.value, settings.namespace.value, naming)
    return problems(target, settings.custom_fields)


def problems(target: Target, custom_fields: Mapping[str, str]) -> list[str]:
    """One sentence each. Salesforce does not tell names of fields apart by case."""
    found = records.custom_field_problems(target, custom_fields)
    for source, name in custom_fields.items():
        if name.lower() in _NOT_WRITABLE:
            found.append(f"{name} is kept by Salesforce itself; the custom field {source} needs another one.")
        elif name.lower().endswith("__r"):
            found.append(f"{name} is a relationship, not a field; the custom field {source} needs a field.")
    return found
