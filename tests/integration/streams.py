"""A change stream against the sandbox: opened quickly, read with a deadline, its outages noted."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from connectors.errors import SyncError
from connectors.exchange import Limits
from connectors.salesforce import rest
from connectors.salesforce.models import Batch, ChangeEvent, SalesforceCredential, UndecodableEvent
from connectors.salesforce.outages import Pace
from connectors.salesforce.rest import Salesforce
from connectors.salesforce.stream import ChangeStream

ACCOUNTS = "/data/AccountChangeEvent"
CONTACTS = "/data/ContactChangeEvent"
QUICK = Pace(timedelta(milliseconds=5), timedelta(milliseconds=20), timedelta(milliseconds=20))


@dataclass(slots=True)
class Listener:
    """One stream being read. `outages` holds what was reported, "over" for each end."""

    salesforce: Salesforce
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    outages: list[SyncError | str] = field(default_factory=list)
    batches: AsyncIterator[Batch] = field(init=False)

    def begin(self, positions: Mapping[str, str | None]) -> AsyncGenerator[Batch, None]:
        stream = ChangeStream(
            self.salesforce,
            self.stop,
            on_outage=self.outages.append,
            on_recovery=lambda: self.outages.append("over"),
            pace=QUICK,
        )
        self.batches = stream.batches(positions)
        return self.batches

    async def next(self) -> Batch:
        async with asyncio.timeout(60):
            return await anext(self.batches)

    async def heard(self) -> Batch:
        """The next batch that holds events: an empty one only says that the channels are subscribed."""
        while not (batch := await self.next()).events:
            pass
        return batch

    async def event(self) -> ChangeEvent:
        """The next event, which must be the only one of its batch."""
        (event,) = (await self.heard()).events
        assert isinstance(event, ChangeEvent)
        return event

    async def undecodable(self) -> UndecodableEvent:
        (event,) = (await self.heard()).events
        assert isinstance(event, UndecodableEvent)
        return event

    async def rename(self, account_id: str, name: str) -> None:
        await self.salesforce.update("Account", account_id, {"Name": name})


@asynccontextmanager
async def listening(
    login: dict[str, Any], positions: Mapping[str, str | None], limits: Limits = rest.LIMITS
) -> AsyncIterator[Listener]:
    """A listener whose channels are subscribed. `limits` are those of the token and of REST."""
    async with rest.open(SalesforceCredential(**login), limits=limits) as salesforce:
        listener = Listener(salesforce)
        async with aclosing(listener.begin(positions)):
            assert (await listener.next()).events == ()
            yield listener


async def new_account(salesforce: Salesforce, name: str = "Acme") -> str:
    return (await salesforce.create("Account", {"Name": name})).record_id
