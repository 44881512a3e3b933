"""Named date literals (TODAY, LAST_N_DAYS:3, THIS_MONTH) as half-open ranges of days, in UTC.

Weeks begin on Monday, as in the org's locale; fiscal years are calendar years.
"""

from datetime import date, timedelta

UNITS = ("DAY", "WEEK", "MONTH", "QUARTER", "YEAR", "FISCAL_QUARTER", "FISCAL_YEAR")
TAKES_COUNT = frozenset(
    name for unit in UNITS for name in (f"LAST_N_{unit}S", f"NEXT_N_{unit}S", f"N_{unit}S_AGO")
)
WITHOUT_COUNT = frozenset(
    {"TODAY", "YESTERDAY", "TOMORROW", "LAST_90_DAYS", "NEXT_90_DAYS"}
    | {f"{which}_{unit}" for unit in UNITS[1:] for which in ("LAST", "THIS", "NEXT")}
)
_DAYS = {"TODAY": 0, "YESTERDAY": -1, "TOMORROW": 1}


def days(name: str, count: int, today: date) -> tuple[date, date]:
    """The first day of the range and the first day after it; out-of-calendar ranges are cut at its ends."""
    if name in _DAYS:
        return _span(today, "DAY", _DAYS[name], 1)
    if name in {"LAST_90_DAYS", "NEXT_90_DAYS"}:
        name, count = name.replace("90", "N"), 90
    words = name.removeprefix("LAST_").removeprefix("NEXT_").removeprefix("THIS_")
    if name.endswith("_AGO"):
        return _span(today, name.removeprefix("N_").removesuffix("S_AGO"), -count, 1)
    if not words.startswith("N_"):
        return _span(today, words, {"LAST": -1, "THIS": 0, "NEXT": 1}[name[:4]], 1)
    unit = words.removeprefix("N_").removesuffix("S")
    if name.startswith("NEXT_"):
        return _span(today, unit, 1, count)
    return _span(today, unit, -count, count + 1 if unit == "DAY" else count)


def _span(today: date, unit: str, first: int, length: int) -> tuple[date, date]:
    unit = unit.removeprefix("FISCAL_")
    start = _floor(today, unit)
    return _shift(start, unit, first), _shift(start, unit, first + length)


def _floor(day: date, unit: str) -> date:
    match unit:
        case "WEEK":
            return day - timedelta(days=day.weekday())
        case "MONTH":
            return day.replace(day=1)
        case "QUARTER":
            return day.replace(month=(day.month - 1) // 3 * 3 + 1, day=1)
        case "YEAR":
            return day.replace(month=1, day=1)
        case _:
            return day


def _shift(day: date, unit: str, by: int) -> date:
    try:
        if unit in {"DAY", "WEEK"}:
            return day + timedelta(days=by * (7 if unit == "WEEK" else 1))
        months = day.year * 12 + day.month - 1 + by * {"MONTH": 1, "QUARTER": 3, "YEAR": 12}[unit]
        return day.replace(year=months // 12, month=months % 12 + 1)
    except (OverflowError, ValueError):
        return date.max if by > 0 else date.min
