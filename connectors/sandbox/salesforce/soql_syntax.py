"""What a SOQL query says, as values: selected items, conditions, order."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum


class LiteralKind(StrEnum):
    """How a value is written in a query."""

    STRING = "string"
    NUMBER = "number"
    BOOLEAN = "boolean"
    NULL = "null"
    DATE = "date"
    DATETIME = "dateTime"
    NAMED = "named"


@dataclass(frozen=True, slots=True)
class Path:
    """A field by its relationship path (Account.Owner.Name); `at` is its place in the text."""

    names: tuple[str, ...]
    at: int

    def __str__(self) -> str:
        return ".".join(self.names)


@dataclass(frozen=True, slots=True)
class Literal:
    """A value: a STRING's is still escaped; a NAMED one's is its name, with `count` for LAST_N_DAYS:n."""

    kind: LiteralKind
    value: str | Decimal | bool | None
    at: int
    count: int = 0


@dataclass(frozen=True, slots=True)
class Comparison:
    """`path` = != < <= > >= LIKE `literal`."""

    path: Path
    operator: str
    literal: Literal


@dataclass(frozen=True, slots=True)
class Membership:
    """`path` [NOT] IN a list or a sub-query; INCLUDES and EXCLUDES when `is_multiple`."""

    path: Path
    is_negated: bool
    among: "tuple[Literal, ...] | Query"
    is_multiple: bool = False


@dataclass(frozen=True, slots=True)
class Both:
    """All parts hold."""

    parts: "tuple[Condition, ...]"


@dataclass(frozen=True, slots=True)
class Either:
    """Any part holds."""

    parts: "tuple[Condition, ...]"


@dataclass(frozen=True, slots=True)
class Negation:
    """The part does not hold."""

    part: "Condition"


Condition = Comparison | Membership | Both | Either | Negation


@dataclass(frozen=True, slots=True)
class FieldsCall:
    """FIELDS(ALL), FIELDS(STANDARD) or FIELDS(CUSTOM)."""

    kind: str
    at: int


@dataclass(frozen=True, slots=True)
class Order:
    """One ORDER BY key."""

    path: Path
    is_descending: bool
    has_nulls_last: bool


@dataclass(frozen=True, slots=True)
class Query:
    """A whole query, or a sub-query, whose `source` is then a child relationship or an object of its own."""

    items: "tuple[Path | FieldsCall | Query, ...]"
    source: str
    at: int
    text: str
    alias: str = ""
    is_count: bool = False
    where: Condition | None = None
    orders: tuple[Order, ...] = ()
    limit: int | None = None
    offset: int = 0
