"""A bare Bayeux client: posts the messages it is told to, keeps cookies, hides nothing."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import aiohttp

from connectors import wire
from tests.sandboxes import LocalSandbox

Message = dict[str, Any]


@dataclass(slots=True)
class Bayeux:
    """One client of the sandbox's CometD."""

    url: str
    token: str
    http: aiohttp.ClientSession
    client_id: str = ""
    ids: "count[int]" = field(default_factory=lambda: count(1))

    async def post(self, *messages: Message, path: str = "/cometd/67.0/") -> list[Message]:
        """Post messages as they are; gives the replies, fails the test unless the status is 200."""
        status, text = await self.raw(wire.dumps(list(messages)), path=path)
        assert status == 200, text
        replies = wire.loads(text)
        assert isinstance(replies, list)
        return replies

    async def raw(self, body: bytes, *, path: str = "/cometd/67.0/") -> tuple[int, str]:
        """Post bytes; gives the status and the text of the answer."""
        headers = {"Content-Type": "application/json"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        async with self.http.post(self.url + path, data=body, headers=headers) as response:
            return response.status, await response.text()

    async def handshake(self, **more: Any) -> Message:
        """Greet the server; a client id that it gives is kept."""
        asked = {"channel": "/meta/handshake", "version": "1.0", "supportedConnectionTypes": ["long-polling"]}
        [reply] = await self.post({**asked, "id": str(next(self.ids)), **more})
        self.client_id = reply.get("clientId", "")
        return reply

    async def subscribe(self, channel: str, replay: Any = None) -> Message:
        """Subscribe to one channel, with a replay id when there is one."""
        asked: Message = {"channel": "/meta/subscribe", "subscription": channel, "clientId": self.client_id}
        if replay is not None:
            asked["ext"] = {"replay": {channel: replay}}
        [reply] = await self.post({**asked, "id": str(next(self.ids))})
        return reply

    async def connect(self, **more: Any) -> list[Message]:
        """Wait for events; gives what came, the reply to the connect last."""
        asked = {"channel": "/meta/connect", "connectionType": "long-polling", "clientId": self.client_id}
        return await self.post({**asked, "id": str(next(self.ids)), **more})

    async def events(self) -> list[Message]:
        """The `data` of the events that are there now; does not wait."""
        *messages, reply = await self.connect(advice={"timeout": 0})
        assert reply["successful"], reply
        return [message["data"] for message in messages]

    async def listening_to(self, *channels: str) -> "Bayeux":
        """Handshake, subscribe to new events, and the first connect."""
        assert (await self.handshake())["successful"]
        for channel in channels:
            reply = await self.subscribe(channel)
            assert reply["successful"], reply
        assert await self.events() == []
        return self


@asynccontextmanager
async def client_of(sandbox: LocalSandbox) -> AsyncIterator[Bayeux]:
    """A client with a good token."""
    org = sandbox.running.org
    token = org.sessions.open(org.actor.user_id).token
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)) as http:
        yield Bayeux(sandbox.salesforce["url"], token, http)
