"""Whether a service works on this database: it says something of itself all the time."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from daemon.settings import Settings
from state.models import Health

START = "Start it: `m3sync run`, or `systemctl start m3sync`."


def fresh(settings: Settings) -> timedelta:
    """A daemon that works asks m3ter so often whether it is there, and writes down what it was told."""
    return timedelta(seconds=settings.m3ter.probe_seconds + settings.m3ter.total_seconds)


def last_heard_at(reports: Sequence[Health]) -> datetime | None:
    return max((each.reported_at for each in reports), default=None)


def is_absent(reports: Sequence[Health], fresh: timedelta) -> bool:
    """No service has said anything of itself within that time."""
    last = last_heard_at(reports)
    return last is None or datetime.now(UTC) - last > fresh
