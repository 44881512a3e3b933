"""What becomes of entities as they were read: wanted, refused, or removed for having left the filter."""

from collections.abc import Collection, Sequence
from typing import Any

from daemon.to_salesforce import comparing, lanes, linking, listing
from daemon.to_salesforce.comparing import Mapper, Sifted
from daemon.to_salesforce.place import Place
from state import entity_copies
from state.database import Connection
from state.entity_models import Refused

Entities = Sequence[dict[str, Any]]


async def keep(tx: Connection, place: Place, mapper: Mapper, entities: Entities) -> dict[str, int]:
    """Compare with what was last written and have what differs written; gives counts for the run.

    What the account lists leave out, and is copied all the same, has left the filter.
    """
    allowed = [entity for entity in entities if lanes.is_allowed(place.settings, entity)]
    left_out = [id_of(entity) for entity in entities if not lanes.is_allowed(place.settings, entity)]
    integration_id = place.integration_id
    known = await entity_copies.known(tx, integration_id, [id_of(entity) for entity in allowed])
    links = await linking.of(tx, place, allowed)
    sifted = comparing.sift(mapper, allowed, known, links)
    await entity_copies.hold(tx, integration_id, [*sifted.ids(), *left_out])
    await entity_copies.touch(tx, integration_id, sifted.touched)
    await entity_copies.want(tx, integration_id, sifted.wanted)
    await _set_aside(tx, place, sifted)
    if left_out:
        await entity_copies.removed(tx, integration_id, left_out, place.settings.on_leaving)
    differing = len(sifted.wanted) + len(sifted.unfit)
    unchanged = len(allowed) - differing
    return {"differing": differing, "unchanged": unchanged, "refused": len(sifted.unfit)}


async def look_up(place: Place, ids: Collection[str]) -> list[dict[str, Any]]:
    """Those of one page of ids that m3ter still has. Raises the SyncError family."""
    found, token = list[dict[str, Any]](), None
    while True:
        page = await listing.page(place, token, {"ids": list(ids)})
        found += page.entities
        token = page.next_token
        if token is None:
            return found


def id_of(entity: dict[str, Any]) -> str:
    return str(entity["id"])


async def _set_aside(tx: Connection, place: Place, sifted: Sifted) -> None:
    """What no Salesforce field takes is an issue at once, in the words of the mapping."""
    if not sifted.unfit:
        return
    await entity_copies.want(tx, place.integration_id, [wanted for wanted, _ in sifted.unfit])
    refused = [
        Refused(wanted.m3ter_id, wanted.digest, error.code, str(error), error.fields)
        for wanted, error in sifted.unfit
    ]
    await entity_copies.refused(tx, place.integration_id, refused)
