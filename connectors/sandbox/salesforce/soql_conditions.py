"""The conditions of a WHERE clause, read from tokens."""

from abc import ABC, abstractmethod
from decimal import Decimal

from connectors.sandbox.salesforce.errors import SalesforceError
from connectors.sandbox.salesforce.soql_dates import TAKES_COUNT, WITHOUT_COUNT
from connectors.sandbox.salesforce.soql_syntax import (
    Both,
    Comparison,
    Condition,
    Either,
    Literal,
    LiteralKind,
    Membership,
    Negation,
    Path,
    Query,
)
from connectors.sandbox.salesforce.soql_tokens import Token, TokenKind, malformed

_OPERATORS = {"=": "=", "!=": "!=", "<>": "!=", "<": "<", "<=": "<=", ">": ">", ">=": ">="}


class ConditionParser(ABC):
    """A cursor over the tokens, and the conditions among them."""

    def __init__(self, text: str, tokens: list[Token]) -> None:
        self.text = text
        self._tokens = tokens
        self._next = 0
        self._nesting = 0

    @abstractmethod
    def query(self, depth: int) -> Query:
        """A sub-query inside IN (...)."""

    def condition(self, depth: int) -> Condition:
        """Conditions joined by AND, or by OR; both need parentheses to stand together, as in Salesforce."""
        first = self._single(depth)
        for word, joined in (("AND", Both), ("OR", Either)):
            if self.peek.is_word(word):
                parts = [first]
                while self.skip_word(word):
                    parts.append(self._single(depth))
                if self.peek.is_word("AND", "OR"):
                    raise self.unexpected()
                return joined(tuple(parts))
        return first

    def _single(self, depth: int) -> Condition:
        if not (self.peek.is_word("NOT") or self.peek.text == "("):
            return self._test(depth)
        if self._nesting == 100:
            raise malformed(
                self.text, self.peek.at, "Query is too complicated: conditions are nested too deeply"
            )
        self._nesting += 1
        if self.skip_word("NOT"):
            inner: Condition = Negation(self._single(depth))
        else:
            self.take_mark("(")
            inner = self.condition(depth)
            self.take_mark(")")
        self._nesting -= 1
        return inner

    def _test(self, depth: int) -> Condition:
        path = self.path()
        token = self.advance()
        if token.text in _OPERATORS and token.kind is TokenKind.MARK:
            return Comparison(path, _OPERATORS[token.text], self._literal())
        if token.is_word("LIKE"):
            return Comparison(path, "LIKE", self._literal())
        is_negated = token.is_word("NOT", "EXCLUDES")
        if token.is_word("NOT"):
            token = self.take_word("IN")
        if token.is_word("IN"):
            return Membership(path, is_negated, self._among(depth))
        if token.is_word("INCLUDES", "EXCLUDES"):
            return Membership(path, is_negated, self._literals(), is_multiple=True)
        raise malformed(self.text, token.at, f"unexpected token: '{token.text}'")

    def _among(self, depth: int) -> tuple[Literal, ...] | Query:
        if self.peek.text == "(" and self.second.is_word("SELECT"):
            self.take_mark("(")
            nested = self.query(depth + 1)
            self.take_mark(")")
            return nested
        return self._literals()

    def _literals(self) -> tuple[Literal, ...]:
        self.take_mark("(")
        found = [self._literal()]
        while self.skip_mark(","):
            found.append(self._literal())
        self.take_mark(")")
        return tuple(found)

    def _literal(self) -> Literal:
        token = self.advance()
        match token.kind:
            case TokenKind.STRING:
                return Literal(LiteralKind.STRING, token.text, token.at)
            case TokenKind.NUMBER:
                return Literal(LiteralKind.NUMBER, Decimal(token.text), token.at)
            case TokenKind.DATE:
                return Literal(LiteralKind.DATE, token.text, token.at)
            case TokenKind.DATETIME:
                return Literal(LiteralKind.DATETIME, token.text, token.at)
            case TokenKind.NAME:
                return self._word(token)
            case _:
                raise malformed(self.text, token.at, f"unexpected token: '{token.text}'")

    def _word(self, token: Token) -> Literal:
        word = token.text.upper()
        if word == "NULL":
            return Literal(LiteralKind.NULL, None, token.at)
        if word in {"TRUE", "FALSE"}:
            return Literal(LiteralKind.BOOLEAN, word == "TRUE", token.at)
        if word in TAKES_COUNT:
            self.take_mark(":")
            count = self.take(TokenKind.NUMBER)
            if not count.text.isdigit() or len(count.text) > 5:
                raise malformed(self.text, count.at, f"unexpected token: '{count.text}'")
            return Literal(LiteralKind.NAMED, word, token.at, int(count.text))
        if word in WITHOUT_COUNT:
            return Literal(LiteralKind.NAMED, word, token.at)
        raise malformed(self.text, token.at, f"unexpected token: '{token.text}'")

    # --- the cursor

    @property
    def peek(self) -> Token:
        """The next token."""
        return self._tokens[self._next]

    @property
    def second(self) -> Token:
        """The token after the next."""
        return self._tokens[min(self._next + 1, len(self._tokens) - 1)]

    def advance(self) -> Token:
        """Take the next token, whatever it is."""
        token = self.peek
        self._next = min(self._next + 1, len(self._tokens) - 1)
        return token

    def path(self) -> Path:
        """A field path."""
        token = self.take(TokenKind.NAME)
        return Path(tuple(token.text.split(".")), token.at)

    def take(self, kind: TokenKind) -> Token:
        """Take a token of this kind or refuse."""
        if self.peek.kind is not kind:
            raise self.unexpected()
        return self.advance()

    def take_word(self, word: str) -> Token:
        """Take this keyword or refuse."""
        if not self.peek.is_word(word):
            raise self.unexpected()
        return self.advance()

    def take_mark(self, mark: str) -> None:
        """Take this mark or refuse."""
        if not self.skip_mark(mark):
            raise self.unexpected()

    def skip_word(self, word: str) -> bool:
        """Take this keyword if it is next."""
        is_next = self.peek.is_word(word)
        if is_next:
            self.advance()
        return is_next

    def skip_mark(self, mark: str) -> bool:
        """Take this mark if it is next."""
        is_next = self.peek.kind is TokenKind.MARK and self.peek.text == mark
        if is_next:
            self.advance()
        return is_next

    def unexpected(self) -> SalesforceError:
        """The refusal of the next token."""
        return malformed(self.text, self.peek.at, f"unexpected token: '{self.peek.text}'")
