"""What a query says that finds no object or no field: what is missing, and what to do; decides only."""

import re
from collections.abc import Mapping

from connectors.errors import RejectedError
from daemon.to_salesforce import metadata
from daemon.to_salesforce.targets import CUSTOM_OBJECTS, Target

# Salesforce: "No such column 'X__c' on entity 'Y__c'", "Didn't understand relationship 'X__r' in field path".
_FIELD = re.compile(r"(?:column|relationship) '([^']+)'")


def told(target: Target, custom_fields: Mapping[str, str], error: RejectedError) -> RejectedError:
    """The error in words of what is missing; as it is when it is another one."""
    if error.code == "INVALID_TYPE":
        message = f"Salesforce has no object {target.object_name}, or hides it from m3sync's user."
        return _made(message, _deploying(target), error)
    named = _FIELD.search(error.message) if error.code == "INVALID_FIELD" else None
    if named is None:
        return error
    name = _field(target, named[1])
    message = f"{target.object_name} has no field {name}, or hides it from m3sync's user."
    sources = [source for source, fed in custom_fields.items() if fed.lower() == name.lower()]
    if sources:
        instruction = f"Make the field, which the custom field {sources[0]} feeds, or change the mapping."
        return _made(message, f"{instruction} All that is missing: m3sync doctor", error)
    return _made(message, _deploying(target), error)


def _field(target: Target, named: str) -> str:
    """A relationship is named by its lookup."""
    first = named.partition(".")[0]
    lookups = {each.relationship.lower(): each.name for each in target.fields if each.relation}
    return lookups.get(first.lower(), first)


def _deploying(target: Target) -> str:
    if target.namespace == CUSTOM_OBJECTS:
        return (
            "Write the package: m3sync salesforce metadata --out DIR. Deploy it, and give the user the "
            f"permission set {metadata.SYNC_PERMISSIONS}. All that is missing: m3sync doctor"
        )
    return (
        "Install m3ter's package and give the user its permission set, or tell the names that your version "
        "of it has ([entity_data_sync.names]). All that is missing: m3sync doctor"
    )


def _made(message: str, instruction: str, error: RejectedError) -> RejectedError:
    return RejectedError(message, instruction=instruction, status=error.status, code=error.code)
