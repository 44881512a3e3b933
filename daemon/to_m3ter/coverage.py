"""From where an integration hears each of its channels: its own checkpoint, or the time it went live.

An integration is owed every change committed since it was first enabled and connected, as far as Salesforce
retains it (72 hours), whatever kept it from listening: switched off, Salesforce or the vault away, a channel
refused, another integration ahead. So a channel wanted for the first time is replayed from the oldest event
retained, and what was committed before the integration went live is counted and left out: what was entered in
m3ter by hand until then would be billed twice. A replay id that is no longer retained is told as a window.
"""

from collections.abc import Collection, Mapping
from datetime import timedelta

import structlog

from daemon.to_m3ter.workplace import Org
from state import checkpoints
from state.checkpoints import Position, Reader
from state.database import Db

log = structlog.get_logger(__name__)


async def of(db: Db, org: Org, reader: Reader, channels: Collection[str]) -> Mapping[str, Position]:
    """The position of every channel; those wanted for the first time are durable before this returns.

    Raises SyncError while Salesforce, whose clock the beginnings are told by, cannot be asked.
    """
    known = await checkpoints.get(db, reader, channels)
    new = [channel for channel in channels if channel not in known]
    if new:
        ahead = await _ahead(db, org)
        await checkpoints.begin(db, reader, new, ahead)
        known = await checkpoints.get(db, reader, channels)
        for channel in new:
            since = known[channel].since.isoformat()
            log.info("begins to be heard", channel=channel, since=since, ahead=ahead.total_seconds())
    return known


async def _ahead(db: Db, org: Org) -> timedelta:
    """Events are stamped by Salesforce's clock, and going live by the database's."""
    theirs = await org.salesforce.now()
    return theirs - await checkpoints.now(db) if theirs is not None else timedelta(0)
