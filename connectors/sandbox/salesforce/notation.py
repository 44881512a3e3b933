"""Times, days and numbers as Salesforce writes them: milliseconds, a numeric UTC offset, exact decimals."""

import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

_INSTANT = re.compile(
    r"(\d{4}-\d\d-\d\d)T(\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?(Z|[+-]\d\d:?\d\d)?", re.IGNORECASE
)


def instant(at: datetime) -> str:
    """A dateTime as the REST API writes it; such texts sort as the times they name."""
    utc = at.astimezone(UTC)
    return f"{utc:%Y-%m-%dT%H:%M:%S}.{utc.microsecond // 1000:03d}+0000"


def parse_instant(text: str) -> datetime | None:
    """A dateTime literal or value in UTC, or None; without an offset it is taken as UTC."""
    found = _INSTANT.fullmatch(text)
    if found is None:
        return None
    day, hour, minute, second, fraction, zone = found.groups()
    try:
        parsed_day = date.fromisoformat(day)
        at = datetime(
            parsed_day.year,
            parsed_day.month,
            parsed_day.day,
            int(hour),
            int(minute),
            int(second or 0),
            tzinfo=UTC,
        )
    except ValueError:
        return None
    offset = timedelta()
    if zone and zone.upper() != "Z":
        digits = zone[1:].replace(":", "")
        offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:])) * (-1 if zone[0] == "-" else 1)
    return at + timedelta(microseconds=int((fraction or "0")[:6].ljust(6, "0"))) - offset


def parse_day(text: str) -> date | None:
    """A date literal or value, or None."""
    if re.fullmatch(r"\d{4}-\d\d-\d\d", text) is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def number(value: Decimal | int, scale: int) -> Decimal:
    """A number rounded half up to `scale` places and written with at least one (100 is 100.0), exactly."""
    rounded = Decimal(value).quantize(Decimal(1).scaleb(-scale), rounding="ROUND_HALF_UP")
    text = f"{rounded:f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return Decimal(text if "." in text else text + ".0")
