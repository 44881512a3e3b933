"""When an integration runs by itself: a cron expression, or an interval such as "every 10m"; decides only."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cronsim import CronSim, CronSimError

_INTERVAL = re.compile(r"every\s+(\d{1,6})\s*([smhd])", re.IGNORECASE)
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SHORTEST = timedelta(seconds=10)


class ScheduleInvalid(ValueError):  # noqa: N818 - reads as a state: raise ScheduleInvalid
    """Not a schedule; the text says why."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """Moments in UTC. Intervals count from midnight of 1970-01-01, so that every daemon knows the same."""

    text: str
    interval: timedelta | None = None

    def latest(self, now: datetime) -> datetime:
        """The last moment at or before `now`."""
        if self.interval is not None:
            return _EPOCH + (now - _EPOCH) // self.interval * self.interval
        # CronSim gives whole minutes, strictly before the one it is given.
        this_minute = now.astimezone(UTC).replace(second=0, microsecond=0)
        return next(CronSim(self.text, this_minute + timedelta(minutes=1), reverse=True))

    def following(self, now: datetime) -> datetime:
        """The first moment after `now`."""
        if self.interval is not None:
            return self.latest(now) + self.interval
        return next(CronSim(self.text, now.astimezone(UTC)))

    def is_due(self, met_at: datetime | None, now: datetime) -> bool:
        """Whether a moment has come since the one that was met last; however many were missed, it is one."""
        return met_at is None or self.latest(now) > met_at


def parse(text: str) -> Schedule:
    """Raises ScheduleInvalid."""
    given = text.strip()
    if found := _INTERVAL.fullmatch(given):
        interval = timedelta(**{_UNITS[found[2].lower()]: int(found[1])})
        if interval < _SHORTEST:
            raise ScheduleInvalid(f"{given!r} is too often: 10 seconds is the shortest interval.")
        return Schedule(given, interval)
    try:
        # Also an expression that is never met ("0 0 30 2 *") is refused here.
        next(CronSim(given, datetime(2024, 1, 1, tzinfo=UTC)))
    except (CronSimError, StopIteration):
        raise ScheduleInvalid(
            f"{given!r} is no schedule: give a cron expression such as '0 * * * *' or an interval such as "
            "'every 10m'."
        ) from None
    return Schedule(given)
