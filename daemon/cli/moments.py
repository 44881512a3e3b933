"""Times as people write them on the command line: ISO dates and date-times, or how long ago."""

import re
from datetime import UTC, datetime, timedelta

_AGO = re.compile(r"(\d{1,6})\s*(s|m|h|d|w)", re.ASCII)
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
EARLIEST = datetime(1999, 1, 1, tzinfo=UTC)  # Salesforce has no older records

FORMS = "Write a date (2026-01-31), a date-time (2026-01-31T09:30 is UTC, or with its zone), or 36h or 7d."


def since(text: str, now: datetime) -> datetime:
    """When that was, in UTC; a time without a zone is UTC. Raises ValueError with a sentence."""
    given = text.strip()
    try:
        found = _ago(given, now) or datetime.fromisoformat(given)
        found = (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        message = f"{given[:60]!r} is no time."
        raise ValueError(message) from None
    if found > now:
        message = f"{found:%Y-%m-%d %H:%M:%S} UTC is still to come."
        raise ValueError(message)
    if found < EARLIEST:
        message = f"{found:%Y-%m-%d} is before anything was in Salesforce: for everything there is --initial."
        raise ValueError(message)
    return found


def _ago(text: str, now: datetime) -> datetime | None:
    match = _AGO.fullmatch(text.lower())
    return None if match is None else now - timedelta(**{_UNITS[match[2]]: int(match[1])})
