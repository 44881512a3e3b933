"""Salesforce's REST API as this daemon uses it: query, retrieve, describe, limits, single-record writes."""

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote, urlencode

from connectors.errors import RejectedError
from connectors.exchange import Limits, Repeatable, Request, Response
from connectors.http import Http, Options
from connectors.salesforce import refusing, soql_results
from connectors.salesforce.auth import OnRefreshToken, SalesforceAuth, Spending
from connectors.salesforce.ids import to_id18
from connectors.salesforce.models import Identity, Record, SalesforceCredential
from connectors.wire import Json

LIMITS = Limits()
CLIENT_NAME = "m3sync"

# URI and headers together may have 16,384 bytes (REST guide, limits); the rest is left to the token.
_LONGEST_URI = 12_000
_USAGE = re.compile(r"(?:.*;)?\s*api-usage=(\d{1,12})/(\d{1,12})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Saved:
    """What a write came to."""

    record_id: str
    was_created: bool


@dataclass(frozen=True, slots=True)
class ApiUsage:
    """API calls of the last 24 hours, by all clients of the org together, and how many there may be."""

    used: int
    limit: int


class Salesforce:
    """One org, seen by one integration user. Numbers come and go as Decimal."""

    def __init__(self, credential: SalesforceCredential, http: Http, auth: SalesforceAuth) -> None:
        self.credential = credential
        self.auth = auth
        self._http = http
        self.usage: ApiUsage | None = None  # as the newest answer told it
        self._data = f"/services/data/v{credential.api_version}"

    @property
    def answer_many(self) -> timedelta:
        """How long a call that writes many records may take."""
        return self._http.options.limits.answer_many

    async def send(self, request: Request) -> Response:
        """Any call, as this user; raises the SyncError family."""
        response = await self._http.send(request, authorize=self.auth)
        self.usage = _usage(response.headers) or self.usage
        return response

    def path(self, *parts: str) -> str:
        """An address below /services/data/vXX.X."""
        return "/".join((self._data, *(quote(part, safe="") for part in parts)))

    async def query(self, soql: str, *, include_deleted: bool = False) -> AsyncIterator[list[Record]]:
        """The pages of a query; child sub-queries are complete lists (`record["OpportunityLineItems"]`).

        A query too long for a URI is refused: plain REST has no query by POST, and composite requests have
        lower limits of their own.
        """
        path = f"{self._data}/{'queryAll' if include_deleted else 'query'}"
        if len(path) + len(urlencode({"q": soql})) > _LONGEST_URI:
            raise RejectedError(
                f"The query has {len(soql):,} characters; Salesforce takes no address that long.",
                instruction="Leave out fields in the field mapping.",
                code="URI_TOO_LONG",
            )
        names = soql_results.child_relationships(soql)
        body = await self._get(path, q=soql)
        while True:
            records, following = soql_results.page_of(body, path)
            children = soql_results.Children(path, names, self._get)
            yield [await soql_results.inline(record, children) for record in records]
            if not following:
                return
            body, path = await self._get(following), following

    async def count(self, soql: str, *, include_deleted: bool = False) -> int:
        """What a `SELECT COUNT() ...` counts."""
        path = f"{self._data}/{'queryAll' if include_deleted else 'query'}"
        total = (await self._get_record(path, q=soql)).get("totalSize")
        if not isinstance(total, (int, Decimal)):
            raise refusing.odd("without the number that it counted", path)
        return int(total)

    async def retrieve(self, object_name: str, record_id: str, fields: Sequence[str] = ()) -> Record:
        """One record, all its fields unless some are named. Raises NotFoundError or RejectedError."""
        named = {"fields": ",".join(fields)} if fields else {}
        return await self._get_record(self._row(object_name, record_id), **named)

    async def describe(self, object_name: str) -> Record:
        return await self._get_record(f"{self._sobjects(object_name)}/describe")

    async def limits(self) -> dict[str, Any]:
        """Every limit of the org: name -> {"Max", "Remaining"}."""
        return await self._get_record(f"{self._data}/limits")

    async def now(self) -> datetime | None:
        """Salesforce's clock, to the second; None when an answer does not tell it."""
        told = (await self.send(Request("GET", f"{self._data}/limits"))).headers.get("Date", "")
        try:
            return parsedate_to_datetime(told).astimezone(UTC)
        except ValueError:
            return None

    async def identity(self) -> Identity:
        """Who the credential is, from the token reply; the username from user-info if the app's scopes allow.

        Raises AuthenticationError when the credential is refused.
        """
        await self.auth.grant()
        holder = self.auth.holder
        try:
            body = await self._get_record("/services/oauth2/userinfo")
        except RejectedError:
            if holder is None:
                raise
            return Identity(holder.org_id, holder.user_id, self.credential.username or "")
        username = str(body.get("preferred_username") or self.credential.username or "")
        if holder is not None:
            return Identity(holder.org_id, holder.user_id, username)
        return Identity(to_id18(body.get("organization_id")), to_id18(body.get("user_id")), username)

    async def create(self, object_name: str, record: Mapping[str, Any]) -> Saved:
        """Sent once; TransientError.may_have_happened: look for the record before creating it again."""
        request = Request("POST", self._sobjects(object_name), json=dict(record), repeatable=Repeatable.NEVER)
        return _saved((await self.send(request)).body, request.path, was_created=True)

    async def update(self, object_name: str, record_id: str, record: Mapping[str, Any]) -> None:
        """Sets the given fields; harmless to repeat."""
        path = self._row(object_name, record_id)
        await self.send(Request("PATCH", path, json=dict(record), repeatable=Repeatable.ALWAYS))

    async def upsert(self, object_name: str, key_field: str, key: str, record: Mapping[str, Any]) -> Saved:
        """Creates or updates the record whose external id is `key` (not in `record`); harmless to repeat."""
        path = f"{self._sobjects(object_name)}/{quote(key_field, safe='')}/{quote(key, safe='')}"
        request = Request("PATCH", path, json=dict(record), repeatable=Repeatable.ALWAYS)
        try:
            response = await self.send(request)
        except RejectedError as error:
            if error.code != "DUPLICATE_VALUE":
                raise
            # Another writer created the same key meanwhile: now it exists, and this becomes an update.
            response = await self.send(request)
        return _saved(response.body, path, was_created=response.status == 201)

    async def delete(self, object_name: str, record_id: str) -> None:
        """Into the recycle bin. A lost answer is may_have_happened; a repeat would say NotFoundError."""
        path = self._row(object_name, record_id)
        await self.send(Request("DELETE", path, repeatable=Repeatable.IF_UNTOUCHED))

    async def _get(self, path: str, **query: str) -> Json:
        return (await self.send(Request("GET", path, query=tuple(query.items())))).body

    async def _get_record(self, path: str, **query: str) -> Record:
        body = await self._get(path, **query)
        if not isinstance(body, dict):
            raise refusing.odd("with something other than a record", path)
        return body

    def _sobjects(self, object_name: str) -> str:
        return f"{self._data}/sobjects/{quote(object_name, safe='')}"

    def _row(self, object_name: str, record_id: str) -> str:
        return f"{self._sobjects(object_name)}/{to_id18(record_id)}"


def _usage(headers: Mapping[str, str]) -> ApiUsage | None:
    """`Sforce-Limit-Info: api-usage=18/5000; per-app-api-usage=17/250(appName=x)`."""
    told = _USAGE.match(headers.get("Sforce-Limit-Info", ""))
    return ApiUsage(int(told[1]), int(told[2])) if told else None


def _saved(body: Json, path: str, *, was_created: bool) -> Saved:
    """Before API 46.0 an upsert that updates answers with no body at all."""
    given = body.get("id") if isinstance(body, dict) else None
    if given is None and was_created:
        error = refusing.odd("with a record created and without its id", path)
        error.may_have_happened = True
        raise error
    return Saved(to_id18(given) if given else "", was_created)


@asynccontextmanager
async def open(  # noqa: A001 - reads as salesforce.rest.open at the place of use
    credential: SalesforceCredential,
    *,
    client_name: str = CLIENT_NAME,
    limits: Limits = LIMITS,
    on_refresh_token: OnRefreshToken | None = None,
    spending: Spending | None = None,
) -> AsyncIterator[Salesforce]:
    """A client for one org. `client_name` comes back in the changeOrigin of events that our writes raise."""
    options = Options(limits, refusing.DIALECT, {"Sforce-Call-Options": f"client={client_name}"})
    async with (
        Http(system="Salesforce", base_url=credential.url, options=options) as http,
        SalesforceAuth(credential, http, on_refresh_token, spending) as auth,
    ):
        yield Salesforce(credential, http, auth)
