"""One record upserted by an external id, as sObject Collections and Bulk jobs both do it."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from connectors.sandbox.salesforce.changes import Actor
from connectors.sandbox.salesforce.errors import NO_SUCH_RECORD, SalesforceError
from connectors.sandbox.salesforce.fields import Field
from connectors.sandbox.salesforce.records import SYSTEM_USER, Org
from connectors.sandbox.salesforce.schema import SObject
from connectors.sandbox.salesforce.storage import index_key
from connectors.sandbox.salesforce.transactions import Transaction

Given = Mapping[str, Any]


def external_id(owner: SObject, name: str) -> Field:
    """The field to find records by; raises NOT_FOUND when it is no external id."""
    by = owner.find(name)
    if by is None or not by.is_id_lookup:
        raise SalesforceError("NOT_FOUND", NO_SUCH_RECORD.format(name))
    return by


def key_of(by: Field, record: Given) -> Any:
    """The value of the external id that a record carries, None without one."""
    value = next((value for name, value in record.items() if name.lower() == by.name.lower()), None)
    return None if value == "" else value


def shared_keys(by: Field, records: Iterable[Any]) -> set[Any]:
    """The external ids that several records of one request carry: Salesforce refuses every one of these."""
    given = (key_of(by, each) for each in records if isinstance(each, dict))
    counted = Counter(index_key(by, each) for each in given if isinstance(each, str | int))
    return {value for value, times in counted.items() if times > 1}


def upsert(
    tx: Transaction, org: Org, found_by: tuple[SObject, Field], record: Given, shared: set[Any]
) -> tuple[str, bool]:
    """Write one record; gives its id and whether it is new. Raises SalesforceError, as for the missing id."""
    owner, by = found_by
    value = key_of(by, record)
    if value is None:
        raise SalesforceError("MISSING_ARGUMENT", f"{by.name} not specified", ())
    if isinstance(value, str | int) and index_key(by, value) in shared:
        raise SalesforceError("DUPLICATE_VALUE", f"Duplicate external id specified: {value}", (by.name,))
    found = org.matches(owner, by, value)
    if len(found) > 1:
        message = f"{by.name}: more than one record found for external id field: {found}"
        raise SalesforceError("DUPLICATE_EXTERNAL_ID", message, ())
    if not found:
        lose_race(org, found_by, value, record)
        return tx.create(owner.name, record), True
    given = {name: field for name, field in record.items() if name.lower() != by.name.lower()}
    tx.update(owner.name, found[0], given)
    return found[0], False


def lose_race(org: Org, found_by: tuple[SObject, Field], value: Any, record: Given) -> None:
    """Where a rule of the org says so, somebody else creates the record now; raises DUPLICATE_VALUE then."""
    owner, by = found_by
    if not org.row_rules.loses_race(owner, by.name, value):
        return
    with org.transaction(Actor(SYSTEM_USER)) as theirs:
        other = theirs.create(owner.name, record)
    message = f"duplicate value found: {by.name} duplicates value on record with id: {other}"
    raise SalesforceError("DUPLICATE_VALUE", message, ())
