"""From where an integration hears each of its channels: its own checkpoint, or the time it went live.

An integration is owed every change committed since it was first enabled and connected, whatever kept it
from listening: switched off, Salesforce or the vault away, a channel refused, another integration ahead. A
channel wanted for the first time has no place: its new events are heard, and what was changed from going live
until then is read again (windows.py). So is what was changed of an object that an import added to a channel
that was heard already, since that import. What was committed before that is not ours: it may have been
entered in m3ter by hand. Channels that a field mapping names no more are forgotten; one that takes their
place goes on from where they were.
"""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

import structlog

from connectors.errors import TransientError
from daemon.clients import Org
from daemon.to_m3ter import telling, windows
from daemon.to_m3ter.intake import Watch
from state import checkpoints
from state.checkpoints import Position, Reader
from state.database import Connection, Db, transaction

log = structlog.get_logger(__name__)


async def of(db: Db, org: Org, reader: Reader, watched: Watch) -> Mapping[str, Position]:
    """The position of every channel; those wanted for the first time are durable before this returns.

    Raises SyncError while Salesforce, whose clock the beginnings are told by, cannot be asked.
    """
    channels, tellers = watched.channels, telling.tellers(watched)
    known: Mapping[str, Position] = await checkpoints.get(db, reader, channels)
    new = [channel for channel in channels if channel not in known]
    before = await checkpoints.objects(db, reader)
    ahead = await _ahead(db, org) if new or tellers.keys() - before.keys() else timedelta(0)
    async with transaction(db) as tx:
        if new:
            await checkpoints.begin(tx, reader, new, ahead)
        await checkpoints.follow(tx, reader, channels, new)
        begun = await checkpoints.follow_objects(tx, reader, tellers, ahead)
        if before:
            heard = {name: at for name, at in begun.items() if known.keys() & set(tellers[name])}
            await _read_passed_over(tx, reader, heard, tellers, ahead)
        await checkpoints.followed(tx, reader, watched.revision)
    known = await kept(db, reader, channels)
    for channel in new:
        since = known[channel].since.isoformat()
        log.info("begins to be heard", channel=channel, since=since, ahead=ahead.total_seconds())
    return known


async def _read_passed_over(
    tx: Connection,
    reader: Reader,
    begun: Mapping[str, datetime],
    tellers: Mapping[str, tuple[str, ...]],
    ahead: timedelta,
) -> None:
    """Of objects that came to be watched on channels that were heard for others: nobody took what was told of
    them until now. What is told from now on is heard."""
    if begun:
        until = await checkpoints.now(tx) + ahead
        opened = [windows.passed_over(name, tellers[name][0], at, until) for name, at in begun.items()]
        await windows.record(tx, reader, opened)
        await checkpoints.complete_objects(tx, reader, dict.fromkeys(begun, until))


async def kept(db: Db, reader: Reader, channels: Collection[str]) -> Mapping[str, Position]:
    """The positions of channels that are being heard.

    Raises TransientError when another process forgot one, which `of` begins anew.
    """
    known = await checkpoints.get(db, reader, channels)
    forgotten = sorted(set(channels) - set(known))
    if forgotten:
        raise TransientError(
            f"Another process forgot how far {', '.join(forgotten)} was heard: it goes by a field mapping "
            "that does not name it.",
            instruction="It is begun anew by itself, and what changed meanwhile is read again. Should this "
            "come again, see whether another m3sync with an older configuration runs on this database.",
        )
    return known


async def now(db: Db, org: Org) -> datetime:
    """By Salesforce's clock; by the database's should Salesforce not tell. Raises SyncError."""
    return await org.salesforce.now() or await checkpoints.now(db)


async def _ahead(db: Db, org: Org) -> timedelta:
    """Events are stamped by Salesforce's clock, and going live by the database's."""
    return await now(db, org) - await checkpoints.now(db)
