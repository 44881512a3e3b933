"""m3ter's API as this daemon uses it: get, list, create, update, delete, external mappings."""

from collections.abc import AsyncIterator, Awaitable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias
from urllib.parse import quote

from connectors.errors import AuthenticationError, RejectedError, TransientError
from connectors.exchange import Limits, Repeatable, Request
from connectors.http import Http, Options
from connectors.m3ter import refusing
from connectors.m3ter.auth import M3terAuth
from connectors.m3ter.models import SALESFORCE, EntityKind, M3terCredential
from connectors.pacing import Pacer
from connectors.wire import Json, dumps

Entity: TypeAlias = dict[str, Any]
BillingEntity: TypeAlias = Literal["CONTRACT", "ACCOUNTPLAN", "PREPAYMENT", "PRICINGS", "COUNTER_PRICINGS"]
Filter: TypeAlias = str | int | bool | Iterable[str] | None

# 50 requests a second per organization, from all its clients together (m3ter docs, Config API limits).
LIMITS = Limits(per_second=50)
EVENTS_PAGE_SIZE = 100
_LASTING = "If it lasts, see whether a proxy answers in m3ter's place, else tell m3ter's support."


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list; it may be empty and still lead on. `next_token` None: it was the last."""

    entities: tuple[Entity, ...]
    next_token: str | None


@dataclass(frozen=True, slots=True)
class Ending:
    """Which billing entities are to end, in m3ter's words, and when: a date-time in ISO 8601, exclusive."""

    billing_entities: tuple[BillingEntity, ...]
    end_date: str


