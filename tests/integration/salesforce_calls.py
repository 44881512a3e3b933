"""Plain calls to the sandbox's Salesforce, logged in, as a client without a library makes them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import aiohttp

from connectors import wire
from connectors.sandbox.salesforce.records import Org
from tests.sandboxes import LocalSandbox

V = "/services/data/v67.0"


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, JSON body and headers."""

    status: int
    body: Any
    headers: Any

    @property
    def code(self) -> str:
        """The errorCode of a refusal."""
        return str(self.body[0]["errorCode"])

    @property
    def message(self) -> str:
        """The message of a refusal."""
        return str(self.body[0]["message"])


@dataclass(frozen=True, slots=True)
class Salesforce:
    """A logged-in client; paths are below the version unless they begin with a slash."""

    url: str
    org: Org
    http: aiohttp.ClientSession

    async def call(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """One call; header names are given with _ for -."""
        data = None if body is None else wire.dumps(body)
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        if data is not None:
            given.setdefault("Content-Type", "application/json")
        target = path if path.startswith("/") else f"{V}/{path}"
        async with self.http.request(method, self.url + target, data=data, headers=given) as response:
            text = await response.text()
            is_json = response.content_type == "application/json"
            return Answer(response.status, wire.loads(text) if is_json else text, response.headers)

    async def get(self, path: str, **headers: str) -> Answer:
        """GET."""
        return await self.call("GET", path, **headers)

    async def query(self, soql: str, resource: str = "query", **headers: str) -> Answer:
        """A query by GET."""
        url = self.url + f"{V}/{resource}"
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.http.get(url, params={"q": soql}, headers=given) as response:
            return Answer(response.status, wire.loads(await response.text()), response.headers)

    async def create(self, object_name: str, **fields: Any) -> str:
        """Create a record; fails the test unless that is answered 201."""
        answer = await self.call("POST", f"sobjects/{object_name}", fields)
        assert answer.status == 201, answer.body
        return str(answer.body["id"])


@asynccontextmanager
async def logged_in(sandbox: LocalSandbox) -> AsyncIterator[Salesforce]:
    """A client with a session of the integration user."""
    session = sandbox.running.org.sessions.open(sandbox.running.org.actor.user_id)
    headers = {"Authorization": f"Bearer {session.token}"}
    async with aiohttp.ClientSession(headers=headers) as http:
        yield Salesforce(sandbox.salesforce["url"], sandbox.running.org, http)


def agreement(org: Org) -> dict[str, str]:
    """Ids of an account with a won opportunity of one line, and its price book entry."""
    book = org.create("Pricebook2", {"Name": "Standard"})
    product = org.create("Product2", {"Name": "Calls", "ProductCode": "CALLS"})
    price = {"Pricebook2Id": book, "Product2Id": product, "UnitPrice": Decimal("0.0015")}
    entry = org.create("PricebookEntry", price)
    account = org.create("Account", {"Name": "Acme"})
    won = {"Name": "Won", "AccountId": account, "StageName": "Closed Won", "CloseDate": "2026-11-01"}
    opportunity = org.create("Opportunity", won)
    given = {"OpportunityId": opportunity, "PricebookEntryId": entry, "Quantity": 1000}
    line = org.create("OpportunityLineItem", {**given, "UnitPrice": Decimal("0.0015")})
    return {"account": account, "opportunity": opportunity, "line": line, "entry": entry, "product": product}
