"""One REST request as its handler sees it, and the reply that comes of it."""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from connectors import wire
from connectors.sandbox.salesforce.changes import Actor
from connectors.sandbox.salesforce.errors import SalesforceError
from connectors.sandbox.salesforce.ingest import Ingest
from connectors.sandbox.salesforce.metadata_deploys import Deploys
from connectors.sandbox.salesforce.records import Org
from connectors.sandbox.salesforce.soql_pages import Pages
from connectors.sandbox.salesforce.transactions import Transaction

_CLIENT = re.compile(r"(?:^|[;,\s])client\s*=\s*([^;,\s]+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Reply:
    """Status, body and headers of a reply: JSON, or bytes as they are (None: empty)."""

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Call:
    """A request to a resource below /services/data/vNN.0; `path` is what follows, decoded, in segments.

    `body` is what the JSON says, or the bytes of an upload, or of each part of a deployment.
    `tx` is the transaction of a composite request that must succeed as a whole; others open their own.
    """

    org: Org
    pages: Pages
    ingest: Ingest
    deploys: Deploys
    method: str
    path: tuple[str, ...]
    version: str
    user_id: str
    dispatch: "Callable[[Call], Reply]"
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    tx: Transaction | None = None

    @property
    def actor(self) -> Actor:
        """Who writes, and the origin that change events name (from `Sforce-Call-Options: client=NAME`)."""
        origin = f"com/salesforce/api/rest/{self.version}"
        client = _CLIENT.search(self.headers.get("Sforce-Call-Options", ""))
        return Actor(self.user_id, f"{origin};client={client.group(1)}" if client else origin)

    @contextmanager
    def write(self) -> Iterator[Transaction]:
        """The transaction to write in: the composite's, or a new one that commits at the end."""
        if self.tx is not None:
            yield self.tx
            return
        with self.org.transaction(self.actor) as tx:
            yield tx

    def fields(self) -> dict[str, Any]:
        """The body, which must be a JSON object."""
        if not isinstance(self.body, dict):
            message = "Unexpected end-of-input: expected a JSON object at [line:1, column:1]"
            raise SalesforceError("JSON_PARSER_ERROR", message)
        return self.body

    def url(self, *segments: str) -> str:
        """A path under this version."""
        return "/".join((f"/services/data/v{self.version}", *segments))

    def but(self, **changes: Any) -> "Call":
        """The same call with parts exchanged."""
        return replace(self, **changes)


def parse_body(raw: bytes) -> Any:
    """A request body's JSON, None when empty; raises SalesforceError JSON_PARSER_ERROR."""
    if not raw.strip():
        return None
    try:
        return wire.loads(raw)
    except wire.NotJson as error:
        message = f"Unexpected character or end of input in the JSON body: {error}"
        raise SalesforceError("JSON_PARSER_ERROR", message) from None
