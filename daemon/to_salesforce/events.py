"""Which of m3ter's events tell of an entity type, and of which entity each of them tells; pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from state.entity_models import EntityType

# m3ter's OpenAPI, EventTypeResponse.
_FAMILIES: Mapping[EntityType, str] = {
    EntityType.ACCOUNT: "configuration.account",
    EntityType.CONTRACT: "configuration.contract",
    EntityType.COMMITMENT: "configuration.commitment",
    EntityType.BALANCE: "billing.balance",
    EntityType.BILL: "billing.bill",
}

_DELETED = ".deleted"


@dataclass(frozen=True, slots=True)
class Told:
    """One event: when it happened by m3ter's clock, and to which entity ("" when it does not say)."""

    event_id: str
    at: datetime
    m3ter_id: str
    is_deletion: bool = False


# A Balance that is drawn down or credited; the body is either the Balance or names it.
_BESIDES: Mapping[EntityType, tuple[str, ...]] = {
    EntityType.BALANCE: ("billing.balanceamount.created", "billing.balanceamount.updated")
}


def names(entity_type: EntityType) -> tuple[str, ...]:
    """m3ter's list takes one name at a time."""
    family = _FAMILIES[entity_type]
    own = tuple(f"{family}{done}" for done in (".created", ".updated", _DELETED))
    return own + _BESIDES.get(entity_type, ())


def told(event: Mapping[str, Any]) -> Told | None:
    """None for an event without a time, which no place can be told by."""
    try:
        at = datetime.fromisoformat(str(event.get("eventTime")))
    except ValueError:
        return None
    body = event.get("m3terEvent")
    data = body.get("eventData") if isinstance(body, Mapping) else None
    sides = [data.get(side) for side in ("newDto", "oldDto")] if isinstance(data, Mapping) else []
    named = [side.get("balanceId") or side.get("id") for side in sides if isinstance(side, Mapping)]
    ids = [str(m3ter_id) for m3ter_id in named if m3ter_id]
    aware = at if at.tzinfo else at.replace(tzinfo=UTC)
    is_deletion = str(event.get("eventName") or "").endswith(_DELETED)
    return Told(str(event.get("id") or ""), aware, ids[0] if ids else "", is_deletion)
