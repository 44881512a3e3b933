"""The way into PostgreSQL: a pool that survives restarts, transactions, and clear words when it is away."""

import asyncio
import re
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import urlsplit

import asyncpg
import simplejson
from asyncpg.pool import PoolConnectionProxy

from state.errors import DatabaseUnavailable

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
        )
    try:
        with explaining(url):
            await _check_server(pool)
        yield pool
    finally:
        await _close(pool)


async def open_connection(url: str) -> "asyncpg.Connection[asyncpg.Record]":
    """One connection outside any pool, for work that holds it long; the caller closes it."""
    _check_url(url)
    with explaining(url):
        connection = await asyncpg.connect(url, timeout=_REACH.total_seconds(), server_settings=_SESSION)
        await _set_up(connection)
        return connection


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
        encoder=lambda value: simplejson.dumps(value, use_decimal=True, default=str),
        decoder=lambda text: simplejson.loads(text, use_decimal=True),
    )


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
    except (TimeoutError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
        pool.terminate()


@asynccontextmanager
async def transaction(db: Db) -> AsyncIterator[Connection]:
    """All or nothing; on a connection already in a transaction it is a savepoint."""
    async with _connection(db) as connection:
        step = connection.transaction()
        with explaining():
            await step.start()
        try:
            yield connection
        except BaseException:
            with suppress(
                asyncpg.PostgresError, asyncpg.InterfaceError, OSError
            ):  # a lost connection rolled back
                await step.rollback()
            raise
        with explaining():
            await step.commit()


@asynccontextmanager
async def _connection(db: Db) -> AsyncIterator[Connection]:
    if not isinstance(db, asyncpg.Pool):
        yield db
        return
    with explaining():
        connection = await db.acquire(timeout=_ANSWER.total_seconds())
    try:
        yield connection
    finally:
        await db.release(connection)


async def fetch(db: Db, statement: str, *values: Any) -> list[Row]:
    """All rows of one statement."""
    with explaining():
        return await db.fetch(statement, *values)


async def fetch_one(db: Db, statement: str, *values: Any) -> Row | None:
    """The first row of one statement, or None."""
    with explaining():
        return await db.fetchrow(statement, *values)


async def fetch_value(db: Db, statement: str, *values: Any) -> Any:
    """The first column of the first row, or None."""
    with explaining():
        return await db.fetchval(statement, *values)


async def execute(db: Db, statement: str, *values: Any) -> int:
    """Run one statement; gives how many rows it touched."""
    with explaining():
        tag = await db.execute(statement, *values)
    last = tag.rsplit(" ", 1)[-1]
    return int(last) if last.isdigit() else 0


@contextmanager
def explaining(url: str = "") -> Iterator[None]:
    """Turn the driver's connection errors into DatabaseUnavailable; a statement's own errors pass."""
    try:
        yield
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
        explained = _explain(error, url)
        if explained is None:
            raise
        raise explained from error


def _explain(error: Exception, url: str) -> DatabaseUnavailable | None:
    if type(error) is asyncpg.InterfaceError and not _LOST.search(str(error)):
        return None  # misuse of the driver, not an outage
    place = _place(url)
    for kinds, reason, instruction in _CAUSES:
        if isinstance(error, kinds):
            own_words = str(error) or type(error).__name__
            return DatabaseUnavailable(f"{reason.format(place=place)} ({own_words})", instruction)
    return None


def _place(url: str) -> str:
    """Where the URL leads, without user or password."""
    if not url:
        return "PostgreSQL"
    parts = urlsplit(url)
    return f"PostgreSQL at {parts.hostname or 'the local socket'}{f':{parts.port}' if parts.port else ''}"


_LOST = re.compile(r"closed|closing|released back to the pool")  # the driver's words for a connection gone
_START = "Start it, or correct database.url; m3sync goes on by itself once it answers."
_CAUSES: tuple[tuple[tuple[type[Exception], ...], str, str], ...] = (
    (
        (asyncpg.InvalidPasswordError, asyncpg.InvalidAuthorizationSpecificationError),
        "{place} refuses this user or password.",
        "Correct user and password in database.url, or the server's pg_hba.conf.",
    ),
    (
        (asyncpg.InvalidCatalogNameError,),
        "{place} has no such database.",
        "Create it (createdb), or correct the name in database.url.",
    ),
    (
        (asyncpg.InsufficientPrivilegeError,),
        "{place} does not give this user enough rights.",
        "Grant it the database, or make it the owner of its schema (ALTER DATABASE ... OWNER TO ...).",
    ),
    (
        (asyncpg.TooManyConnectionsError,),
        "{place} has no connection left.",
        "Raise max_connections of the server, or end other clients.",
    ),
    (
        (ConnectionRefusedError, FileNotFoundError),
        "{place} refuses connections: nothing listens there.",
        _START,
    ),
    ((TimeoutError,), "{place} did not answer in time.", "Look at the server's load and at the network."),
    (
        (
            *(
                asyncpg.PostgresConnectionError,
                asyncpg.CannotConnectNowError,
                asyncpg.OperatorInterventionError,
            ),
            *(asyncpg.InsufficientResourcesError, asyncpg.ReadOnlySQLTransactionError),
        ),
        "{place} is not available.",
        _START,
    ),
    ((socket.gaierror,), "{place}: no such host is known.", "Correct the host in database.url."),
    (
        (asyncpg.TransactionRollbackError,),
        "{place} undid the transaction, because another wanted the same rows.",
        "Nothing to do: it is tried again.",
    ),
    ((asyncpg.ClientConfigurationError,), "database.url cannot be used.", "Correct database.url."),
    ((asyncpg.InterfaceError,), "The connection to {place} was lost.", _START),
    ((OSError,), "{place} cannot be reached.", "Correct the host in database.url, or look at the network."),
)
