"""One value of m3ter in the form of one Salesforce field type, or why it does not fit."""

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Any, Protocol

from daemon.to_salesforce.mapping.errors import ValueUnfit
from daemon.to_salesforce.targets import TargetField

# Salesforce, "Primitive Data Types": dates before 1700 and after 4000 are not kept.
_FIRST_YEAR, _LAST_YEAR = 1700, 4000
_SHOWN = 60
_DIGITS_OF_A_DOUBLE = 15  # IEEE 754: any decimal of so many digits comes back as it was
_NOISE = Decimal("1E-9")


class Room(Protocol):
    """What a field has room for."""

    @property
    def length(self) -> int: ...
    @property
    def precision(self) -> int: ...
    @property
    def scale(self) -> int: ...
    @property
    def is_cut(self) -> bool: ...
    @property
    def is_computed(self) -> bool: ...


def convert(field: TargetField, value: Any) -> Any:
    """The value as this field takes it: None for nothing at all. Raises ValueUnfit."""
    return _BY_TYPE[field.type](field, value)


def text(field: Room, value: Any) -> str | None:
    """The text itself, if it has room; numbers as m3ter spells them."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise ValueUnfit(f"{quoted(value)} is not a text.")
    said = clean(str(value))
    if measure(said) <= field.length:
        return said or None
    if field.is_cut:
        return _cut(said, field.length)
    raise ValueUnfit(f"{quoted(said)} has {measure(said):,} characters, and {field.length:,} have room.")


def shortened(said: str, length: int) -> str:
    """A name for people: what has room, its end told by an ellipsis."""
    return said if measure(said) <= length else _prefix(said, length - 1).rstrip() + "…"


def number(field: Room, value: Any) -> int | Decimal | None:
    """The number, exact: one with too many digits does not fit.

    Only what m3ter computes is rounded to the digits that have room, half to even, and so is the noise at the
    end of a number that was kept in binary: 10.330000000000002.
    """
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise ValueUnfit(f"{quoted(value)} is not a number.")
    exact = value if isinstance(value, int) else _plain(field, value)
    if abs(exact) >= 10 ** (field.precision - field.scale):
        room = field.precision - field.scale
        raise ValueUnfit(f"{quoted(value)} has more than the {room} digits before the point that have room.")
    return exact


def checkbox(_field: Room, value: Any) -> bool:
    """Salesforce has no checkbox without a value: nothing is False."""
    if value is None:
        return False
    if not isinstance(value, bool):
        raise ValueUnfit(f"{quoted(value)} is neither true nor false.")
    return value


def day(_field: Room, value: Any) -> str | None:
    """A date as YYYY-MM-DD; an instant only if it is the beginning of a day in UTC."""
    if value is None or value == "":
        return None
    return _told(day_of(value))


def last_day(_field: Room, value: Any) -> str | None:
    """The last day that is included before an exclusive end, be it a date or (in UTC) an instant."""
    if value is None or value == "":
        return None
    try:
        if isinstance(value, str) and len(value) <= 10:
            return _told(day_of(value) - timedelta(days=1))
        return _told((_instant(value) - timedelta(microseconds=1)).date())
    except OverflowError:
        raise ValueUnfit(f"{quoted(value)} has no day before it.") from None


def instant(_field: Room, value: Any) -> str | None:
    """An instant as Salesforce writes it, in UTC and to the millisecond."""
    if value is None or value == "":
        return None
    return salesforce_instant(_instant(value))


def salesforce_instant(at: datetime) -> str:
    """YYYY-MM-DDThh:mm:ss.sssZ of an aware instant (REST API guide, "Valid Date and DateTime Formats")."""
    utc = at.astimezone(UTC)
    _check_year(utc.year, at)
    return utc.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def day_of(value: Any) -> date:
    """The date a value tells. Raises ValueUnfit."""
    try:
        if isinstance(value, str) and len(value) <= 10:
            return date.fromisoformat(value)
    except ValueError:
        raise ValueUnfit(f"{quoted(value)} is not a date.") from None
    at = _instant(value)
    if at != at.replace(hour=0, minute=0, second=0, microsecond=0):
        raise ValueUnfit(f"{quoted(value)} is not a date: it is within a day.")
    return at.date()


def measure(said: str) -> int:
    """How many characters Salesforce counts: UTF-16 units, and two for the end of a line."""
    if said.isascii():
        return len(said) + said.count("\n")
    return len(said) + sum(each > "\uffff" for each in said) + said.count("\n")


def clean(said: str) -> str:
    """The text with what no system keeps (NUL, half of a surrogate pair) replaced by U+FFFD."""
    if "\0" in said:
        said = said.replace("\0", "\N{REPLACEMENT CHARACTER}")
    if said.isascii() or not any("\ud800" <= each <= "\udfff" for each in said):
        return said
    return "".join("\N{REPLACEMENT CHARACTER}" if "\ud800" <= each <= "\udfff" else each for each in said)


def _cut(said: str, length: int) -> str:
    note = f"… [{measure(said):,} characters in m3ter, cut here]"
    return _prefix(said, length - measure(note)) + note


def _prefix(said: str, length: int) -> str:
    kept = said[:length]
    while measure(kept) > length:
        kept = kept[: len(kept) - max(1, (measure(kept) - length) // 2)]
    return kept


def _plain(field: Room, value: Decimal) -> Decimal:
    """The same number without an exponent to write, if no more digits than have room are after the point."""
    scale = field.scale
    sign, digits, exponent = value.as_tuple()
    if not isinstance(exponent, int):
        raise ValueUnfit(f"{value} is not a number.")
    if -scale <= exponent <= 0:
        return value
    if exponent > 0:
        if exponent + len(digits) > 40:  # written out it would be huge, and no field has room for it
            raise ValueUnfit(f"{quoted(value)} has more digits than any field has room for.")
        return Decimal((sign, digits + (0,) * exponent, 0))
    beyond = min(-exponent - scale, len(digits))
    if any(digits[len(digits) - beyond :]):
        rounded = _rounded(value, scale)
        if field.is_computed or _is_noise(value, rounded):
            return rounded
        raise ValueUnfit(f"{quoted(value)} has more than {scale} digits after the point, and is not rounded.")
    return Decimal((sign, digits[: len(digits) - beyond] or (0,), -scale))


def _rounded(value: Decimal, scale: int) -> Decimal:
    digits = len(value.as_tuple().digits) + max(value.adjusted(), 0) + scale
    to_scale = Decimal((0, (1,), -scale))
    found = value.quantize(to_scale, ROUND_HALF_EVEN, Context(prec=digits + 1))
    return found or to_scale * 0  # never a negative nought


def _is_noise(value: Decimal, rounded: Decimal) -> bool:
    """Whether the two are the same to whoever entered it: m3ter's numbers are doubles, which keep 15 digits
    as they were entered. More than that, and so near to the rounded number, nobody entered."""
    is_long = len(value.as_tuple().digits) > _DIGITS_OF_A_DOUBLE
    return is_long and abs(value - rounded) <= abs(value) * _NOISE


def _instant(value: Any) -> datetime:
    if not isinstance(value, str):
        raise ValueUnfit(f"{quoted(value)} is not an instant.")
    try:
        at = datetime.fromisoformat(value)
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)  # m3ter's instants are UTC
    except (ValueError, OverflowError):
        raise ValueUnfit(f"{quoted(value)} is not an instant.") from None


def _told(on: date) -> str:
    _check_year(on.year, on)
    return on.isoformat()


def _check_year(year: int, value: object) -> None:
    if not _FIRST_YEAR <= year <= _LAST_YEAR:
        raise ValueUnfit(f"{value} is outside the years {_FIRST_YEAR} to {_LAST_YEAR} that Salesforce keeps.")


def quoted(value: Any) -> str:
    """The value as messages show it."""
    said = clean(str(value))
    return repr(said if len(said) <= _SHOWN else said[:_SHOWN] + "…")


_BY_TYPE: Mapping[str, Callable[[Room, Any], Any]] = {
    "Text": text,
    "LongTextArea": text,
    "Number": number,
    "Percent": number,
    "Checkbox": checkbox,
    "Date": day,
    "DateTime": instant,
}
