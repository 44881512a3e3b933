"""The loop brake: a record that is written to m3ter again and again in a short time is left alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import structlog

from daemon.outcomes import Postpone
from state import brakes
from state.brakes import Author
from state.database import Db
from state.models import Cause, Claim

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Brake:
    """After so many syncs that wrote to m3ter within `window`, a record is left alone for `pause`.

    A person who edits a record makes a few changes a minute at most, and changes that come faster than they
    are synced count as one.
    """

    writes: int = 20
    window: timedelta = timedelta(minutes=10)
    pause: timedelta = timedelta(minutes=30)


async def applied(db: Db, claim: Claim, brake: Brake) -> Postpone | None:
    """How long the record is left alone, and what is said of it; None while it may be synced.

    Nothing is lost: it stays in the inbox, and after the pause it is synced as it then is. A change does not
    end the pause; a person's wish passes it.
    """
    if claim.cause is Cause.MANUAL:
        return None
    standing = await brakes.standing(db, claim.integration_id, claim.record_id, brake.window)
    if standing.pause_left is not None:
        return _paused(standing.pause_left, standing.message)
    if standing.writes < brake.writes:
        return None
    authors = await brakes.authors(db, claim.integration_id, claim.record_id, brake.window)
    message = _message(claim, brake, standing.writes, authors)
    await brakes.put(db, claim.integration_id, claim.record_id, brake.pause, message)
    log.warning("record ping-pongs", record_id=claim.record_id, reason=message)
    return _paused(brake.pause, message)


def _paused(left: timedelta, message: str) -> Postpone:
    return Postpone(left, message, counts=False)


def _message(claim: Claim, brake: Brake, writes: int, authors: Sequence[Author]) -> str:
    """Says that it ping-pongs, and between whom."""
    told = "; ".join(_author(each) for each in authors) or "nobody that an event names"
    return (
        f"{claim.object_name} {claim.record_id} ping-pongs: within {_minutes(brake.window)} it was changed "
        f"in Salesforce and written to m3ter {writes} times. It is left alone for {_minutes(brake.pause)}, "
        f"then synced as it is. Changed in Salesforce by: {told}."
    )


def _author(each: Author) -> str:
    times = "once" if each.changes == 1 else f"{each.changes} times"
    origin = f" through {each.origin}" if each.origin else ""
    return f"user {each.user_id or 'unknown'}{origin} ({times})"


def _minutes(span: timedelta) -> str:
    minutes = span.total_seconds() / 60
    return "1 minute" if minutes == 1 else f"{minutes:g} minutes"