class M3ter:
    """One organization. Money comes and goes as Decimal."""

    def __init__(self, credential: M3terCredential, http: Http) -> None:
        self.credential = credential
        self.org_id = credential.org_id
        self._http = http
        self._auth = M3terAuth(credential, http)

    async def authenticate(self) -> None:
        """Proves the credential with one read. Raises AuthenticationError when it is refused."""
        probe = Request("GET", self._path(EntityKind.ACCOUNT.path), query=(("pageSize", "1"),))
        await self._http.send(probe, authorize=self._auth)

    async def get(self, kind: EntityKind, entity_id: str) -> Entity:
        """Raises NotFoundError when there is none."""
        return await self._entity(Request("GET", self._path(kind.path, entity_id)))

    async def pages(self, kind: EntityKind, **filters: Filter) -> AsyncIterator[list[Entity]]:
        """Every page that has entities, newest first; filters as m3ter names them, None is no filter."""
        query = _filtering(filters)
        if query is None:
            return
        async for page in self._pages(self._path(kind.path), kind.page_size, query):
            yield page

    async def page(
        self, kind: EntityKind, token: str | None = None, *, page_size: int | None = None, **filters: Filter
    ) -> Page:
        """The page that `token` leads to, the first one for None; the same filters belong to every page.

        Whole entities: Bills with their totals and line items unless the filters say otherwise. None for the
        largest page. Raises TooLargeError for one that m3ter cannot answer with while it answers other calls,
        ValueError for a filter that m3ter's list does not know: it would be passed over and list everything.
        """
        unknown = sorted(filters.keys() - kind.filters)
        if unknown:
            raise ValueError(f"m3ter's list of {kind.value} has no parameter {', '.join(unknown)}")
        query = _filtering({**kind.whole, **filters})
        if query is None:
            return Page((), None)
        return await self._weighed(
            self._page(self._path(kind.path), page_size or kind.page_size, query, token)
        )

    async def events(
        self, *, event_name: str | None = None, token: str | None = None, page_size: int = EVENTS_PAGE_SIZE
    ) -> Page:
        """m3ter's own events, newest first, those included that somebody has marked as actioned.

        `event_name` as `configuration.account.updated`; None is all of them. Raises TooLargeError as `page`.
        """
        query = [("includeActioned", "true"), *([("eventName", event_name)] if event_name else [])]
        return await self._weighed(self._page(self._path("events"), page_size, query, token))

    async def create(self, kind: EntityKind, body: Entity, *, send_before: float | None = None) -> Entity:
        """Sent once: m3ter has no idempotency key, and while we wait to repeat, the caller's lease runs out.

        TransientError.may_have_happened tells that it must be looked for before it is sent again.
        `send_before`: the loop time after which it does not leave any more.
        """
        path, never = self._path(kind.path), Repeatable.NEVER
        return await self._entity(Request("POST", path, json=body, repeatable=never, send_before=send_before))

    async def update(
        self, kind: EntityKind, entity_id: str, body: Entity, *, send_before: float | None = None
    ) -> Entity:
        """Replaces the entity; `body` carries the `version` that was read.

        Repeated only when the answer shows that nothing was written; a lost answer is may_have_happened: a
        repeat of a PUT that did work would be refused for its version.
        """
        if "version" not in body:
            raise ValueError("an update starts from the entity as read, with its version")
        path = self._path(kind.path, entity_id)
        careful = Repeatable.IF_UNTOUCHED
        return await self._entity(
            Request("PUT", path, json=body, repeatable=careful, send_before=send_before)
        )

    async def end_billing(
        self, kind: EntityKind, entity_id: str, ending: Ending, *, send_before: float | None = None
    ) -> None:
        """End-dates what bills an Account, or a Contract (enddatebillingentities of m3ter's description).

        What ended earlier stays as it is, so doing it twice is doing it once. Raises RejectedError also when
        m3ter answers that some of them could not be ended.
        """
        path = self._path(kind.path, entity_id, "enddatebillingentities")
        body: Json = {"billingEntities": list(ending.billing_entities), "endDate": ending.end_date}
        careful = Repeatable.IF_UNTOUCHED
        request = Request("PUT", path, json=body, repeatable=careful, send_before=send_before)
        failed = (await self._entity(request)).get("failedEntities") or {}
        names = sorted(name for name, ids in failed.items() if _holds_any(ids))
        if names:
            raise RejectedError(
                f"m3ter could not end the {', '.join(names)} of {kind.value} {entity_id}.",
                instruction="See in m3ter whether they begin after this end date; end or delete them there.",
            )

    async def delete(self, kind: EntityKind, entity_id: str) -> Entity:
        """The entity as it was. A lost answer is may_have_happened."""
        path = self._path(kind.path, entity_id)
        return await self._entity(Request("DELETE", path, repeatable=Repeatable.IF_UNTOUCHED))

    async def external_mappings_of(self, external_table: str, external_id: str) -> list[Entity]:
        """The m3ter entities that one Salesforce record is mapped to."""
        path = self._path("externalmappings", "externalid", SALESFORCE, external_table, external_id)
        return await self._all(path)

    async def external_mappings_for(self, m3ter_entity: str, m3ter_id: str) -> list[Entity]:
        """The outside records that one m3ter entity is mapped to."""
        return await self._all(self._path("externalmappings", "external", m3ter_entity, m3ter_id))

    async def external_mapping_configuration(self) -> Entity:
        """Which m3ter entities and which tables of which systems may be mapped."""
        return await self._entity(Request("GET", self._path("externalmappingconfiguration")))

    async def _all(self, path: str) -> list[Entity]:
        size = EntityKind.EXTERNAL_MAPPING.page_size
        return [entity async for page in self._pages(path, size, []) for entity in page]

    async def _pages(
        self, path: str, page_size: int, query: list[tuple[str, str]]
    ) -> AsyncIterator[list[Entity]]:
        """A page may be empty and still lead on; a token seen twice would lead round for ever."""
        token: str | None = None
        seen = set[str]()
        while True:
            page = await self._page(path, page_size, query, token)
            if page.entities:
                yield list(page.entities)
            token = page.next_token
            if token is None:
                return
            if token in seen:
                raise _in_a_circle(path)
            seen.add(token)

    async def _page(self, path: str, page_size: int, query: list[tuple[str, str]], token: str | None) -> Page:
        turn = [*query, ("pageSize", str(page_size)), *([("nextToken", token)] if token else [])]
        body = await self._send(Request("GET", path, query=turn))
        data = body.get("data") if isinstance(body, dict) else None
        if not isinstance(body, dict) or not isinstance(data, list):
            raise TransientError(f"m3ter answered the list {path} without its data.", instruction=_LASTING)
        following = body.get("nextToken") or None
        if following is not None and following == token:
            raise _in_a_circle(path)
        return Page(tuple(data), following)

    async def _weighed(self, answer: Awaitable[Page]) -> Page:
        """Silence is the whole m3ter's only if it has no answer to the least of questions either."""
        try:
            return await answer
        except TransientError as error:
            if not refusing.is_silence(error):
                raise
            await self.authenticate()
            raise refusing.too_much(error) from error

    async def _entity(self, request: Request) -> Entity:
        body = await self._send(request)
        if not isinstance(body, dict):
            error = TransientError(
                f"m3ter answered {request.method} {request.path} without an entity.", instruction=_LASTING
            )
            error.may_have_happened = request.writes
            raise error
        return body

    async def _send(self, request: Request) -> Json:
        try:
            return (await self._http.send(request, authorize=self._auth)).body
        except (AuthenticationError, TransientError) as error:
            if error.status != 403:
                raise
            size = 0 if request.json is None else len(dumps(request.json))
            if size > refusing.FIREWALL_BODY_BYTES:
                raise refusing.too_large(error, size) from error
            # A firewall and a missing permission answer as a stale token does: is the token good elsewhere?
            await self._prove(error)
            if isinstance(error, AuthenticationError) and not request.writes:
                return await self._permitted(request)
            if isinstance(error, TransientError) and request.json is None:
                error.unreachable = False  # a page in the way of this one address
                raise
            raise refusing.not_the_token(error, request) from error

    async def _permitted(self, request: Request) -> Json:
        """Once more with a token that has just proved good: refused even so, the user may not read this."""
        try:
            return (await self._http.send(request, authorize=self._auth)).body
        except AuthenticationError as error:
            raise refusing.not_the_token(error, request) from error

    async def _prove(self, refusal: AuthenticationError | TransientError) -> None:
        """Raises unless the way to m3ter is open and the token good; nothing was written by then."""
        try:
            await self.authenticate()
        except TransientError as error:
            error.may_have_happened = isinstance(refusal, TransientError) and refusal.may_have_happened
            raise

    def _path(self, *parts: str) -> str:
        return "/".join(["/organizations", *(quote(part, safe="") for part in (self.org_id, *parts))])


