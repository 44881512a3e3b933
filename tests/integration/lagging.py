"""A sandbox m3ter whose lists do not show what is there: passed over by a page, or not yet shown at all."""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any

from connectors.sandbox.m3ter.tables import Page, Table
from tests.acceptance.house import House


def organization(house: House) -> Any:
    """The emulated one itself."""
    return house.sandbox.running.organization  # type: ignore[attr-defined]  # a local one


@contextmanager
def unshown(house: House, ids: Collection[str], *, by_id_too: bool = False) -> Iterator[None]:
    """Meanwhile the list of Accounts shows none of these; `by_id_too`: not even to who names them."""
    table: Table = organization(house).store.tables["Account"]

    def page(size: int, position: int | None, picked: list[int] | None, fits: Callable[[Any], bool]) -> Page:
        is_hiding = by_id_too or picked is None
        return Table.page(
            table, size, position, picked, lambda each: fits(each) and not (is_hiding and each["id"] in ids)
        )

    table.page = page  # type: ignore[method-assign]  # for the time of this test
    try:
        yield
    finally:
        del table.page


async def asked(house: House, query: str = "ids=", path: str = "/accounts") -> int:
    """How often m3ter's list was asked, since its journal was cleared, for what `query` is part of."""
    entries = await house.sandbox.m3ter_control.journal()
    return sum(each["path"].endswith(path) and query in (each["query"] or "") for each in entries)
