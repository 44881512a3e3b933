"""JSON on the wire: money stays Decimal in both directions, and what is not JSON is quoted, never trusted."""

import re
from decimal import Decimal
from typing import Any, TypeAlias

import simplejson

Json: TypeAlias = dict[str, Any] | list[Any] | str | int | Decimal | bool | None

_BLOCKS = re.compile(r"<(script|style|!--).*?(</\1>|-->|$)", re.IGNORECASE | re.DOTALL)
_TAGS = re.compile(r"<[^>]{0,2000}>")
_QUOTE_LENGTH = 200


class NotJson(ValueError):  # noqa: N818 - reads as a finding: except NotJson
    """The bytes are no JSON document: a page of HTML, a torso, NaN, numbers or nesting beyond reason."""


def dumps(value: Json) -> bytes:
    """UTF-8 JSON without spaces; a Decimal is written as a number. ValueError for NaN and Infinity."""
    return simplejson.dumps(value, use_decimal=True, allow_nan=False, separators=(",", ":")).encode()


def loads(body: bytes | str) -> Json:
    """The document in `body`, fractions as Decimal; raises NotJson."""
    try:
        text = body.decode() if isinstance(body, bytes) else body
        document: Json = simplejson.loads(text, use_decimal=True, allow_nan=False)
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError and JSONDecodeError are ValueErrors
        raise NotJson(str(error)[:_QUOTE_LENGTH]) from error
    return document


def quote(body: str) -> str:
    """One short line of a body that is not JSON, markup removed, fit for an error message."""
    start = body[:20_000]
    words = " ".join(_TAGS.sub(" ", _BLOCKS.sub(" ", start)).split())
    printable = "".join(character for character in words if character.isprintable())
    return printable if len(printable) <= _QUOTE_LENGTH else printable[:_QUOTE_LENGTH] + "…"