def _in_a_circle(path: str) -> RejectedError:
    return RejectedError(
        f"m3ter leads round in a circle: the list {path} repeats its nextToken.",
        instruction=_LASTING,
    )


def _holds_any(ids: Any) -> bool:
    """m3ter describes a set of ids as an object that says whether it is empty; a list may come as well."""
    return not ids.get("empty", False) if isinstance(ids, dict) else bool(ids)


def _filtering(filters: dict[str, Filter]) -> list[tuple[str, str]] | None:
    """Array parameters exploded (`ids=a&ids=b`), as m3ter's description declares them.

    None for an empty array: it asks for nothing, but on the wire it would be no filter and list everything.
    """
    query: list[tuple[str, str]] = []
    for name, value in filters.items():
        if isinstance(value, bool):
            query.append((name, "true" if value else "false"))
        elif isinstance(value, str | int):
            query.append((name, str(value)))
        elif value is not None:
            items = [(name, item) for item in value]
            if not items:
                return None
            query.extend(items)
    return query


@asynccontextmanager
async def open(  # noqa: A001 - reads as m3ter.rest.open at the place of use
    credential: M3terCredential, *, limits: Limits = LIMITS, pacer: Pacer | None = None
) -> AsyncIterator[M3ter]:
    """A client for one organization. Clients of the same organization should share one `pacer`."""
    options = Options(limits=limits, dialect=refusing.DIALECT, pacer=pacer)
    async with Http(system="m3ter", base_url=credential.url, options=options) as http:
        yield M3ter(credential, http)
