"""A real PostgreSQL for the session and a database of its own for each test."""

import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import asyncpg
import pytest

from state import database, embedded, migrations
from state.database import Pool

_SHARED_MEMORY, _ROOM = Path("/dev/shm"), 4 << 30


def in_database(url: str, name: str) -> str:
    """The same server, another database."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


@pytest.fixture(scope="session")
def database_server() -> Iterator[str]:
    """The URL of a server for the whole session: M3SYNC_TEST_DATABASE_URL, or an embedded one."""
    if url := os.environ.get("M3SYNC_TEST_DATABASE_URL"):
        yield url
        return
    # short: subprocesses reach the socket by its path
    directory = Path(tempfile.mkdtemp(prefix="m3sync-tests-", dir=_in_memory()))
    member = embedded.Member(directory)
    try:
        url = member.join()
        _outside(_statements(url, "ALTER SYSTEM SET fsync = off", "SELECT pg_reload_conf()"))
        yield url
    finally:
        member.leave()
        shutil.rmtree(directory)


@pytest.fixture(scope="session")
def database_template(database_server: str) -> Iterator[str]:
    """The name of a migrated, empty database that each test's own is cloned from."""
    name = f"m3sync_template_{uuid4().hex[:12]}"
    _outside(_statements(database_server, f"CREATE DATABASE {name}"))
    _outside(migrations.migrate(in_database(database_server, name)))
    yield name
    _outside(_statements(database_server, f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture
async def empty_database_url(database_server: str) -> AsyncIterator[str]:
    """A database of the test's own, without the schema."""
    async with own_database(database_server, "template1") as url:
        yield url


@pytest.fixture
async def database_url(database_server: str, database_template: str) -> AsyncIterator[str]:
    """A migrated database of the test's own, good in child processes too."""
    async with own_database(database_server, database_template) as url:
        yield url


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[Pool]:
    """A pool on the test's own database."""
    async with database.connect(database_url) as pool:
        yield pool


def _in_memory() -> Path | None:
    """Where files cost least, if there is room: each test makes and drops a database of a thousand files."""
    try:
        fits = shutil.disk_usage(_SHARED_MEMORY).free > _ROOM and os.access(_SHARED_MEMORY, os.W_OK)
    except OSError:
        return None
    return _SHARED_MEMORY if fits else None


@asynccontextmanager
async def own_database(server: str, template: str) -> AsyncIterator[str]:
    name = f"m3sync_test_{uuid4().hex[:12]}"
    await _statements(server, f"CREATE DATABASE {name} TEMPLATE {template}")
    try:
        yield in_database(server, name)
    finally:
        await _statements(server, f"DROP DATABASE {name} WITH (FORCE)")


async def _statements(url: str, *statements: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


def _outside(work: Coroutine[Any, Any, Any]) -> None:
    """Run to the end in a loop of its own, outside of any test's loop."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, work).result()
