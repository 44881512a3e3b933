"""The conditions of a query as predicates over rows."""

import operator
from collections.abc import Callable, Iterable
from datetime import date
from typing import Any, assert_never

from connectors.sandbox.salesforce import ids, notation, soql_dates
from connectors.sandbox.salesforce.errors import SalesforceError
from connectors.sandbox.salesforce.fields import NUMBER_TYPES, TEXT_TYPES, Field
from connectors.sandbox.salesforce.records import Org
from connectors.sandbox.salesforce.soql_paths import Paths
from connectors.sandbox.salesforce.soql_syntax import (
    Both,
    Comparison,
    Condition,
    Either,
    Literal,
    LiteralKind,
    Membership,
    Negation,
    Query,
)
from connectors.sandbox.salesforce.soql_tokens import like_pattern, refusal, unescaped
from connectors.sandbox.salesforce.values import Row

Predicate = Callable[[Row], bool]
SubQuery = Callable[[Query, Field], set[Any]]
_ORDERED: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def comparable(field: Field, value: Any) -> Any:
    """A stored value as values are compared: texts without case, a missing checkbox as false."""
    if field.type == "boolean":
        return bool(value)
    return value.lower() if isinstance(value, str) and field.type in TEXT_TYPES else value


class Filters:
    """Compiles the conditions of one query."""

    def __init__(self, org: Org, paths: Paths, text: str, among: SubQuery) -> None:
        self._org = org
        self._paths = paths
        self._text = text
        self._among = among

    def compile(self, condition: Condition) -> Predicate:
        """A predicate; raises SalesforceError for unknown fields and values of the wrong type."""
        match condition:
            case Both(parts):
                every = [self.compile(part) for part in parts]
                return lambda row: all(holds(row) for holds in every)
            case Either(parts):
                some = [self.compile(part) for part in parts]
                return lambda row: any(holds(row) for holds in some)
            case Negation(part):
                inner = self.compile(part)
                return lambda row: not inner(row)
            case Comparison():
                return self._comparison(condition)
            case Membership():
                return self._membership(condition)
        assert_never(condition)

    def _comparison(self, test: Comparison) -> Predicate:
        found = self._paths.filterable(test.path, "filtered")
        get, field = self._paths.getter(found), found.field
        if test.operator == "LIKE":
            return self._like(get, field, test.literal)
        if test.literal.kind is LiteralKind.NAMED:
            return self._range(get, field, test)
        wanted = self.value(field, test.literal)
        if test.operator == "=":
            return lambda row: bool(comparable(field, get(row)) == wanted)
        if test.operator == "!=":
            return lambda row: bool(comparable(field, get(row)) != wanted)
        if field.type == "boolean":
            raise self._refuse("INVALID_OPERATOR", test.literal, f"invalid operator on {field.name}")
        compare = _ORDERED[test.operator]

        def ordered(row: Row) -> bool:
            value = comparable(field, get(row))
            return value is not None and wanted is not None and compare(value, wanted)

        return ordered

    def _range(self, get: Callable[[Row], Any], field: Field, test: Comparison) -> Predicate:
        start, end = self._days(field, test.literal)
        tests: dict[str, Callable[[Any], bool]] = {
            "=": lambda value: start <= value < end,
            "!=": lambda value: not start <= value < end,
            "<": lambda value: value < start,
            "<=": lambda value: value < end,
            ">": lambda value: value >= end,
            ">=": lambda value: value >= start,
        }
        holds = tests[test.operator]
        is_negative = test.operator == "!="

        def within(row: Row) -> bool:
            value = get(row)
            return is_negative if value is None else holds(value)

        return within

    def _days(self, field: Field, literal: Literal) -> tuple[str, str]:
        first, after = soql_dates.days(str(literal.value), literal.count, self._org.now().date())
        if field.type == "date":
            return first.isoformat(), after.isoformat()
        if field.type == "datetime":
            return _midnight(first), _midnight(after)
        raise self._wrong_type(field, literal)

    def _like(self, get: Callable[[Row], Any], field: Field, literal: Literal) -> Predicate:
        if field.type not in TEXT_TYPES:
            raise self._refuse(
                "INVALID_OPERATOR", literal, f"invalid operator on {field.type} field: {field.name}"
            )
        if literal.kind is not LiteralKind.STRING:
            raise self._wrong_type(field, literal)
        pattern = like_pattern(str(literal.value), self._text, literal.at)
        return lambda row: pattern.fullmatch(get(row) or "") is not None

    def _membership(self, test: Membership) -> Predicate:
        found = self._paths.filterable(test.path, "filtered")
        get, field = self._paths.getter(found), found.field
        if test.is_multiple:
            return self._includes(get, field, test)
        wanted = self.members(field, test)
        if test.is_negated:
            return lambda row: comparable(field, get(row)) not in wanted
        return lambda row: comparable(field, get(row)) in wanted

    def members(self, field: Field, test: Membership) -> set[Any]:
        """The values of an IN list or of its sub-query."""
        if isinstance(test.among, Query):
            return self._among(test.among, field)
        return {self.value(field, literal) for literal in test.among}

    def _includes(self, get: Callable[[Row], Any], field: Field, test: Membership) -> Predicate:
        literals: Iterable[Literal] = test.among if isinstance(test.among, tuple) else ()
        groups = [set(str(self.value(field, literal) or "").split(";")) for literal in literals]
        if field.type != "multipicklist":
            message = (
                f"includes and excludes operators are only valid on multipicklist fields, not on {field.name}"
            )
            raise refusal("INVALID_OPERATOR", self._text, test.path.at, message)

        def included(row: Row) -> bool:
            chosen = set(str(comparable(field, get(row)) or "").split(";"))
            return any(group <= chosen for group in groups) is not test.is_negated

        return included

    def value(self, field: Field, literal: Literal) -> Any:
        """What a literal is compared with; raises when its kind does not fit the field."""
        if literal.kind is LiteralKind.NULL:
            return False if field.type == "boolean" else None
        text = (
            unescaped(str(literal.value), self._text, literal.at)
            if literal.kind is LiteralKind.STRING
            else ""
        )
        match field.type, literal.kind:
            case ("id" | "reference", LiteralKind.STRING):
                return self._id(text)
            case (kind, LiteralKind.STRING) if kind in TEXT_TYPES:
                return text.lower() or None
            case (kind, LiteralKind.NUMBER) if kind in NUMBER_TYPES:
                return literal.value
            case ("boolean", LiteralKind.BOOLEAN):
                return literal.value
            case ("date", LiteralKind.DATE) if notation.parse_day(str(literal.value)) is not None:
                return literal.value
            case ("datetime", LiteralKind.DATETIME):
                at = notation.parse_instant(str(literal.value))
                if at is not None:
                    return notation.instant(at)
        raise self._wrong_type(field, literal)

    def _id(self, text: str) -> str | None:
        record_id = ids.normalize(text)
        if record_id is None and text:
            raise SalesforceError("INVALID_QUERY_FILTER_OPERATOR", f"invalid ID field: {text}")
        return record_id

    def _wrong_type(self, field: Field, literal: Literal) -> SalesforceError:
        quoted = field.type in TEXT_TYPES | {"id", "reference"}
        kind = "string" if field.type in TEXT_TYPES else {"datetime": "dateTime"}.get(field.type, field.type)
        message = (
            f"value of filter criterion for field '{field.name}' must be of type {kind} "
            f"and should {'' if quoted else 'not '}be enclosed in quotes"
        )
        return self._refuse("INVALID_FIELD", literal, message)

    def _refuse(self, code: str, literal: Literal, message: str) -> SalesforceError:
        return refusal(code, self._text, literal.at, message)


def _midnight(day: date) -> str:
    return f"{day.isoformat()}T00:00:00.000+0000"
