"""SOQL by recursive descent: SELECT ... FROM ... WHERE ... ORDER BY ... LIMIT ... OFFSET.

Not emulated, and refused as unexpected: GROUP BY, aggregates other than COUNT(), TYPEOF, WITH, FOR,
USING SCOPE.
"""

from connectors.sandbox.salesforce.soql_conditions import ConditionParser
from connectors.sandbox.salesforce.soql_syntax import Condition, FieldsCall, Order, Path, Query
from connectors.sandbox.salesforce.soql_tokens import TokenKind, malformed, tokens

_CLAUSES = (
    "WHERE",
    "ORDER",
    "LIMIT",
    "OFFSET",
    "GROUP",
    "HAVING",
    "WITH",
    "FOR",
    "USING",
    "ALL",
    "AS",
    "TYPEOF",
)


def parse(text: str) -> Query:
    """The query that a text says; raises SalesforceError MALFORMED_QUERY."""
    parser = Parser(text, tokens(text))
    query = parser.query(0)
    parser.expect_end()
    return query


class Parser(ConditionParser):
    """Reads tokens from left to right; conditions are read by the class above."""

    def query(self, depth: int) -> Query:
        """SELECT to OFFSET."""
        if depth > 5:
            raise malformed(self.text, self.peek.at, "Exceeded the maximum depth of sub-queries")
        self.take_word("SELECT")
        items, is_count = self._items(depth)
        self.take_word("FROM")
        source = self.take(TokenKind.NAME)
        alias = ""
        if self.skip_word("AS") or (self.peek.kind is TokenKind.NAME and not self.peek.is_word(*_CLAUSES)):
            alias = self.take(TokenKind.NAME).text
        where: Condition | None = self.condition(depth) if self.skip_word("WHERE") else None
        orders = self._orders() if self.skip_word("ORDER") else ()
        limit = self._count() if self.skip_word("LIMIT") else None
        offset = self._count() if self.skip_word("OFFSET") else 0
        self._check_fields_call(items, limit)
        return Query(items, source.text, source.at, self.text, alias, is_count, where, orders, limit, offset)

    def expect_end(self) -> None:
        """Nothing may follow."""
        if self.peek.kind is not TokenKind.END:
            raise self.unexpected()

    def _items(self, depth: int) -> tuple[tuple[Path | FieldsCall | Query, ...], bool]:
        if self.peek.is_word("COUNT") and self.second.text == "(":
            self.advance()
            self.take_mark("(")
            self.take_mark(")")
            return (), True
        items: list[Path | FieldsCall | Query] = []
        seen: set[str] = set()
        while True:
            item = self._item(depth)
            if isinstance(item, Path):
                if str(item).lower() in seen:
                    raise malformed(self.text, item.at, f"duplicate field selected: {item}")
                seen.add(str(item).lower())
            items.append(item)
            if not self.skip_mark(","):
                return tuple(items), False

    def _item(self, depth: int) -> Path | FieldsCall | Query:
        if self.skip_mark("("):
            nested = self.query(depth + 1)
            self.take_mark(")")
            return nested
        if self.peek.is_word("FIELDS") and self.second.text == "(":
            at = self.advance().at
            self.take_mark("(")
            kind = self.take(TokenKind.NAME)
            if not kind.is_word("ALL", "STANDARD", "CUSTOM"):
                raise malformed(self.text, kind.at, f"unexpected token: '{kind.text}'")
            self.take_mark(")")
            return FieldsCall(kind.text.upper(), at)
        return self.path()

    def _check_fields_call(self, items: tuple[Path | FieldsCall | Query, ...], limit: int | None) -> None:
        for item in items:
            if isinstance(item, FieldsCall) and item.kind != "STANDARD" and (limit is None or limit > 200):
                message = "The SOQL FIELDS function must have a LIMIT of at most 200"
                raise malformed(self.text, item.at, message)

    def _orders(self) -> tuple[Order, ...]:
        self.take_word("BY")
        found = [self._order()]
        while self.skip_mark(","):
            found.append(self._order())
        return tuple(found)

    def _order(self) -> Order:
        path = self.path()
        is_descending = self.skip_word("DESC")
        if not is_descending:
            self.skip_word("ASC")
        has_nulls_last = False
        if self.skip_word("NULLS"):
            has_nulls_last = self.skip_word("LAST")
            if not has_nulls_last:
                self.take_word("FIRST")
        return Order(path, is_descending, has_nulls_last)

    def _count(self) -> int:
        token = self.take(TokenKind.NUMBER)
        if not token.text.isdigit():
            raise malformed(self.text, token.at, f"unexpected token: '{token.text}'")
        return int(token.text)
