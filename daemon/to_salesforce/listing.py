"""Pages of m3ter's lists: smaller ones where one is too large for m3ter, and at last without the lines."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias

import structlog

from connectors.errors import TooLargeError
from connectors.m3ter.models import EntityKind
from connectors.m3ter.rest import Filter, Page
from daemon.to_salesforce.mapping.derivations import Withheld
from daemon.to_salesforce.page_sizes import PageSize
from daemon.to_salesforce.place import Place

log = structlog.get_logger(__name__)

Question: TypeAlias = Callable[[], Awaitable[Page]]
Ask: TypeAlias = Callable[[Question], Awaitable[Page]]

# What makes an entity too large, and the filter with which the list leaves it out.
_HEAVY: Mapping[EntityKind, tuple[str, Mapping[str, bool]]] = {
    EntityKind.BILL: ("lineItems", {"excludeLineItems": True})
}


async def plainly(question: Question) -> Page:
    """Ask once."""
    return await question()


async def page(place: Place, token: str | None, filters: Mapping[str, Any], ask: Ask = plainly) -> Page:
    """The entities from `token` on, as many as m3ter can give at once, and where their list goes on.

    One that is too large even alone has its lines withheld: it cannot be written, its siblings can. Raises
    what `ask` does, by default the SyncError family.
    """

    def sized(size: int, **more: Filter) -> Awaitable[Page]:
        m3ter = place.organization.m3ter
        return ask(lambda: m3ter.page(place.kind, token, page_size=size, **filters, **more))

    try:
        return await fitting(place.page_size(place.kind.path, place.kind.page_size), sized)
    except TooLargeError as error:
        if place.kind not in _HEAVY:
            raise
        name, without = _HEAVY[place.kind]
        found = await sized(1, **without)
        log.warning("entity too large for m3ter", integration=place.name, reason=error.message)
    withheld = {name: Withheld(f"m3ter gives no {place.kind} that is so large with its {name}.")}
    return Page(tuple(entity | withheld for entity in found.entities), found.next_token)


async def fitting(size: PageSize, sized: Callable[[int], Awaitable[Page]]) -> Page:
    """The page of the size that lately fitted, or of half of it, and so on; the size is kept for the next.

    Raises TooLargeError if not even one fits.
    """
    while True:
        try:
            found = await sized(size.now)
        except TooLargeError as error:
            if size.now == 1:
                raise
            if not size.is_wary:
                log.warning("page too large: smaller ones are read", size=size.now, reason=error.message)
            size.shrink()
        else:
            if found.next_token is not None:  # the last of a list is of any size
                size.grow()
            return found
