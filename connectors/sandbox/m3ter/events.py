"""The events of an organization: one for every write of configuration or billing, kept for 28 days."""

import uuid
from collections import deque
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

from connectors.sandbox.m3ter import times
from connectors.sandbox.m3ter.kinds import every_kind

Entity = dict[str, Any]

RETENTION = timedelta(days=28)
# The description requires dtActioned to be a date-time although most events were never actioned:
# this stands for "not yet".
NEVER_ACTIONED = "1970-01-01T00:00:00.000Z"
_OTHER_TYPES = (
    "dataexport.job.failure",
    "ingest.validation.failure",
    *(
        f"integration.{cause}.error"
        for cause in ("authentication", "disabled", "missingaccountmapping", "perform", "validation")
    ),
)
_TYPES = {"number": "double", "integer": "long", "boolean": "boolean", "list": "array", "object": "object"}


def event_types() -> list[str]:
    """The names of the events that this m3ter can have."""
    named = sorted({kind.event for kind in every_kind().values() if kind.event} | {"billing.balanceamount"})
    return [f"{name}.{done}" for name in named for done in ("created", "updated", "deleted")] + list(
        _OTHER_TYPES
    )


def fields_of(names: list[str]) -> dict[str, dict[str, str]]:
    """The fields that a calculation may use, by event name: new.x after the write, old.x before it."""
    kinds = {kind.event: kind for kind in every_kind().values() if kind.event}
    found: dict[str, dict[str, str]] = {}
    for name in names:
        kind = kinds.get(name.rpartition(".")[0])
        sides = {"created": ("new",), "updated": ("new", "old"), "deleted": ("old",)}.get(
            name.rpartition(".")[2], ()
        )
        types = {key: _TYPES.get(field.type, "string") for key, field in kind.fields.items()} if kind else {}
        found[name] = {
            f"{side}.{key}": value for side in sides for key, value in {"id": "string", **types}.items()
        }
    return found


class EventLog:
    """Events, newest first, each with the sequence number by which pages go on."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._kept: deque[tuple[int, datetime, Entity]] = deque()
        self._next = 0

    def __len__(self) -> int:
        return len(self._kept)

    def append(self, name: str, new: Entity | None, old: Entity | None) -> None:
        """Record what a write did; `new` is None for a delete, `old` for a create."""
        data = {key: dto for key, dto in (("newDto", new), ("oldDto", old)) if dto is not None}
        moment = self._now()
        event = {
            "id": str(uuid.uuid4()),
            "eventName": name,
            "eventTime": times.now_text(moment),
            "dtActioned": NEVER_ACTIONED,
            "m3terEvent": {"eventData": data},
        }
        self._kept.append((self._next, moment, event))
        self._next += 1

    def take_back(self) -> None:
        """Forget the newest event: the write that it told of was undone before anyone could see it."""
        self._kept.pop()

    def newest_first(self, below: int | None = None) -> Iterator[tuple[int, Entity]]:
        """Events not yet deleted for their age, with their sequence numbers, those under `below` only."""
        oldest_kept = self._now() - RETENTION
        while self._kept and self._kept[0][1] < oldest_kept:
            self._kept.popleft()
        for number, _moment, event in reversed(self._kept):
            if below is None or number < below:
                yield number, event
