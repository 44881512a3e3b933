"""A refresh token that is good once: kept, spent by one at a time, and never over an operator's new one."""

import asyncio
from contextlib import suppress
from typing import Any

import pytest
from aiohttp import web

from connectors.salesforce import rest
from connectors.salesforce.models import SalesforceCredential
from daemon.rotation import Rotation
from state import credentials
from state.database import Pool
from state.models import Credential, NewCredential
from state.vault import Vault
from tests.integration import fake_server
from tests.integration.fake_server import FakeServer

KEPT = Vault(b"k" * 32)
TOKEN = "/services/oauth2/token"


class Salesforce:
    """Takes each refresh token once, and gives the next one in exchange."""

    def __init__(self, fake: FakeServer) -> None:
        self.spent: list[str] = []
        self.good = "token-0"
        self._url = fake.url
        self._second = asyncio.Event()
        fake.on("POST", TOKEN, self._answer)

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        given = str((await request.post())["refresh_token"])
        self.spent.append(given)
        if len(self.spent) > 1:
            self._second.set()
        with suppress(
            TimeoutError
        ):  # time enough for another one to spend the same token, if nothing stops it
            async with asyncio.timeout(0.5):
                await self._second.wait()
        if given != self.good:
            refusal = {"error": "invalid_grant", "error_description": "expired access/refresh token"}
            return await fake_server.json(refusal, status=400)(request)
        self.good = f"token-{len(self.spent)}"
        answer = {"access_token": "a", "instance_url": self._url, "refresh_token": self.good}
        return await fake_server.json(answer)(request)


def secret(fake: FakeServer, token: str = "token-0", client_id: str = "c") -> dict[str, Any]:
    return {"url": fake.url, "client_id": client_id, "client_secret": "s", "refresh_token": token}


async def add(db: Pool, given: dict[str, Any], *, replace: bool = False) -> Credential:
    return await credentials.add(db, KEPT, NewCredential("org", "salesforce", given, {}), replace=replace)


def opened(db: Pool, credential: Credential, given: dict[str, Any]) -> Any:
    rotation = Rotation((db, KEPT), credential, given, lambda _: None)
    model = SalesforceCredential.model_validate(given)
    return rest.open(model, on_refresh_token=rotation.keep, spending=rotation.spending)


async def kept_token(db: Pool) -> str:
    return str((await credentials.get(db, KEPT, "org"))[1]["refresh_token"])


async def test_two_processes_that_want_a_token_at_once_spend_two_tokens(db: Pool) -> None:
    async with fake_server.serving() as fake:
        salesforce, given = Salesforce(fake), secret(fake)
        credential = await add(db, given)
        async with opened(db, credential, given) as daemon, opened(db, credential, given) as command:
            await asyncio.gather(daemon.auth.grant(), command.auth.grant())
    assert salesforce.spent == ["token-0", "token-1"]
    assert await kept_token(db) == salesforce.good


@pytest.mark.parametrize("client_id", ["c", "another app"])
async def test_what_an_operator_has_put_in_its_place_meanwhile_stays(db: Pool, client_id: str) -> None:
    async with fake_server.serving() as fake:
        salesforce, given = Salesforce(fake), secret(fake)
        credential = await add(db, given)
        rotation = Rotation((db, KEPT), credential, given, lambda _: None)
        async with rotation.spending() as current:
            assert current is not None
            assert current.get_secret_value() == salesforce.good
            await add(db, secret(fake, "the operator's", client_id), replace=True)
            await rotation.keep(type(current)("token-1"))
        assert await kept_token(db) == "the operator's"


async def test_a_secret_is_only_rotated_from_what_is_kept(db: Pool) -> None:
    credential = await add(db, {"refresh_token": "a"})
    key = credential.credential_id
    assert await credentials.rotate(db, KEPT, key, {"refresh_token": "a"}, {"refresh_token": "b"})
    assert not await credentials.rotate(db, KEPT, key, {"refresh_token": "a"}, {"refresh_token": "c"})
    assert await kept_token(db) == "b"
    await credentials.remove(db, "org")
    assert not await credentials.rotate(db, KEPT, key, {"refresh_token": "b"}, {"refresh_token": "d"})


async def test_who_is_cancelled_while_spending_gives_way_to_the_next(db: Pool) -> None:
    credential = await add(db, {"refresh_token": "token-0"})
    entered = asyncio.Event()

    async def spending() -> None:
        async with credentials.alone(db, credential.credential_id):
            entered.set()
            await asyncio.Event().wait()

    first = asyncio.create_task(spending(), name="spending")
    await entered.wait()
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    async with asyncio.timeout(5):  # the session that held it ends, and no other one would get it before
        while await db.fetchval("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"):  # noqa: ASYNC110 - the server tells nobody
            await asyncio.sleep(0.01)
