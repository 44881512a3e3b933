"""Windows that a person asks for: everything, what changed since the last sync, or since a time."""

import shlex
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from daemon.clients import Links
from daemon.configuration import ConfigurationError
from daemon.to_m3ter import by_hand, tasks
from daemon.to_m3ter.mapping import document
from daemon.to_m3ter.tasks import Connected
from state import checkpoints, insights, integrations, rereads
from state.checkpoints import Reader
from state.database import Db, transaction
from state.models import Integration
from state.rereads import RereadCause, RereadStory, Window

ASKED = "Asked for on the command line."


class Refused(Exception):  # noqa: N818 - reads as what happened
    """What was asked for makes no sense here; nothing was begun."""

    def __init__(self, reason: str, instruction: str = "", *, is_usage: bool = True) -> None:
        super().__init__(reason)
        self.reason = reason
        self.instruction = instruction
        self.is_usage = is_usage


@dataclass(frozen=True, slots=True)
class Wish:
    """INITIAL, INSTANT, or BY_HAND with `since`; one object or all, one integration or all that are on."""

    cause: RereadCause
    since: datetime | None = None
    object_name: str | None = None
    integration: str | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """The windows that fulfil a wish; `joined`: they were asked for before and are not finished."""

    ids: list[UUID]
    joined: bool = False


async def open_windows(db: Db, links: Links, wish: Wish, overlap: timedelta) -> Asked:
    """Write down what is to be read; the daemon reads it.

    Raises Refused, ConfigurationError, NotFound, MappingInvalid, VaultError, and SyncError when Salesforce
    cannot be asked which org it is.
    """
    chosen = await _chosen(db, links, wish)
    ids: list[UUID] = []
    joined = False
    for each in chosen:
        integration_id, org_id = each.integration.integration_id, await each.org.client.org_id()
        if wish.cause is RereadCause.INITIAL and (known := await _unfinished(db, integration_id, org_id)):
            ids += known
            joined = True
            continue
        windows = await _windows(db, each, org_id, wish, overlap)
        async with transaction(db) as tx:
            ids += await rereads.open_windows(tx, integration_id, org_id, windows)
    if not ids:
        names = ", ".join(each.integration.name for each in chosen)
        raise Refused(
            f"Nothing was ever synchronized by {names}, so there is no last synchronization to go on from.",
            "Start with `m3sync sync --initial`.",
            is_usage=False,
        )
    return Asked(ids, joined)


async def _chosen(db: Db, links: Links, wish: Wish) -> list[Connected]:
    found = await _integrations(db, wish)
    connected = [(each, await tasks.connect(db, links, each)) for each in found]
    if wish.integration is not None and connected[0][1] is None:
        raise by_hand.unconnected(await by_hand.lacking(db, wish.integration))
    ready = [each for _, each in connected if each is not None]
    if not ready:
        raise by_hand.unconnected(await by_hand.lacking(db))
    running = [each for each in ready if each.integration.enabled]
    if not running:
        names = " and ".join(each.integration.name for each in ready)
        raise ConfigurationError(
            f"{names}: switched off, so that nothing would be read.",
            f"Switch it on with `m3sync integrations enable {shlex.quote(ready[0].integration.name)}`.",
        )
    if wish.object_name is None:
        return running
    watching = [each for each in running if each.mapping.watched_as(wish.object_name)]
    if not watching:
        watched = sorted({name for each in running for name in each.mapping.objects_watched})
        raise Refused(
            f"No integration watches {wish.object_name!r}.", f"These are watched: {', '.join(watched)}."
        )
    return watching


async def _integrations(db: Db, wish: Wish) -> list[Integration]:
    if wish.integration is not None:
        return [await integrations.get(db, wish.integration)]
    return await integrations.to_m3ter(db)


async def _unfinished(db: Db, integration_id: UUID, org_id: str) -> list[UUID]:
    """The initial synchronization that is still being read or whose records are not all synced."""

    def is_unfinished(story: RereadStory) -> bool:
        return (
            story.cause is RereadCause.INITIAL
            and story.org_id == org_id
            and bool(story.is_open or story.left)
        )

    found = await rereads.latest(db, integration_id, 100)
    return [story.reread_id for story in found if is_unfinished(story)][:1]


async def _windows(db: Db, each: Connected, org_id: str, wish: Wish, overlap: timedelta) -> list[Window]:
    mapping = each.mapping
    if wish.cause is RereadCause.INITIAL:  # lines come with their parents
        return [Window(mapping.parent, wish.cause, ASKED, checks_missing=True)]
    names = list(mapping.objects_watched)
    if wish.object_name is not None:
        names = [name for name in names if name.lower() == wish.object_name.lower()]
    if wish.cause is RereadCause.INSTANT:
        start = await _last_synchronization(db, each, org_id)
        if start is None:
            return []
        return [Window(name, wish.cause, ASKED, from_at=start - overlap) for name in names]
    return [Window(name, wish.cause, ASKED, from_at=wish.since, checks_missing=True) for name in names]


async def _last_synchronization(db: Db, each: Connected, org_id: str) -> datetime | None:
    """Its date, or an earlier one up to which every change is known: one record may have been synced by hand
    while the stream was away."""
    integration_id = each.integration.integration_id
    found = [
        status
        for status in await insights.statuses(db)
        if status.integration.integration_id == integration_id
    ]
    last = found[0].last_synchronized_at if found else None
    if last is None:
        return None
    channels = document.channels(each.mapping)
    positions = await checkpoints.get(db, Reader(integration_id, org_id), channels)
    names = each.mapping.objects_watched
    return min([last, *(position.sure_until(*names) for position in positions.values())])
