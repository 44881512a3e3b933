"""A SOQL text cut into tokens, and refusals that point at the place."""

import re
from dataclasses import dataclass
from enum import StrEnum

from connectors.sandbox.salesforce.errors import SalesforceError

_TOKEN = re.compile(
    r"""(?P<space>\s+)
    |(?P<datetime>\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d))
    |(?P<date>\d{4}-\d\d-\d\d)(?![\w:])
    |(?P<number>[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)(?!\w)
    |(?P<name>[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)
    |(?P<string>'(?:[^'\\]|\\.)*')
    |(?P<mark><=|>=|!=|<>|[=<>(),:])""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f", '"': '"', "'": "'", "\\": "\\"}


class TokenKind(StrEnum):
    """What a token is."""

    DATETIME = "datetime"
    DATE = "date"
    NUMBER = "number"
    NAME = "name"
    STRING = "string"
    MARK = "mark"
    END = "end"


@dataclass(frozen=True, slots=True)
class Token:
    """One token; a STRING's text is what stands between the quotes, still escaped."""

    kind: TokenKind
    text: str
    at: int

    def is_word(self, *words: str) -> bool:
        """Whether it is one of these keywords, in any case."""
        return self.kind is TokenKind.NAME and self.text.upper() in words


def refusal(code: str, text: str, at: int, message: str) -> SalesforceError:
    """A refusal of a query in Salesforce's shape: the passage, a caret under the place, and what is wrong."""
    row = text.count("\n", 0, at) + 1
    column = at - (text.rfind("\n", 0, at) + 1) + 1
    start = max(0, at - 40)
    passage = text[start : at + 20].replace("\n", " ")
    caret = " " * (at - start) + "^"
    return SalesforceError(code, f"\n{passage}\n{caret}\nERROR at Row:{row}:Column:{column}\n{message}")


def malformed(text: str, at: int, message: str) -> SalesforceError:
    """Not SOQL."""
    return refusal("MALFORMED_QUERY", text, at, message)


def tokens(text: str) -> list[Token]:
    """All tokens of a query and an END after them; raises SalesforceError MALFORMED_QUERY."""
    found: list[Token] = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None or match.lastgroup is None:
            raise malformed(text, at, f"unexpected token: '{text[at]}'")
        if match.lastgroup != "space":
            kind = TokenKind(match.lastgroup)
            piece = match.group()
            found.append(Token(kind, piece[1:-1] if kind is TokenKind.STRING else piece, at))
        at = match.end()
    found.append(Token(TokenKind.END, "<EOF>", len(text)))
    return found


def unescaped(raw: str, text: str, at: int) -> str:
    """The characters that a string literal stands for; raises MALFORMED_QUERY on an unknown escape."""
    if "\\" not in raw:
        return raw
    result, chars = "", iter(raw)
    for char in chars:
        if char != "\\":
            result += char
            continue
        escape = next(chars)
        if escape in "_%":
            result += escape
        elif escape.lower() in _ESCAPES:
            result += _ESCAPES[escape.lower()]
        else:
            message = (
                f"invalid string literal '{raw}'. Illegal character sequence '\\{escape}' in string literal."
            )
            raise malformed(text, at, message)
    return result


def like_pattern(raw: str, text: str, at: int) -> re.Pattern[str]:
    """A LIKE pattern: % any run, _ any one character, both literal when escaped; case does not matter."""
    pattern, k = "", 0
    while k < len(raw):
        piece = raw[k : k + 2] if raw[k] == "\\" else raw[k]
        k += len(piece)
        if piece == "%":
            pattern += ".*"
        elif piece == "_":
            pattern += "."
        else:
            pattern += re.escape(unescaped(piece, text, at))
    return re.compile(pattern, re.IGNORECASE | re.DOTALL)
