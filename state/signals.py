"""Wake-ups through LISTEN and NOTIFY; whoever waits also polls, so a lost one costs time and nothing else."""

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import TypeAlias

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from state import outages
from state.database import Pool
from state.errors import DatabaseUnavailable

PooledConnection: TypeAlias = "PoolConnectionProxy[asyncpg.Record]"
INBOX = "m3sync_inbox"  # a record became due
INTEGRATIONS = "m3sync_integrations"  # an integration, a field mapping or a credential was changed
REREADS = "m3sync_rereads"  # a window is to be read again
ENTITY_RUNS = "m3sync_entity_runs"  # an entity data sync was asked to run, or copies to be written again


@asynccontextmanager
async def listen(db: Pool, channels: Collection[str]) -> AsyncIterator["Signal"]:
    """Hear of what is notified on the channels, over one connection of the pool held meanwhile.

    A database that is away is no error: the signal connects when it is back.
    """
    signal = Signal(db, channels)
    try:
        await signal.try_connect()
        yield signal
    finally:
        await signal.close()


class Signal:
    """What one task waits on; each waiting task has a signal of its own."""

    def __init__(self, db: Pool, channels: Collection[str]) -> None:
        self._db = db
        self._channels = tuple(channels)
        self._heard = asyncio.Event()
        self._connection: PooledConnection | None = None

    async def wait(self, timeout: timedelta) -> bool:
        """Wait until something is notified; False when the time is up first: look anyway.

        True also after the connection was lost or had anew, because something may have been missed.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout.total_seconds()):
                if not self._is_connected() and await self.try_connect():
                    return True
                await self._heard.wait()
        was_heard = self._heard.is_set()
        self._heard.clear()
        return was_heard

    async def try_connect(self) -> bool:
        """Listen on a new connection; False while the database is away."""
        await self.close()
        try:
            with outages.explaining():
                self._connection = await self._listening()
        except DatabaseUnavailable:
            return False
        return True

    async def _listening(self) -> PooledConnection:
        connection = await self._db.acquire()
        try:
            connection.add_termination_listener(self._on_loss)
            for channel in self._channels:
                await connection.add_listener(channel, self._on_word)
        except BaseException:
            await self._give_back(connection)
            raise
        return connection

    async def close(self) -> None:
        """Give the connection back."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await self._give_back(connection)

    async def _give_back(self, connection: PooledConnection) -> None:
        with suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError):  # it is lost, which is as good
            connection.remove_termination_listener(self._on_loss)
            for channel in self._channels:
                await connection.remove_listener(channel, self._on_word)
        await self._db.release(connection)

    def _is_connected(self) -> bool:
        try:
            return self._connection is not None and not self._connection.is_closed()
        except asyncpg.InterfaceError:  # the pool took the lost connection back
            return False

    def _on_word(self, *_: object) -> None:
        self._heard.set()

    def _on_loss(self, *_: object) -> None:
        self._heard.set()
