"""One page of a table or of any other sequence, as every list of the API answers it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from aiohttp import web

from connectors.http import dumps
from connectors.sandbox.m3ter import answers, paging
from connectors.sandbox.m3ter.filters import Selection
from connectors.sandbox.m3ter.organization import Organization, shown
from connectors.sandbox.m3ter.refusals import response_too_large
from connectors.sandbox.m3ter.tables import Table

Entity = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Listing:
    """A table, which of its entities, how they look, and the largest page if it is not the kind's."""

    table: Table
    selection: Selection = field(default_factory=lambda: Selection(None, lambda _entity: True))
    show: Callable[[Entity], Entity] = shown
    page_size: int = 0


def of_table(organization: Organization, request: web.Request, listing: Listing) -> web.Response:
    """One page; raises RefusedError for a wrong size or token, and for what is too large to answer."""
    behaviour, table = organization.behaviour, listing.table
    largest = listing.page_size or table.kind.page_size
    size = paging.page_size(request.query, behaviour.default_page_size, largest)
    scope = paging.scope_of(request.path, request.query)
    position = paging.unseal(request.query.get("nextToken"), scope)
    organization.lists_served += 1
    if behaviour.empty_page_every and organization.lists_served % behaviour.empty_page_every == 0:
        return answers.reply(paging.answer([], table.end if position is None else position, scope))
    page = table.page(size, position, listing.selection.picked, listing.selection.fits)
    data = [listing.show(entity) for entity in page.entities]
    body = paging.answer(data, page.next_position, scope)
    if behaviour.largest_answer is not None and len(dumps(body)) > behaviour.largest_answer:
        raise response_too_large()
    return answers.reply(body)


def of_sequence(
    organization: Organization, request: web.Request, entities: Iterable[Entity], largest: int
) -> web.Response:
    """One page of what is not a table, newest first; the position counts what was already given."""
    size = paging.page_size(request.query, organization.behaviour.default_page_size, largest)
    scope = paging.scope_of(request.path, request.query)
    start = paging.unseal(request.query.get("nextToken"), scope) or 0
    found = list(islice(entities, start, start + size + 1))
    return answers.reply(paging.answer(found[:size], start + size if len(found) > size else None, scope))
