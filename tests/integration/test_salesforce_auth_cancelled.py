"""A token exchange outlives whoever asked for it: a refresh token that is good once is never lost."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from aiohttp import web
from pydantic import SecretStr

from connectors.errors import TransientError
from connectors.salesforce import auth, rest
from connectors.salesforce.models import SalesforceCredential
from connectors.salesforce.rest import Salesforce
from tests.integration import fake_server
from tests.integration.fake_server import FakeServer
from tests.integration.test_salesforce_auth import LIMITS_PATH, TOKEN, credential, token
from tests.sandboxes import until


@dataclass(slots=True)
class Exchange:
    """A token endpoint that takes its time, and a vault that takes its own."""

    fake: FakeServer
    answer: asyncio.Event = field(default_factory=asyncio.Event)
    store: asyncio.Event = field(default_factory=asyncio.Event)
    kept: list[str] = field(default_factory=list)

    async def slowly(self, request: web.Request) -> web.StreamResponse:
        await self.answer.wait()
        return await token(self.fake, refresh_token="second")(request)

    async def keep(self, secret: SecretStr) -> None:
        await self.store.wait()
        self.kept.append(secret.get_secret_value())

    async def asked(self, salesforce: Salesforce) -> asyncio.Task[object]:
        """A caller whose exchange is under way."""
        caller: asyncio.Task[object] = asyncio.create_task(salesforce.limits())
        await until(lambda: len(self.fake.calls(TOKEN)) == 1)
        return caller

    def spent(self) -> list[str]:
        bodies = [dict(part.split("=") for part in call.body.decode().split("&")) for call in self.calls()]
        return [body["refresh_token"] for body in bodies]

    def calls(self) -> list[fake_server.Seen]:
        return self.fake.calls(TOKEN)


@pytest.fixture
async def exchange() -> AsyncIterator[Exchange]:
    async with fake_server.serving() as fake:
        made = Exchange(fake)
        fake.on("POST", TOKEN, made.slowly, token(fake, refresh_token="third"))
        fake.on("GET", LIMITS_PATH, fake_server.json({}))
        yield made
        made.answer.set()


@asynccontextmanager
async def opened(exchange: Exchange) -> AsyncIterator[Salesforce]:
    given: SalesforceCredential = credential(exchange.fake, refresh_token="first")
    async with rest.open(given, on_refresh_token=exchange.keep) as salesforce:
        yield salesforce


async def cancelled(caller: asyncio.Task[object]) -> None:
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller


async def test_a_caller_cancelled_in_mid_exchange_loses_no_token(exchange: Exchange) -> None:
    async with opened(exchange) as salesforce:
        await cancelled(await exchange.asked(salesforce))
        exchange.store.set()
        exchange.answer.set()
        await salesforce.limits()
        await salesforce.auth.refused(await salesforce.auth.grant())
        await salesforce.limits()
    assert exchange.spent() == ["first", "second"]
    assert exchange.kept == ["second", "third"]


async def test_a_caller_cancelled_while_the_next_token_is_stored_loses_none(exchange: Exchange) -> None:
    async with opened(exchange) as salesforce:
        exchange.answer.set()
        caller = await exchange.asked(salesforce)
        await cancelled(caller)
        exchange.store.set()
        await salesforce.limits()
    assert exchange.spent() == ["first"]
    assert exchange.kept == ["second"]


async def test_the_end_of_the_client_waits_for_the_exchange(exchange: Exchange) -> None:
    client = opened(exchange)
    salesforce = await client.__aenter__()
    await cancelled(await exchange.asked(salesforce))
    leaving = asyncio.ensure_future(client.__aexit__(None, None, None))
    await asyncio.wait({leaving}, timeout=0.05)
    assert not leaving.done()
    exchange.answer.set()
    exchange.store.set()
    await leaving
    assert exchange.kept == ["second"]


async def test_the_end_of_the_client_waits_so_long_and_no_longer(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auth, "_LAST_WAIT", timedelta(milliseconds=50))
    async with asyncio.timeout(5):
        async with opened(exchange) as salesforce:
            await cancelled(await exchange.asked(salesforce))
    assert exchange.kept == []


async def test_who_waits_for_a_token_waits_so_long_and_no_longer(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The exchange goes on: the next one who asks may still have it."""
    monkeypatch.setattr(auth, "_PATIENCE", timedelta(milliseconds=50))
    exchange.store.set()
    async with opened(exchange) as salesforce:
        with pytest.raises(TransientError, match="no token within"):
            await salesforce.limits()
        exchange.answer.set()
        await until(lambda: exchange.kept == ["second"])
        await salesforce.limits()
    assert exchange.spent() == ["first"]


async def test_many_callers_are_told_of_one_failure() -> None:
    async with fake_server.serving() as fake:
        fake.on("POST", TOKEN, fake_server.json({"error": "invalid_grant"}, status=400))
        async with rest.open(credential(fake)) as salesforce:
            told = await asyncio.gather(*(salesforce.limits() for _ in range(20)), return_exceptions=True)
        assert {type(each).__name__ for each in told} == {"AuthenticationError"}
        assert len(fake.calls(TOKEN)) == 1
