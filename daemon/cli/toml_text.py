"""Writes TOML that `tomllib` reads back to just the same values: tables, strings, lists, switches."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import simplejson

_BARE = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
# What stands in a literal text of several lines as it is; a reader makes LF of CR LF.
_LITERAL = re.compile(r"[^\x00-\x08\x0b-\x1f\x7f]*")
_DELETE = "\x7f"


def document(tables: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> str:
    """`{"integrations": {"bills": {...}}}` as `[integrations.bills]` and so on, in the order given."""
    blocks = [
        _table(f"{key(group)}.{key(name)}", values)
        for group, named in tables.items()
        for name, values in named.items()
    ]
    return "\n".join(blocks)


def _table(heading: str, values: Mapping[str, Any]) -> str:
    plain = {name: value for name, value in values.items() if not isinstance(value, Mapping)}
    inner = {name: value for name, value in values.items() if isinstance(value, Mapping)}
    lines = [f"[{heading}]", *(f"{key(name)} = {value_text(value)}" for name, value in plain.items())]
    lines += [
        f"{key(name)} = {{{_pairs(value)}}}" if not value else f"{key(name)} = {{ {_pairs(value)} }}"
        for name, value in inner.items()
    ]
    return "\n".join(lines) + "\n"


def _pairs(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{key(name)} = {value_text(value)}" for name, value in values.items())


def key(name: str) -> str:
    """A key, bare where it may be."""
    return name if _BARE.fullmatch(name) else _basic(name)


def value_text(value: str | bool | Sequence[str]) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _text(value)
    parts = [_basic(each) for each in value]
    short = f"[{', '.join(parts)}]"
    return short if len(short) <= 60 else "[\n" + "".join(f"    {each},\n" for each in parts) + "]"


def _text(value: str) -> str:
    is_literal = "\n" in value and "'''" not in f"{value}'" and _LITERAL.fullmatch(value)
    return f"'''\n{value}'''" if is_literal else _basic(value)


def _basic(value: str) -> str:
    """JSON's escapes are all TOML's too; TOML wants one more."""
    text: str = simplejson.dumps(value, ensure_ascii=False)
    return text.replace(_DELETE, "\\u007f")
