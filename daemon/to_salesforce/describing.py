"""Asks an org, once a day, what the fields are that custom fields feed: m3ter has but texts and numbers."""

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from datetime import timedelta
from typing import Any, TypeAlias

from connectors import wire
from connectors.errors import NotFoundError, RejectedError
from daemon.to_salesforce.comparing import Mapper
from daemon.to_salesforce.mapping import fed
from daemon.to_salesforce.mapping.fed import Fed, FedField
from daemon.to_salesforce.place import Place
from daemon.to_salesforce.turn import Turn, patiently
from state import fed_fields

# A second run makes no call; and what an administrator changed is known the next day.
_FRESH = timedelta(days=1)

Describe: TypeAlias = Callable[[], Awaitable[dict[str, Any]]]


async def mapper(place: Place, turn: Turn | None = None) -> Mapper:
    """How entities become records. Raises Stopped with a turn, the SyncError family without."""
    custom_fields = place.settings.custom_fields
    if not custom_fields:
        return Mapper.of(place.target, custom_fields)
    described_for = f"{place.sync.revision} {place.target.object_name}"
    kept = await fed_fields.get(place.db, place.integration_id, described_for, _FRESH)
    if kept is not None:
        return Mapper.of(place.target, custom_fields, _read(kept))
    found = await _described(place, turn)
    written = wire.dumps({name: asdict(each) for name, each in found.items()}).decode()
    if found:
        await fed_fields.put(place.db, place.integration_id, described_for, written)
    return Mapper.of(place.target, custom_fields, found)


async def _described(place: Place, turn: Turn | None) -> Fed:
    """Nothing of an object that is not there: then the writes are refused in Salesforce's own words."""

    async def ask() -> dict[str, Any]:
        return await place.org.salesforce.describe(place.target.object_name)

    try:
        if turn is None:
            answer = await ask()
        else:
            answer = await patiently(turn, place.org.standing, place.manner.policy, ask)
    except (NotFoundError, RejectedError):
        return {}
    names = {name.lower() for name in place.settings.custom_fields.values()}
    fields = {str(each["name"]).lower(): each for each in answer.get("fields", ())}
    return {name: fed.described(fields[name]) for name in names & fields.keys()}


def _read(kept: str) -> Fed:
    told = wire.loads(kept)
    held = told if isinstance(told, dict) else {}
    return {name: FedField(**each) for name, each in held.items() if isinstance(each, dict)}
