"""Change events of any number of channels as a stream of batches, over CometD, until it is stopped."""

import asyncio
from collections.abc import AsyncGenerator, Coroutine, Mapping
from typing import Any, TypeVar

from connectors.errors import AuthenticationError, SyncError
from connectors.salesforce import outages, stream_refusing
from connectors.salesforce.models import Batch
from connectors.salesforce.outages import Outages, Pace
from connectors.salesforce.places import Places
from connectors.salesforce.rest import Salesforce
from connectors.salesforce.session import Event, Session
from connectors.salesforce.stream_refusing import TokenRefused

ReplayRejected = stream_refusing.ReplayRejected
PlacesLost = stream_refusing.PlacesLost
ChannelRefused = stream_refusing.ChannelRefused

_T = TypeVar("_T")


class _Stopped(Exception):  # noqa: N818 - an interruption, not an error
    """The stop event was set."""


class ChangeStream:
    """The change events of one org.

    Asking for the next batch says that the one before is durable: only then the positions move, and only then
    the next long poll is sent. A consumer that takes more than 40 seconds over a batch loses the session;
    that costs a handshake and a replay from the last durable position, and no event.

    `on_outage(error)` and `on_recovery()` are called once each per outage and may be coroutines.
    """

    def __init__(
        self,
        salesforce: Salesforce,
        stop: asyncio.Event | None = None,
        *,
        on_outage: outages.OnOutage | None = None,
        on_recovery: outages.OnRecovery | None = None,
        pace: Pace | None = None,
    ) -> None:
        self._salesforce = salesforce
        self._stop = stop or asyncio.Event()
        self._outages = Outages(pace or Pace(), on_outage, on_recovery)
        self._session: Session | None = None
        self._is_token_suspect = False

    async def batches(self, positions: Mapping[str, str | None]) -> AsyncGenerator[Batch, None]:
        """Batches of the channels in `positions`, each after its replay id, until the stop event.

        None or "-1" for a replay id: the channel has no place yet, so each session brings its new events
        only, until the first of them is durable. An empty batch says that a session, the first or another,
        has subscribed all channels: what happened meanwhile on a channel without a place can be looked for
        elsewhere now, and the next batch is polled only when it is asked for. To be used in `aclosing`.

        Raises ReplayRejected, PlacesLost, ChannelRefused, and AuthenticationError when even a fresh token is
        refused. All other trouble is waited out. Cancelling a wait for the next batch ends the stream.
        """
        if not positions:
            raise ValueError("no channel to listen to")
        places, is_cancelled = Places(positions), False
        try:
            while True:
                session = self._session
                if session is None:
                    await self._unless_stopped(self._open(places))
                    yield Batch()
                elif events := await self._unless_stopped(self._polled(session)):
                    yield Batch(tuple(events))
                    places.advance(events)
        except _Stopped:
            return
        except asyncio.CancelledError:
            is_cancelled = True
            raise
        finally:
            await self._drop(politely=not is_cancelled)

    async def _open(self, places: Places) -> None:
        """A session with all channels subscribed, however long that takes."""
        while self._session is None:
            session = self._session = await Session(self._salesforce).__aenter__()
            try:
                await session.open(places.to_subscribe())
            except SyncError as error:
                await self._drop(politely=False)
                await self._endure(error, session)

    async def _polled(self, session: Session) -> list[Event]:
        """The events of one poll. A failed one may have lost some: the session is given up."""
        await asyncio.sleep(session.advice.interval.total_seconds())
        try:
            events = await session.poll()
        except SyncError as error:
            await self._drop(politely=False)
            await self._endure(error, session)
            return []
        if session.advice.reconnect == "retry":
            self._is_token_suspect = False
            await self._outages.ended()
        return events

    async def _endure(self, error: SyncError, session: Session) -> None:
        """Waits before the next attempt, or raises what waiting cannot mend."""
        if isinstance(error, TokenRefused) and session.grant is not None and not self._is_token_suspect:
            self._is_token_suspect = True
            await self._salesforce.auth.refused(session.grant)
            return
        if isinstance(error, AuthenticationError | ReplayRejected | PlacesLost | ChannelRefused):
            raise error
        await asyncio.sleep((await self._outages.began(error)).total_seconds())

    async def _drop(self, *, politely: bool) -> None:
        session, self._session = self._session, None
        if session is not None:
            try:
                if politely:
                    await session.leave()
            finally:
                await session.__aexit__(None, None, None)

    async def _unless_stopped(self, work: Coroutine[Any, Any, _T]) -> _T:
        """The result of `work`; raises _Stopped, and cancels it, when the stop event is set first."""
        working = asyncio.create_task(work, name="salesforce-stream-exchange")
        stopping = asyncio.create_task(self._stop.wait(), name="salesforce-stream-stop")
        try:
            await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                return working.result()
            raise _Stopped
        finally:
            working.cancel()
            stopping.cancel()
            await asyncio.gather(working, stopping, return_exceptions=True)
