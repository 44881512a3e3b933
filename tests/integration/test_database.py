"""The way into PostgreSQL: what a value becomes, why a database refuses, and what a lost connection does."""

import asyncio
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import uuid4

import asyncpg
import pytest

from state import database, migrations
from state.database import Connection, Pool
from state.errors import DatabaseUnavailable
from tests.databases import in_database

Peer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def listening(peer: Peer) -> AsyncIterator[str]:
    """A server on a free port that is not PostgreSQL; gives a URL that leads there."""
    served = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served.add(asyncio.current_task())
        await peer(reader, writer)
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        yield f"postgresql://someone:s3cret@127.0.0.1:{port}/m3sync?sslmode=disable"
    await asyncio.gather(*filter(None, served))


def refusing(code: str) -> Peer:
    """A server that answers every start-up with this error code."""

    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        (length,) = struct.unpack("!i", await reader.readexactly(4))
        await reader.readexactly(length - 4)
        fields = b"SFATAL\0VFATAL\0C" + code.encode() + b"\0Mthe server's own words\0\0"
        writer.write(b"E" + struct.pack("!i", 4 + len(fields)) + fields)
        await writer.drain()

    return peer


async def refusal(url: str) -> DatabaseUnavailable:
    with pytest.raises(DatabaseUnavailable) as raised:
        async with database.connect(url):
            pass
    assert raised.value.instruction
    assert "s3cret" not in str(raised.value)
    return raised.value


@pytest.mark.parametrize(
    ("code", "reason", "instruction"),
    [
        ("28P01", "refuses this user or password", "user and password"),
        ("28000", "refuses this user or password", "pg_hba.conf"),
        ("3D000", "no such database", "Create it"),
        ("42501", "enough rights", "Grant"),
        ("53300", "no connection left", "max_connections"),
        ("57P03", "is not available", "goes on by itself"),
    ],
)
async def test_each_refusal_is_named_with_what_to_do(code: str, reason: str, instruction: str) -> None:
    async with listening(refusing(code)) as url:
        error = await refusal(url)
    assert reason in error.reason
    assert "the server's own words" in error.reason
    assert "127.0.0.1" in error.reason
    assert instruction in error.instruction


async def test_an_unknown_host_is_named() -> None:
    assert "no such host" in (await refusal("postgresql://u:s3cret@no-such-host.invalid/m3sync")).reason


async def test_a_closed_port_is_named() -> None:
    async with listening(refusing("28P01")) as url:
        pass
    assert "nothing listens there" in (await refusal(url)).reason


