"""m3ter's dates and times: ISO 8601, an offset is a must, answers are in UTC and end in Z."""

import re
from datetime import UTC, date, datetime

# Narrower than Python's own reading of ISO 8601, which also takes weeks and dates without hyphens.
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_DATE_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})"
)


def now_text(moment: datetime) -> str:
    """A moment as m3ter writes it, to the millisecond."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def date_time(text: str) -> datetime:
    """Read a date-time; raises ValueError when it is none or names no offset."""
    if not _DATE_TIME.fullmatch(text):
        raise ValueError("not YYYY-MM-DDThh:mm:ss with an offset")
    return datetime.fromisoformat(text.upper()).astimezone(UTC)


def calendar_date(text: str) -> date:
    """Read a date written as YYYY-MM-DD and nothing else; raises ValueError otherwise."""
    if not _DATE.fullmatch(text):
        raise ValueError("not YYYY-MM-DD")
    return date.fromisoformat(text)


def normalised(text: str) -> str:
    """A date-time in UTC, fractions only where there are any; raises ValueError."""
    moment = date_time(text)
    precision = "milliseconds" if moment.microsecond else "seconds"
    return moment.isoformat(timespec=precision).replace("+00:00", "Z")


def moment_of(text: str) -> datetime:
    """A date (its first moment in UTC) or a date-time; raises ValueError."""
    if len(text) == 10:
        return datetime.combine(calendar_date(text), datetime.min.time(), UTC)
    return date_time(text)
