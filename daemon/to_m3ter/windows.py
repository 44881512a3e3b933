"""The windows that lost, wordless and silent channels leave to be read again: bounded, and once for all."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog

from daemon.to_m3ter.intake import Missed, Watch
from state import own_writes, rereads
from state.checkpoints import Known, Position, Reader
from state.database import Connection
from state.rereads import RereadCause, Window

log = structlog.get_logger(__name__)

# A window that ends now ends a little later: the clocks of Salesforce's servers are not one.
AHEAD = timedelta(minutes=1)

# Why a window is opened when an event names no records.
MISSED = (RereadCause.OVERFLOW, RereadCause.GAP, RereadCause.UNDECODABLE)

# Of these nobody needs to know at once: nothing is wrong.
_USUAL = (RereadCause.FIRST_START, RereadCause.LOOK_UP)

_FIRST = "What changed between going live and the first subscription of this channel."
_OWED = "The channel has a place now. What was deleted for good while it had none is looked for."
_PUT_OFF = "Events named no records. What was deleted for good meanwhile is looked for once they are over."
_LATE = "Nothing was heard of it for a while. What may have been committed meanwhile is read."
_PASSED_OVER = "What changed between the import that added it and the first stream that went by it."
_EVENTLESS = "The channel was subscribed anew before its first event: it had no place to go on from."


@dataclass(frozen=True, slots=True)
class Measure:
    """How far a window reaches: from `overlap` before a channel is complete until just after now.

    The channel is complete until `now` then, and no later: what is changed from now on may be changed when
    the window has been read already.
    """

    now: datetime
    overlap: timedelta

    @property
    def until(self) -> datetime:
        return self.now + AHEAD


def without_place(
    watched: Watch,
    positions: Mapping[str, Position],
    lost: Mapping[str, str],
    measure: Measure,
    looked_up: Collection[str] = (),
) -> list[Window]:
    """Of channels that are subscribed without a place; `lost`: what was said of those that had one.

    Known records are looked up besides: one that is gone even from the recycle bin left nothing else to find.
    Those of objects that were `looked_up` lately only when a place was lost since.
    """
    found = []
    for channel, position in positions.items():
        cause, detail = _why(channel, position, lost)
        for name in watched.objects[channel]:
            start = _start(position, name, measure.overlap)
            if start < measure.until:
                checks_missing = channel in lost or name not in looked_up
                found.append(Window(name, cause, detail, channel, start, measure.until, checks_missing))
    return _merged(found)


def owed(positions: Mapping[str, tuple[Position, Collection[str]]], overlap: timedelta) -> list[Window]:
    """Of channels that have a place now: the look-up of the objects that were not looked up before; what
    changed of them is in windows already."""
    cause = RereadCause.LOOK_UP
    return _merged(
        Window(name, cause, _OWED, channel, _start(position, name, overlap), checks_missing=True)
        for channel, (position, names) in positions.items()
        for name in sorted(names)
    )


def passed_over(name: str, channel: str, start: datetime, until: datetime) -> Window:
    """Of an object that came to be watched on a channel that was heard already."""
    return Window(name, RereadCause.FIRST_START, _PASSED_OVER, channel, start, until + AHEAD)


def _why(channel: str, position: Position, lost: Mapping[str, str]) -> tuple[RereadCause, str]:
    if channel in lost:
        return RereadCause.REPLAY_REFUSED, lost[channel]
    is_first = position.complete_until <= position.since
    return RereadCause.FIRST_START, _FIRST if is_first else _EVENTLESS


def of_missed(
    missed: Collection[Missed],
    positions: Mapping[str, Position],
    overlap: timedelta,
    looked_up: Collection[str] = (),
) -> list[Window]:
    """Of events that name no records: open to the end, for nobody says when the last of them was written.

    Each may have told of a deletion, and the record may be gone from the recycle bin as well by now. Known
    records of objects that were `looked_up` for such an event lately are looked up later (see `put_off`).
    """
    return _merged(
        Window(
            each.object_name,
            RereadCause(each.cause),
            each.detail,
            each.channel,
            _start(positions[each.channel], each.object_name, overlap, each.event_at),
            checks_missing=each.object_name not in looked_up,
        )
        for each in missed
    )


def put_off(opened: Iterable[Window], delay: timedelta) -> list[Window]:
    """The look-ups that these windows leave out: for each object one, `delay` after the last that did.

    However many events name no records, known records are looked up for the first, once in each `delay` while
    they go on, and once after the last of them.
    """
    return _merged(
        replace(each, cause=RereadCause.LOOK_UP, detail=_PUT_OFF, checks_missing=True, delay=delay)
        for each in opened
        if not each.checks_missing
    )


def silent(name: str, channel: str, position: Position, measure: Measure) -> Window:
    """Of an object on whose channel nothing was said of changes that there are.

    Deleted records are read as long as they are in the recycle bin. That is enough here: the new session goes
    on from the channel's place, which hears of the others, or is refused and then looks for them.
    """
    detail = f"The channel heard nothing of {name} and Salesforce has changes."
    start = _start(position, name, measure.overlap)
    return Window(name, RereadCause.SILENT, detail, channel, start, measure.until)


def late(name: str, channel: str, known: Known, until: datetime) -> Window:
    """What may have been committed of a silent object after it was read."""
    return Window(name, RereadCause.SILENT, _LATE, channel, known.sure_until, until + AHEAD)


async def record(tx: Connection, reader: Reader, windows: Collection[Window]) -> None:
    """They are to be read again, whatever becomes of this process.

    Of changes that were missed one may have undone what we wrote: its being done again is not our echo.
    """
    await own_writes.forget(tx, reader.org_id, {each.object_name for each in windows})
    await rereads.open_windows(tx, reader.integration_id, reader.org_id, list(windows))
    for each in windows:
        say = log.info if each.cause in _USUAL else log.warning
        say(
            "to be read again",
            object_name=each.object_name,
            cause=each.cause.value,
            channel=each.channel,
            reason=each.detail,
            start=each.from_at and each.from_at.isoformat(),
            end=each.until_at and each.until_at.isoformat(),
        )


def _start(position: Position, name: str, overlap: timedelta, event_at: datetime | None = None) -> datetime:
    """What is complete is trusted less than `overlap` back; what was before going live is not ours."""
    known = min(filter(None, (position.sure_until(name), event_at)))
    return max(position.since, known - overlap)


def _merged(windows: Iterable[Window]) -> list[Window]:
    """One for each object and cause, from the earliest beginning: all of them end alike."""
    found: dict[tuple[str, RereadCause], Window] = {}
    for each in windows:
        key = (each.object_name, each.cause)
        known = found.setdefault(key, each)
        if each.from_at is not None and known.from_at is not None and each.from_at < known.from_at:
            found[key] = replace(known, from_at=each.from_at)
    return list(found.values())
