"""A re-read in words, for the panel and for the command line: its window, how far it is, what it came to."""

from datetime import UTC, datetime
from typing import assert_never

from state.reread_models import Phase, RereadCause, RereadStatus, RereadStory


def window(each: RereadStory) -> str:
    """`Opportunity, replay refused, 2026-11-18 10:00 to 2026-11-21 09:00 UTC`."""
    cause = "look-up of known records" if each.cause is RereadCause.LOOK_UP else each.cause.value
    parts = [each.object_name, cause, _span(each)]
    return ", ".join(part for part in parts if part)


def _span(each: RereadStory) -> str:
    if each.cause is RereadCause.LOOK_UP:
        return ""  # no change is read, whenever it was
    until = "" if each.until_at is None else f"{_minute(each.until_at)} UTC"
    if each.from_at is None and not until:
        # What was read at once, because its event named the records, has no window.
        return "" if each.status is RereadStatus.READ else "everything"
    if each.from_at is None:
        return f"everything until {until}"
    return f"{_minute(each.from_at)} to {until}" if until else f"from {_minute(each.from_at)} UTC"


def progress(each: RereadStory) -> str:
    """`1,204 read, 17 to sync, 3 differed`."""
    left = f"{each.left:,} to sync" if each.left else ""
    differed = f"{each.differences:,} differed"
    if not each.differences and (each.left or each.is_open):
        differed = ""  # not known yet
    return ", ".join(part for part in (_read(each), left, differed or "") if part)


def _read(each: RereadStory) -> str:
    counted = f"{each.records_read:,}"
    if each.is_stranded:
        return f"{counted} read, waits until its org {each.org_id} is connected again"
    if each.is_put_off:
        return f"waits until {_minute(each.due_at)} UTC"
    if each.cause is RereadCause.LOOK_UP and not each.error and each.status is not RereadStatus.WAITING:
        return "looking for records that are no more" if each.is_open else "looked up"
    match each.status:
        case RereadStatus.WAITING if each.error:
            times = "once" if each.attempts == 1 else f"{each.attempts} times"
            return f"{counted} read, failed {times}: {each.error}"
        case RereadStatus.WAITING:
            return f"{counted} read, waits for its turn" if each.records_read else "waits for its turn"
        case RereadStatus.READING if each.phase is Phase.MISSING:
            return f"{counted} read, now looking for records that are no more"
        case RereadStatus.READING:
            return f"{counted} of {each.total:,} read" if each.total is not None else f"{counted} read so far"
        case RereadStatus.READ:
            return f"{counted} read"
        case _:
            assert_never(each.status)


def tone(each: RereadStory) -> str:
    """A colour: bad while it fails, warn while it is under way, good when there was nothing to mend."""
    if each.is_open or each.left:
        return "bad" if each.error else "warn"
    return "" if each.differences else "good"


def _minute(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M")
