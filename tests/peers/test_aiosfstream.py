"""aiosfstream, an independent streaming client, hears the sandbox's change events."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import aiocometd_noloop
import aiocometd_noloop.constants
import aiocometd_noloop.exceptions
import aiocometd_noloop.extensions
import aiocometd_noloop.typing
import aiocometd_noloop.utils
import pytest

from tests.sandboxes import LocalSandbox

# aiosfstream asks for aiocometd, which cannot open a connection on Python >= 3.10: a fork takes its name.
for _name, _module in list(sys.modules.items()):
    if _name.partition(".")[0] == aiocometd_noloop.__name__:
        sys.modules[_name.replace("aiocometd_noloop", "aiocometd", 1)] = _module

from aiosfstream.auth import RefreshTokenAuthenticator  # noqa: E402 - after the alias
from aiosfstream.client import Client  # noqa: E402 - as above
from aiosfstream.exceptions import ServerError  # noqa: E402 - as above
from aiosfstream.replay import ReplayMarker, ReplayOption  # noqa: E402 - as above

if TYPE_CHECKING:
    from collections.abc import MutableMapping

CHANNEL = "/data/OpportunityChangeEvent"


class Login(RefreshTokenAuthenticator):
    """The library's own refresh-token flow, pointed at the sandbox."""

    def __init__(self, salesforce: dict[str, Any]) -> None:
        super().__init__(salesforce["client_id"], salesforce["client_secret"], salesforce["refresh_token"])
        self.sandbox_url: str = salesforce["url"]

    @property
    def _token_url(self) -> str:
        return f"{self.sandbox_url}/services/oauth2/token"


@asynccontextmanager
async def listening(sandbox: LocalSandbox, *channels: str, **options: Any) -> AsyncIterator[Any]:
    client = Client(Login(sandbox.salesforce), connection_timeout=20, **options)
    async with asyncio.timeout(30), client:
        for channel in channels or (CHANNEL,):
            await client.subscribe(channel)
        yield client


class Writer:
    """Writes to the sandbox over REST, as any other program would."""

    def __init__(self, sandbox: LocalSandbox) -> None:
        self.sandbox = sandbox
        rows = sandbox.running.org.table("Opportunity").live()
        self.ids = [row["Id"] for row in rows if row["StageName"] == "Negotiation/Review"]

    async def close_won(self, record_id: str) -> None:
        await self._send("PATCH", f"Opportunity/{record_id}", {"StageName": "Closed Won"}, 204)

    async def create(self, object_name: str, fields: dict[str, Any]) -> None:
        await self._send("POST", object_name, fields, 201)

    async def _send(self, method: str, path: str, body: dict[str, Any], status: int) -> None:
        org = self.sandbox.running.org
        headers = {"Authorization": f"Bearer {org.sessions.open(org.actor.user_id).token}"}
        url = f"{self.sandbox.salesforce['url']}/services/data/v67.0/sobjects/{path}"
        session = self.sandbox.salesforce_control.session
        async with session.request(method, url, json=body, headers=headers) as response:
            assert response.status == status, await response.text()


@pytest.fixture
def writer(sandbox: LocalSandbox) -> Writer:
    return Writer(sandbox)


def record_of(message: dict[str, Any]) -> str:
    payload = message["data"]["payload"]
    assert payload["StageName"] == "Closed Won"
    [record_id] = payload["ChangeEventHeader"]["recordIds"]
    return str(record_id)


async def test_it_receives_the_change_events_of_real_writes(sandbox: LocalSandbox, writer: Writer) -> None:
    async with listening(sandbox) as client:
        for record_id in writer.ids:
            await writer.close_won(record_id)
        assert [record_of(await client.receive()) for _ in writer.ids] == writer.ids


async def test_a_new_client_goes_on_from_the_stored_replay_id(sandbox: LocalSandbox, writer: Writer) -> None:
    stored: MutableMapping[str, ReplayMarker] = {}
    first, second, third = writer.ids[:3]
    async with listening(sandbox, replay=stored) as client:
        await writer.close_won(first)
        assert record_of(await client.receive()) == first
    await writer.close_won(second)
    async with listening(sandbox, replay=stored) as client:
        await writer.close_won(third)
        assert [record_of(await client.receive()) for _ in range(2)] == [second, third]


async def test_all_retained_events_are_replayed(sandbox: LocalSandbox, writer: Writer) -> None:
    for record_id in writer.ids:
        await writer.close_won(record_id)
    async with listening(sandbox, replay=ReplayOption.ALL_EVENTS) as client:
        assert [record_of(await client.receive()) for _ in writer.ids] == writer.ids


async def test_it_recovers_from_a_dropped_session_and_misses_nothing(
    sandbox: LocalSandbox, writer: Writer
) -> None:
    first, second = writer.ids[:2]
    async with listening(sandbox, replay={}) as client:
        await writer.close_won(first)
        assert record_of(await client.receive()) == first
        await sandbox.salesforce_control.fault("drop_session")
        await writer.close_won(second)
        assert record_of(await client.receive()) == second


async def test_it_logs_in_again_when_its_token_has_ended(sandbox: LocalSandbox, writer: Writer) -> None:
    first, second = writer.ids[:2]
    async with listening(sandbox, replay={}) as client:
        await writer.close_won(first)
        assert record_of(await client.receive()) == first
        sandbox.running.org.expire_sessions()
        await writer.close_won(second)
        assert record_of(await client.receive()) == second


async def test_an_expired_replay_id_is_an_error_that_it_understands(
    sandbox: LocalSandbox, writer: Writer
) -> None:
    stored: MutableMapping[str, ReplayMarker] = {CHANNEL: ReplayMarker("0", 17)}
    with pytest.raises(ServerError, match="The replayId 17 you provided was invalid"):
        async with listening(sandbox, replay=stored):
            pass
    await writer.close_won(writer.ids[0])
    fallback = ReplayOption.ALL_EVENTS
    async with listening(sandbox, replay=stored, replay_fallback=fallback) as client:
        assert record_of(await client.receive()) == writer.ids[0]


async def test_it_receives_pushtopics_and_platform_events_and_goes_on_from_each(
    sandbox: LocalSandbox, writer: Writer
) -> None:
    topic, event = "/topic/WonDeals", "/event/Deal_Closed__e"
    field = {"Opportunity_Id__c": {"type": "string", "length": 18}}
    await sandbox.salesforce_control.call("POST", "org/declare", {"Deal_Closed__e": {"fields": field}})
    query = "SELECT Id, StageName FROM Opportunity WHERE StageName = 'Closed Won'"
    await writer.create("PushTopic", {"Name": "WonDeals", "Query": query, "ApiVersion": 67.0})
    stored: MutableMapping[str, ReplayMarker] = {}

    async def deal(record_id: str) -> None:
        await writer.close_won(record_id)
        await writer.create("Deal_Closed__e", {"Opportunity_Id__c": record_id})

    async def both(client: Any) -> dict[str, Any]:
        return {
            message["channel"]: message["data"]
            for message in [await client.receive(), await client.receive()]
        }

    first, second = writer.ids[:2]
    async with listening(sandbox, topic, event, replay=stored) as client:
        await deal(first)
        heard = await both(client)
        assert heard[topic]["sobject"] == {"Id": first, "StageName": "Closed Won"}
        assert heard[event]["payload"]["Opportunity_Id__c"] == first
    assert set(stored) == {topic, event}
    await deal(second)
    async with listening(sandbox, topic, event, replay=stored) as client:
        heard = await both(client)
        assert heard[topic]["sobject"]["Id"] == heard[event]["payload"]["Opportunity_Id__c"] == second
