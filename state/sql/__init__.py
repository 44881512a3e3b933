"""Loads the named statements of state/sql/<store>.sql, each described where it stands."""

import re
from functools import cache
from importlib import resources

_NAMED = re.compile(r"^-- ([a-z][a-z0-9_]*) --\n", re.MULTILINE)


@cache
def load(store: str) -> dict[str, str]:
    """The statements of one store by name; the lines before the first name are its heading."""
    text = (resources.files(__name__) / f"{store}.sql").read_text(encoding="utf-8")
    _, *parts = _NAMED.split(text)
    names = parts[0::2]
    if len(set(names)) != len(names):
        raise ValueError(f"{store}.sql names a statement twice")
    return dict(zip(names, (statement.strip() for statement in parts[1::2]), strict=True))
