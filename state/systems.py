"""The two systems as they are written, and which of their credentials an integration lacks."""

import shlex
from collections.abc import Iterable

from state.models import Integration

_WRITTEN = {"salesforce": "Salesforce", "m3ter": "m3ter"}


def written(system: str) -> str:
    """`Salesforce` for "salesforce"."""
    return _WRITTEN.get(system, system)


def lacking(found: Integration) -> tuple[str, ...]:
    """Of "salesforce" and "m3ter" those for which it has no credential."""
    return without(found.salesforce_credential_id, found.m3ter_credential_id)


def without(salesforce: object, m3ter: object) -> tuple[str, ...]:
    """Of "salesforce" and "m3ter" those for which there is nothing."""
    given = {"salesforce": salesforce, "m3ter": m3ter}
    return tuple(system for system, what in given.items() if not what)


def no_credential(systems: Iterable[str]) -> str:
    """`no Salesforce credential and no m3ter credential`."""
    return " and ".join(f"no {written(system)} credential" for system in systems)


def connecting(found: Integration) -> str:
    """The command that gives it what it lacks."""
    options = " ".join(f"--{system} NAME" for system in lacking(found))
    return f"m3sync integrations connect {shlex.quote(found.name)} {options}"