async def test_a_server_that_never_answers_is_not_waited_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    async def silence(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            await reader.read()

    monkeypatch.setattr(database, "_REACH", timedelta(milliseconds=200))
    async with listening(silence) as url:
        assert "did not answer in time" in (await refusal(url)).reason


@pytest.mark.parametrize("url", ["not a url", "mysql://u@h/d", "postgresql://u@h:port/d"])
async def test_a_malformed_url_is_named(url: str) -> None:
    assert "database.url" in str(await refusal(url))


async def test_a_missing_database_is_named_by_a_real_server(database_server: str) -> None:
    error = await refusal(in_database(database_server, "no_such_database"))
    assert 'database "no_such_database" does not exist' in error.reason


async def test_too_old_a_server_is_refused(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "OLDEST_SERVER", 990000)
    assert "needs 99 or newer" in (await refusal(database_url)).reason


async def test_a_user_without_rights_is_told_when_the_schema_is_made(empty_database_url: str) -> None:
    role = f"poor_{uuid4().hex}"
    connection = await asyncpg.connect(empty_database_url)
    try:
        await connection.execute(f"CREATE ROLE {role}; SET ROLE {role}")
        with pytest.raises(DatabaseUnavailable, match="enough rights"):
            await migrations.migrate(connection)
        await connection.execute(f"RESET ROLE; DROP ROLE {role}")
    finally:
        await connection.close()


async def test_a_pool_survives_the_loss_of_all_its_connections(db: Pool, database_url: str) -> None:
    slow = asyncio.create_task(database.execute(db, "SELECT pg_sleep(60)"))
    killer = await asyncpg.connect(database_url)
    try:
        others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
        async with asyncio.timeout(30):
            while not await killer.fetch(
                others + "AND query LIKE '%pg_sleep(60)%' AND pid <> pg_backend_pid()"
            ):
                assert not slow.done()
    finally:
        await killer.close()
    with pytest.raises(DatabaseUnavailable):
        await slow
    async with asyncio.timeout(30):
        while True:
            with suppress(DatabaseUnavailable):
                assert await database.fetch_value(db, "SELECT 1") == 1
                break


async def test_a_transaction_keeps_all_or_nothing_even_when_the_connection_is_lost(db: Pool) -> None:
    async def lose() -> None:
        async with database.transaction(db) as tx:
            await tx.execute("CREATE TABLE half (n integer)")
            await db.execute("SELECT pg_terminate_backend($1)", tx.get_server_pid())
            await database.execute(tx, "SELECT 1")

    with pytest.raises(DatabaseUnavailable):
        await lose()
    assert await db.fetchval("SELECT to_regclass('half')") is None


@pytest.mark.parametrize("failure", [OSError("mine"), TimeoutError(), ValueError(), asyncio.CancelledError()])
async def test_a_transaction_hands_on_the_failures_of_its_body(db: Pool, failure: BaseException) -> None:
    async def fail() -> None:
        async with database.transaction(db) as tx:
            await tx.execute("CREATE TABLE half (n integer)")
            raise failure

    with pytest.raises(type(failure)) as raised:
        await fail()
    assert raised.value is failure
    assert await db.fetchval("SELECT to_regclass('half')") is None


async def test_an_inner_transaction_fails_by_itself(db: Pool) -> None:
    async def fail(tx: Connection) -> None:
        async with database.transaction(tx) as inner:
            await inner.execute("INSERT INTO kept VALUES (1)")
            raise ZeroDivisionError

    async with database.transaction(db) as tx:
        await tx.execute("CREATE TABLE kept (n integer)")
        with pytest.raises(ZeroDivisionError):
            await fail(tx)
    assert await db.fetchval("SELECT count(*) FROM kept") == 0


async def test_misuse_and_wrong_values_are_not_taken_for_an_outage(db: Pool) -> None:
    with pytest.raises(asyncpg.UndefinedTableError):
        await database.fetch(db, "SELECT * FROM nowhere")
    with pytest.raises(asyncpg.DataError):
        await database.fetch(db, "SELECT $1::integer", "one")
    with pytest.raises(asyncpg.InterfaceError):
        await database.fetch(db, "SELECT $1::integer", 1, 2)


async def test_money_in_json_stays_exact_and_times_are_in_utc(db: Pool) -> None:
    value = {"amount": Decimal("1000.10"), "tiny": Decimal("0.1"), "many": [1, "two", None, True]}
    found = await database.fetch_value(db, "SELECT $1::jsonb", value)
    assert found == value
    assert isinstance(found["amount"], Decimal)
    moment = await database.fetch_value(db, "SELECT '2026-11-21 10:00+02'::timestamptz")
    assert (moment, moment.tzinfo) == (datetime(2026, 11, 21, 8, tzinfo=UTC), UTC)


@pytest.mark.parametrize(
    ("hostile", "kept"),
    [
        ("nul \0 byte", "nul \ufffd byte"),
        ("half a pair \ud83d", "half a pair \ufffd"),
        ("backslash \\u0000", "backslash \\u0000"),
        ("whole \U0001f600 é", "whole \U0001f600 é"),
        ("'; DROP TABLE runs; --", "'; DROP TABLE runs; --"),
    ],
)
async def test_hostile_text_is_stored_all_the_same(db: Pool, hostile: str, kept: str) -> None:
    assert await database.fetch_value(db, "SELECT $1::text", hostile) == kept
    assert await database.fetch_value(db, "SELECT $1::text[]", [hostile]) == [kept]
    assert await database.fetch_value(db, "SELECT $1::jsonb", {hostile: [hostile]}) == {kept: [kept]}


async def test_statements_have_a_deadline(db: Pool) -> None:
    assert await db.fetchval("SHOW statement_timeout") == "30s"
    assert await db.fetchval("SHOW idle_in_transaction_session_timeout") == "1min"
