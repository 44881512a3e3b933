"""The way into PostgreSQL: a pool that survives restarts, transactions, and clear words when it is away."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import urlsplit

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from state import storable
from state.errors import DatabaseUnavailable
from state.outages import FAILURES, explaining

if TYPE_CHECKING:  # the driver's classes are generic to the type checker only
    Pool: TypeAlias = asyncpg.Pool[asyncpg.Record]
    Connection: TypeAlias = asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]
else:
    Pool = asyncpg.Pool
    Connection = asyncpg.Connection | PoolConnectionProxy
Db: TypeAlias = Pool | Connection
Row: TypeAlias = asyncpg.Record

OLDEST_SERVER = 140000  # PostgreSQL 14
_REACH = timedelta(seconds=10)
_ANSWER = timedelta(seconds=30)
_SESSION = {
    "application_name": "m3sync",
    "timezone": "UTC",
    "statement_timeout": "30s",
    "idle_in_transaction_session_timeout": "60s",
    "jit": "off",
    "plan_cache_mode": "force_custom_plan",  # statements with optional filters need a plan for what was given
}


@asynccontextmanager
async def connect(url: str, *, min_size: int = 1, max_size: int = 12) -> AsyncIterator[Pool]:
    """A pool on the database at `url`, with jsonb as Python objects (Decimal) and times in UTC.

    Raises DatabaseUnavailable naming the cause: host, password, database, rights, version.
    """
    _check_url(url)
    with explaining(url):
        pool = await asyncpg.create_pool(
            url,
            min_size=min_size,
            max_size=max_size,
            timeout=_REACH.total_seconds(),
            command_timeout=_ANSWER.total_seconds(),
            server_settings=_SESSION,
            init=_set_up,
            reset=_leave,
        )
    try:
        with explaining(url):
            await _check_server(pool)
        yield pool
    finally:
        await _close(pool)


def _check_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        is_sound = parts.scheme in ("postgresql", "postgres") and parts.port != 0
    except ValueError:
        is_sound = False
    if not is_sound:
        raise DatabaseUnavailable(
            "database.url is not the URL of a PostgreSQL database.",
            "Write it as postgresql://USER:PASSWORD@HOST:PORT/DATABASE.",
        )


async def _set_up(connection: Connection) -> None:
    await connection.set_type_codec(
        "jsonb",
        schema="pg_catalog",
        encoder=storable.encode_json,
        decoder=storable.decode_json,
    )


async def _leave(_connection: Connection) -> None:
    """Nothing: asyncpg itself rolls back what was left open, and whoever changes a session besides (LISTEN, a
    session's lock) changes it back or ends it. Its general reset is a round trip for every statement."""


async def _check_server(pool: Pool) -> None:
    version = int(await pool.fetchval("SELECT current_setting('server_version_num')"))
    oldest = OLDEST_SERVER // 10000
    if version < OLDEST_SERVER:
        raise DatabaseUnavailable(
            f"The PostgreSQL server is version {version // 10000}, m3sync needs {oldest} or newer.",
            "Upgrade the server, or leave database.url out to use the embedded one.",
        )


async def _close(pool: Pool) -> None:
    try:
        async with asyncio.timeout(5):
            await pool.close()
    except FAILURES:
        pool.terminate()


@asynccontextmanager
async def transaction(db: Db) -> AsyncIterator[Connection]:
    """All or nothing; on a connection already in a transaction it is a savepoint."""
    async with connection(db) as session:
        step = session.transaction()
        with explaining():
            await step.start()
        try:
            yield session
        except BaseException:
            with suppress(*FAILURES):  # a lost connection has rolled back by itself
                await step.rollback()
            raise
        with explaining():
            await step.commit()


@asynccontextmanager
async def connection(db: Db) -> AsyncIterator[Connection]:
    """One session, of the pool unless it is one already."""
    if not isinstance(db, asyncpg.Pool):
        yield db
        return
    with explaining():
        session = await db.acquire(timeout=_ANSWER.total_seconds())
    try:
        yield session
    finally:
        with suppress(*FAILURES):  # the pool throws a lost connection away
            await db.release(session)


async def fetch(db: Db, statement: str, *values: Any) -> list[Row]:
    """All rows of one statement."""
    with explaining():
        return await db.fetch(statement, *storable.values(values))


async def fetch_one(db: Db, statement: str, *values: Any) -> Row | None:
    """The first row of one statement, or None."""
    with explaining():
        return await db.fetchrow(statement, *storable.values(values))


async def fetch_value(db: Db, statement: str, *values: Any) -> Any:
    """The first column of the first row, or None."""
    with explaining():
        return await db.fetchval(statement, *storable.values(values))


async def execute(db: Db, statement: str, *values: Any) -> int:
    """Run one statement; gives how many rows it touched."""
    with explaining():
        tag = await db.execute(statement, *storable.values(values))
    last = tag.rsplit(" ", 1)[-1]
    return int(last) if last.isdigit() else 0
