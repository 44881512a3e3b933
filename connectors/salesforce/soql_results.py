"""Query results as plain records: child sub-queries become lists, their further pages followed."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from connectors.salesforce import refusing
from connectors.salesforce.models import Record
from connectors.wire import Json

Turn: TypeAlias = Callable[[str], Awaitable[Json]]  # reads the page at a nextRecordsUrl

_WORDS = re.compile(r"'(?:\\.|[^'\\])*'|[()]|\w+")


def child_relationships(soql: str) -> frozenset[str]:
    """The names after FROM in the sub-queries of the SELECT list: `(SELECT Id FROM OpportunityLineItems)`.

    Salesforce answers an empty sub-query with null, which without these names looks like any empty field.
    """
    depth, after_from, names = 0, False, set[str]()
    for word in _WORDS.findall(soql):
        if after_from:
            names.add(word)
            after_from = False
        elif word in "()":
            depth += 1 if word == "(" else -1
        elif word.upper() == "FROM":
            if depth == 0:
                break
            after_from = True
    return frozenset(names)


def page_of(body: Json, path: str) -> tuple[list[Record], str]:
    """The records of what `path` answered and where the next page is ("" when this is the last)."""
    if not isinstance(body, dict) or not isinstance(body.get("records"), list):
        raise refusing.odd("without the records of the query", path)
    following = body.get("nextRecordsUrl")
    if body.get("done") is True or following is None:
        return body["records"], ""
    if not isinstance(following, str) or not following.startswith("/services/data/"):
        raise refusing.odd(f"with a next page that is not its own, {following!r}", path)
    return body["records"], following


@dataclass(frozen=True, slots=True)
class Children:
    """The sub-queries of what `path` answered, by name, and how their further pages are read."""

    path: str
    names: frozenset[str]
    turn: Turn


async def inline(record: Record, children: Children) -> Record:
    """`record` with each child sub-query as a list of records, complete and inlined in turn."""
    return {name: await _value(name, value, children) for name, value in record.items()}


async def _value(name: str, value: Any, children: Children) -> Any:
    if value is None and name in children.names:
        return []
    if not isinstance(value, dict) or name == "attributes":
        return value
    if "records" not in value or "done" not in value:
        return await inline(value, children)  # a parent
    found: list[Record] = []
    page: Json = value
    path = children.path
    while True:
        records, following = page_of(page, path)
        found += [await inline(record, children) for record in records]
        if not following:
            return found
        page, path = await children.turn(following), following
