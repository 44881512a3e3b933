"""Makes hostile text storable: PostgreSQL keeps neither NUL nor half of a surrogate pair."""

from collections.abc import Mapping
from typing import Any

import simplejson

_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


def text(value: str) -> str:
    """The text with what cannot be stored replaced by U+FFFD; nearly always the text itself."""
    if "\0" in value:
        value = value.replace("\0", _REPLACEMENT)
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            return "".join(_REPLACEMENT if "\ud800" <= each <= "\udfff" else each for each in value)
    return value


def values(given: tuple[Any, ...]) -> list[Any]:
    """The parameters of a statement; JSON is left to its encoder."""
    return [_value(each) for each in given]


def _value(given: Any) -> Any:
    if isinstance(given, str):
        return text(given)
    if isinstance(given, list):
        return [_value(each) for each in given]
    return given


def encode_json(given: Any) -> str:
    """JSON text for jsonb, decimals exact."""
    return simplejson.dumps(_clean(given), use_decimal=True, default=str)


def decode_json(stored: str) -> Any:
    """What was encoded; fractions as Decimal."""
    return simplejson.loads(stored, use_decimal=True)


def _clean(given: Any) -> Any:
    if isinstance(given, str):
        return text(given)
    if isinstance(given, Mapping):
        return {text(str(key)): _clean(each) for key, each in given.items()}
    if isinstance(given, list | tuple):
        return [_clean(each) for each in given]
    return given
