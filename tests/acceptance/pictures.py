"""What is in the emulated m3ter, with ids and times taken out: equal pictures mean equal ends."""

import re
from typing import Any

from connectors import wire
from tests.sandboxes import LocalSandbox, Sandbox

KINDS = ("Account", "Contract", "Commitment", "Plan", "Pricing", "AccountPlan", "ExternalMapping")
_PASSING = {"version", "dtCreated", "dtLastModified", "createdBy", "lastModifiedBy"}
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def picture(sandbox: Sandbox) -> list[str]:
    """One line an entity, in an order that does not depend on ids; a doubled entity is a second line."""
    assert isinstance(sandbox, LocalSandbox), "only a sandbox of this process shows what it holds"
    organization = sandbox.running.organization
    entities = [(kind, entity) for kind in KINDS for entity in organization.all(kind)]
    names = {str(entity["id"]): _name(kind, entity) for kind, entity in entities}
    return sorted(f"{kind} {_text(entity, names)}" for kind, entity in entities)


def _name(kind: str, entity: dict[str, Any]) -> str:
    return f"{kind}:{entity.get('code', '')}"


def _text(entity: dict[str, Any], names: dict[str, str]) -> str:
    kept = {key: value for key, value in sorted(entity.items()) if key not in _PASSING and key != "id"}
    return _UUID.sub(lambda found: names.get(found[0], "<id>"), wire.dumps(kept).decode())
