"""One CometD session: handshake, subscriptions, long polls, goodbye. It is never mended, only replaced."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from types import TracebackType
from typing import Any, Self

from connectors import http, transport
from connectors.errors import SyncError, TransientError
from connectors.exchange import Grant, Limits, Repeatable, Request, Response
from connectors.refusals import Dialect
from connectors.salesforce import bayeux, decoding, models, refusing
from connectors.salesforce.bayeux import Advice, Answer
from connectors.salesforce.rest import Salesforce
from connectors.salesforce.stream_refusing import PlacesLost, SessionLost, error_for
from connectors.wire import Json

Event = models.Event

_MARGIN = timedelta(seconds=15)  # what an answer may be late beyond the time that the server holds a connect
_GOODBYE = timedelta(seconds=2)
# Answers of more than 1 MiB have been seen, and an event has 1 MB at most. Held and decoded, an answer takes
# some eight times its size.
_LIMITS = Limits(answer=timedelta(seconds=30), attempts=1, max_body=8 * 1024 * 1024)


def _is_protocol(response: Response) -> bool:
    return 200 <= response.status < 300 or bayeux.is_bayeux(response.body)


_DIALECT = Dialect(refusing.DIALECT.read, refusing.DIALECT.refusals, accepts=_is_protocol)


class Session:
    """Cookies, client id and advice of one handshake.

    After any failure its state at the server is unknown, and what was in a lost answer is gone: the caller
    opens another one and replays.
    """

    def __init__(self, salesforce: Salesforce) -> None:
        self.advice = Advice()
        self.grant: Grant | None = None  # what the last exchange was authorized with
        self._auth = salesforce.auth
        self._path = f"/cometd/{salesforce.credential.api_version}/"
        options = http.Options(_LIMITS, _DIALECT, cookies=True)
        self._http = http.Http(
            system="Salesforce streaming", base_url=salesforce.credential.url, options=options
        )
        self._client_id = ""
        self._channels: tuple[str, ...] = ()
        self._has_connected = False
        self._early: list[Event] = []

    async def __aenter__(self) -> Self:
        await self._http.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.__aexit__(kind, error, trace)

    async def open(self, positions: Mapping[str, str]) -> None:
        """Handshakes and subscribes to every channel after its replay id.

        Raises TokenRefused, SessionLost, ReplayRejected, PlacesLost, ChannelRefused, TransientError.
        """
        handshaken = (await self._post([bayeux.handshake()])).reply_to(bayeux.HANDSHAKE)
        self._heed(handshaken)
        if not handshaken.client_id:
            raise TransientError("Salesforce's streaming server opens a session without a client id.")
        self._client_id, self._channels = handshaken.client_id, tuple(positions)
        for messages in bayeux.subscribes(self._client_id, positions):
            answer = await self._told(messages)
            for channel in (message["subscription"] for message in messages):
                self._heed(answer.reply_to_subscription(channel), channel, positions[channel])
            self._early += _decoded(answer)

    async def poll(self) -> list[Event]:
        """The events of the next connect, in the server's order; none when it was held in vain.

        Raises TokenRefused, SessionLost, PlacesLost, TransientError.
        """
        if self.advice.reconnect != "retry":
            raise SessionLost("Salesforce's streaming server asks for a new session.")
        is_first, self._has_connected = not self._has_connected, True
        message = bayeux.connect(self._client_id, is_first=is_first)
        answer = await self._told([message], within=self.advice.timeout + _MARGIN)
        events, self._early = [*self._early, *_decoded(answer)], []
        connected = answer.reply_to(bayeux.CONNECT)
        if connected.successful or not events:
            self._heed(connected)
        if answer.ends_subscriptions:
            self.advice = replace(self.advice, reconnect="handshake")
        return events

    async def leave(self) -> None:
        """Tells the server that the session is over, if it listens."""
        if not self._client_id:
            return
        client_id, self._client_id = self._client_id, ""
        try:
            async with asyncio.timeout(_GOODBYE.total_seconds()):  # with the token that it may take
                await self._post([bayeux.disconnect(client_id)])
        except (SyncError, TimeoutError):
            return  # it ends by itself in 40 seconds

    def _heed(self, reply: bayeux.Reply, channel: str = "", replay_id: str = "") -> None:
        self.advice = self.advice.revised(reply.advice)
        if reply.successful:
            return
        error = error_for(reply, channel, replay_id)
        if isinstance(error, TransientError):
            error.retry_after = max(
                error.retry_after or timedelta(0), Advice().revised(reply.advice).interval
            )
        raise error

    async def _told(self, messages: list[dict[str, Any]], within: timedelta | None = None) -> Answer:
        """As `_post`, where the answer may bring events."""
        try:
            return await self._post(messages, within)
        except TransientError as error:
            if error.code == transport.TOO_LARGE:
                raise PlacesLost(self._channels, error) from error
            raise

    async def _post(self, messages: list[dict[str, Any]], within: timedelta | None = None) -> Answer:
        self.grant = await self._auth.grant()
        body: Json = list(messages)
        request = Request("POST", self._path, json=body, repeatable=Repeatable.NEVER, answer_within=within)
        response = await self._http.send(request, authorize=self._auth)
        return bayeux.read(response.body)


def _decoded(answer: Answer) -> list[Event]:
    return [decoding.decode(channel, data) for channel, data in answer.events]
