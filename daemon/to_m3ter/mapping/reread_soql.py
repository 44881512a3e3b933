"""The SELECTs that read a window of one object again: a page, how many there are, which ids exist."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from daemon.to_m3ter.mapping import document, expressions, soql

LONGEST_IDS = 400  # as many as an address takes: 27 bytes each when percent-encoded
_OWN = ("Id", "IsDeleted", "SystemModstamp")
_MILLISECOND = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Place:
    """How far a window has been read: the last record of the page before, and its SystemModstamp."""

    at: datetime
    record_id: str


@dataclass(frozen=True, slots=True)
class Span:
    """What to read: the records of one object stamped between both times (None: from the first one on)."""

    object_name: str
    from_at: datetime | None
    until_at: datetime
    extra: tuple[str, ...] = ()  # plain fields to read besides


def page(span: Span, after: Place | None, limit: int) -> str:
    """The next records of the span, oldest first.

    Ordered by stamp and id, and asked for by both, so that a page begins where the one before ended however
    many records have one stamp. A record changed meanwhile moves behind the span, or is met once more.
    """
    fields = {name.lower(): name for name in reversed((*_OWN, *map(_name, span.extra)))}
    selected = ", ".join(reversed(fields.values()))  # SOQL takes no field twice, however it is spelt
    conditions = _within(span, after)
    query = f"SELECT {selected} FROM {_name(span.object_name)} WHERE {conditions}"  # noqa: S608 - names, times and ids are checked
    return f"{query} ORDER BY SystemModstamp, Id LIMIT {int(limit)}"


def last(span: Span) -> str:
    """The record of the span that was changed last."""
    chosen = f"SELECT {', '.join(_OWN)} FROM {_name(span.object_name)} WHERE {_within(span, None)}"  # noqa: S608 - as above
    return f"{chosen} ORDER BY SystemModstamp DESC LIMIT 1"


def count(span: Span) -> str:
    """How many records there are in the span."""
    return f"SELECT COUNT() FROM {_name(span.object_name)} WHERE {_within(span, None)}"  # noqa: S608 - as above


def existing(object_name: str, record_ids: Sequence[str]) -> str:
    """Which of these ids are there, be it in the recycle bin. Raises ValueError for what is no id."""
    listed = ",".join(_quoted(record_id) for record_id in record_ids)
    return f"SELECT Id FROM {_name(object_name)} WHERE Id IN ({listed})"  # noqa: S608 - as above


def criterion_fields(mapping: document.Mapping) -> tuple[str, ...] | None:
    """The parent's own fields that tell whether the criterion holds; None when it takes more than these."""
    if mapping.criterion is None:
        return None
    paths = mapping.criterion.holds.paths
    if any(len(path) != 1 or path[0] in mapping.lines for path in paths):
        return None
    return tuple(dict.fromkeys(path[0] for path in paths))


def _within(span: Span, after: Place | None) -> str:
    until = f"SystemModstamp <= {literal(span.until_at, up=True)}"
    if after is None:
        if span.from_at is None:
            return until
        return f"SystemModstamp >= {literal(span.from_at)} AND {until}"
    at, record_id = literal(after.at), _quoted(after.record_id)
    further = f"(SystemModstamp > {at} OR (SystemModstamp = {at} AND Id > {record_id}))"
    return f"SystemModstamp >= {at} AND {until} AND {further}"


def literal(moment: datetime, *, up: bool = False) -> str:
    """A date-time in SOQL: UTC, in milliseconds, rounded so that the window only grows."""
    utc = moment.astimezone(UTC)
    whole = utc.replace(microsecond=utc.microsecond // 1000 * 1000)
    if up and whole != utc:
        whole += _MILLISECOND
    return whole.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def _name(text: str) -> str:
    """Names come from a checked document; nothing else may stand in a query."""
    if not expressions.NAME.fullmatch(text):
        message = f"{text[:40]!r} is not the API name of a Salesforce object or field"
        raise ValueError(message)
    return text


def _quoted(record_id: str) -> str:
    if not soql.RECORD_ID.fullmatch(record_id):
        message = f"{record_id[:40]!r} is not a Salesforce record id (15 or 18 letters and digits)"
        raise ValueError(message)
    return f"'{record_id}'"
