"""What tells whether a copy is to be written again: digests of records and of the mapping itself."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import astuple
from decimal import Decimal
from typing import Any

import simplejson

from daemon.to_salesforce.mapping.derivations import Entity, Links
from daemon.to_salesforce.mapping.records import CustomFields
from daemon.to_salesforce.targets import Target, TargetField

# Raised whenever the mapping's code makes another record of the same entity, so that all are looked at anew.
REVISION = 2
_EXACT_DIGITS = 28
_LINKING = ("salesforce_account", "relation")
_ENCODE = simplejson.JSONEncoder(use_decimal=True, sort_keys=True).encode


def digest(object_name: str, record: Mapping[str, Any]) -> str:
    """Alike for records alike: 1.50 and 1.5 are the same number, and the order of the fields is none."""
    told = {
        name: str(_shortest(value)) if isinstance(value, Decimal) else value for name, value in record.items()
    }
    return _hash(_ENCODE([object_name, told]))


def fingerprint(target: Target, custom_fields: CustomFields) -> str:
    """Alike while the same entity makes the same record: what `mapped_with` begins with."""
    fed = sorted((name, astuple(each)) for name, each in custom_fields.fed.items())
    return _hash(repr((REVISION, astuple(target), sorted(custom_fields.names.items()), fed)))


def linked(target: Target) -> tuple[TargetField, ...]:
    """The fields whose values depend on other records."""
    return tuple(each for each in target.fields if each.derivation in _LINKING)


def mapped_with(print_: str, fields: Sequence[TargetField], entity: Entity, links: Links) -> str:
    """The fingerprint with what other records say of this entity: changed links make it be mapped anew.

    `fields` are those that `linked` gave.
    """
    said = [
        found
        for field in fields
        if (found := _link(field.derivation, field.relation, entity.get(field.source), links))
    ]
    return f"{print_}+{_hash(repr(said))[:8]}" if said else print_


def _link(derivation: str, relation: str | None, value: Any, links: Links) -> str:
    match derivation:
        case "salesforce_account":
            return links.standard_accounts.get(str(value), "")
        case "relation" if value and (relation in links.uncopied_types or value in links.uncopied_ids):
            return f"without {relation}"
        case _:
            return ""


def _shortest(value: Decimal) -> Decimal:
    """Without zeros at its end; a number of more digits than a context keeps (28) stays as it is."""
    if len(value.as_tuple().digits) > _EXACT_DIGITS:
        return value
    return value.normalize() if value else Decimal(0)


def _hash(text: str) -> str:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
