"""Pages of a list: documented sizes, opaque tokens, no token on the last page."""

import base64
import hashlib
from collections.abc import Mapping
from typing import Any

from connectors.sandbox.m3ter.refusals import bad_request

Entity = dict[str, Any]
# What tells of pages, and of how much an entity shows: neither chooses entities.
_NOT_FILTERS = ("nextToken", "pageSize", "additional", "excludeLineItems", "includeBillTotal")


def page_size(query: Mapping[str, str], default: int, largest: int) -> int:
    """The page size asked for; raises RefusedError when it is none or more than documented."""
    text = query.get("pageSize") or str(min(default, largest))
    if not (text.isascii() and text.isdigit()) or not 1 <= int(text) <= largest:
        raise bad_request(f"pageSize: must be between 1 and {largest}")
    return int(text)


def seal(position: int, scope: str) -> str:
    """An opaque token for a position, good only for the list and filters of `scope`."""
    return base64.urlsafe_b64encode(f"{position}.{_digest(scope)}".encode()).decode().rstrip("=")


def unseal(token: str | None, scope: str) -> int | None:
    """The position that a token stands for; raises RefusedError when it was not given for this list."""
    if not token:
        return None
    try:
        text = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode("ascii")
        position, _, digest = text.partition(".")
        if digest == _digest(scope):
            return int(position)
    except ValueError:
        pass  # answered below like any other wrong token
    raise bad_request("nextToken: invalid")


def scope_of(path: str, query: Mapping[str, str]) -> str:
    """What a token is bound to: the path and every query parameter that is a filter."""
    return (
        path
        + "?"
        + "&".join(f"{key}={value}" for key, value in sorted(query.items()) if key not in _NOT_FILTERS)
    )


def answer(data: list[Entity], next_position: int | None, scope: str) -> Entity:
    """A list answer; the last page has no nextToken, since the description does not let it be null."""
    return {"data": data} | ({} if next_position is None else {"nextToken": seal(next_position, scope)})


def _digest(scope: str) -> str:
    return hashlib.sha256(scope.encode("utf-8", "surrogatepass")).hexdigest()[:12]
