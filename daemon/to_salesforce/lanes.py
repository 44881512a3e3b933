"""Which of m3ter's lists a scan reads, one after the other, and how far it got: filters and cursors, pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from connectors import wire
from daemon.to_salesforce.mapping import records
from state.entity_models import EntitySyncSettings, EntityType

_IDS_A_CALL = 100  # as many Accounts as one page holds; their ids need some 4,000 characters of the address
_MOST_LANES = 50  # for more accounts than that the whole list is read, which costs fewer calls in most orgs


@dataclass(frozen=True, slots=True)
class Lane:
    """One list of m3ter with its filters; `key` tells it from the others."""

    key: str = ""
    filters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Position:
    """The next page: of which lane, by which token; no token is its first page.

    `unmet_after`, once all lanes are read: the copy after which those not met are still to be looked up.
    """

    key: str = ""
    token: str | None = None
    unmet_after: str | None = None

    def written(self) -> str:
        told = {"lane": self.key, "token": self.token, "unmet_after": self.unmet_after}
        return wire.dumps(told).decode()


def position(cursor: str | None) -> Position | None:
    """What `written` wrote; None for a scan that has not begun."""
    if not cursor:
        return None
    told = wire.loads(cursor)
    if not isinstance(told, dict):
        return None
    token, unmet_after = told.get("token"), told.get("unmet_after")
    return Position(
        str(told.get("lane") or ""),
        str(token) if token else None,
        None if unmet_after is None else str(unmet_after),
    )


def of(settings: EntitySyncSettings) -> list[Lane]:
    """The lists that hold everything the integration copies, and as little else as may be.

    Only what is read can be told to have left the filter: where that has an action of its own, all is read.
    """
    if not settings.account_ids or settings.on_leaving is not settings.on_deletion:
        return [Lane()]
    allowed = sorted(set(settings.account_ids) - set(settings.restricted_account_ids))
    if settings.entity_type is EntityType.ACCOUNT:
        chunks = [allowed[at : at + _IDS_A_CALL] for at in range(0, len(allowed), _IDS_A_CALL)]
        return [Lane(chunk[0], {"ids": chunk}) for chunk in chunks]
    if len(allowed) > _MOST_LANES:
        return [Lane()]
    return [Lane(account_id, {"accountId": account_id}) for account_id in allowed]


def remaining(lanes: Sequence[Lane], at: Position | None) -> list[tuple[Lane, str | None]]:
    """The lanes still to be read, the first from its token on. A place that no lane has begins anew."""
    keys = [lane.key for lane in lanes]
    if at is None or at.key not in keys:
        return [(lane, None) for lane in lanes]
    first = keys.index(at.key)
    return [(lane, at.token if lane.key == at.key else None) for lane in lanes[first:]]


def is_allowed(settings: EntitySyncSettings, entity: Mapping[str, Any]) -> bool:
    """Whether the account lists let this entity through; the deny list wins (m3ter's rule)."""
    account_id = records.concerned_account(settings.entity_type.value, entity)
    if account_id in settings.restricted_account_ids:
        return False
    return not settings.account_ids or account_id in settings.account_ids
