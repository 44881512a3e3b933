"""The embedded server: started, joined, left, and found again after a crash."""

import asyncio
import os
import stat
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import psutil
import pytest

from state import database, embedded
from state.database import Pool
from state.errors import DatabaseUnavailable

# Another m3sync process: joins the server, says so, and leaves when its input ends.
MEMBER = """
import asyncio, sys
from pathlib import Path
from state import database, embedded

async def main():
    async with embedded.server(Path(sys.argv[1])) as url, database.connect(url) as db:
        print(await db.fetchval("SELECT pg_postmaster_start_time()::text"), flush=True)
        await asyncio.to_thread(sys.stdin.read)

asyncio.run(main())
"""


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[Path]:
    """A state directory; whatever server a failing test leaves there is ended."""
    yield tmp_path
    for process in servers(tmp_path):
        process.kill()


def servers(home: Path) -> list[psutil.Process]:
    """Every process that works in a data directory below `home`."""
    found = []
    for process in psutil.process_iter():
        try:
            if Path(process.cwd()).is_relative_to(home):
                found.append(process)
        except (psutil.Error, OSError):
            continue
    return found


@asynccontextmanager
async def member(home: Path) -> AsyncIterator["tuple[asyncio.subprocess.Process, str]"]:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", MEMBER, str(home), stdin=pipe, stdout=pipe
    )
    assert process.stdout is not None
    assert process.stdin is not None
    started_at = (await process.stdout.readline()).decode().strip()
    assert started_at
    yield process, started_at
    process.stdin.close()
    await process.wait()


async def started_at(url: str) -> str:
    async with database.connect(url) as db:
        return str(await db.fetchval("SELECT pg_postmaster_start_time()::text"))


async def test_the_server_starts_keeps_its_data_and_leaves_no_process(home: Path) -> None:
    async with embedded.server(home) as url, database.connect(url) as db:
        await db.execute("CREATE TABLE kept (n integer); INSERT INTO kept VALUES (42)")
        assert servers(home)
    assert servers(home) == []
    async with embedded.server(home) as url, database.connect(url) as db:
        assert await db.fetchval("SELECT n FROM kept") == 42
        assert await db.fetchval("SHOW fsync") == "on"
        assert await db.fetchval("SHOW listen_addresses") == ""
        assert await db.fetchval("SELECT version()") > "PostgreSQL 18"


async def test_only_the_owner_can_enter(home: Path) -> None:
    async with embedded.server(home):
        data = home / "postgres" / "data"
        assert stat.S_IMODE((home / "postgres").stat().st_mode) == 0o700
        assert stat.S_IMODE(data.stat().st_mode) == 0o700
        rules = (data / "pg_hba.conf").read_text()
        assert "trust" not in rules
        assert "host" not in rules


async def test_it_keeps_no_file_outside_its_directory(home: Path) -> None:
    async with embedded.server(home) as url, database.connect(url) as db:
        await db.execute("CREATE TABLE numbers AS SELECT generate_series(1, 10000)")
        opened = {Path(file.path) for process in servers(home) for file in process.open_files()}
        assert opened
        assert [path for path in opened if not path.is_relative_to(home)] == []


async def test_processes_share_one_server_and_the_last_one_out_stops_it(home: Path) -> None:
    async with member(home) as (_, first), member(home) as (_, second):
        assert first == second
        async with embedded.server(home) as url:
            assert await started_at(url) == first
        assert servers(home)
    assert servers(home) == []


async def test_the_server_outlives_the_process_that_started_it(home: Path) -> None:
    async with member(home) as (starter, first):
        async with embedded.server(home) as url:
            assert starter.stdin is not None
            starter.stdin.close()
            await starter.wait()
            assert await started_at(url) == first
        assert servers(home) == []


async def test_a_server_left_behind_by_a_killed_process_is_joined_and_then_stopped(home: Path) -> None:
    async with member(home) as (daemon, first):
        daemon.kill()
        await daemon.wait()
        assert servers(home)
        async with embedded.server(home) as url:
            assert await started_at(url) == first
        assert servers(home) == []


async def test_a_server_that_died_with_its_machine_is_started_again(home: Path) -> None:
    async with embedded.server(home) as url, database.connect(url) as db:
        await db.execute("CREATE TABLE kept (n integer)")
        pid_file = home / "postgres" / "data" / "postmaster.pid"
        stale = pid_file.read_text()
    pid_file.write_text(stale.replace(stale.split("\n")[0], str(os.getpid()), 1))  # now another's number
    async with embedded.server(home) as url, database.connect(url) as db:
        assert await db.fetchval("SELECT count(*) FROM kept") == 0


async def test_a_server_killed_outright_is_started_again_and_keeps_what_was_committed(home: Path) -> None:
    async with embedded.server(home) as url, database.connect(url) as db:
        await db.execute("CREATE TABLE kept AS SELECT 7 AS n")
        for process in servers(home):
            process.kill()
        async with asyncio.timeout(30):
            assert await eventually(db, "SELECT n FROM kept") == 7
    assert servers(home) == []


async def eventually(db: Pool, statement: str) -> object:
    """What the statement gives once the database is there again."""
    away = asyncio.Event()
    while True:
        try:
            return await database.fetch_value(db, statement)
        except DatabaseUnavailable:
            with suppress(TimeoutError):
                await asyncio.wait_for(away.wait(), 0.05)


async def test_an_interrupt_of_the_terminal_does_not_reach_the_server(home: Path) -> None:
    async with embedded.server(home):
        (postmaster, *_) = sorted(servers(home), key=lambda process: process.create_time())
        assert os.getsid(postmaster.pid) == postmaster.pid
        assert os.getpgid(postmaster.pid) != os.getpgid(0)


async def test_it_works_below_a_path_too_long_for_a_socket(home: Path) -> None:
    deep = home / ("long" * 20) / ("longer" * 20) / "state, of m3sync"
    async with embedded.server(deep) as url, database.connect(url) as db:
        assert await db.fetchval("SELECT 1") == 1
    assert servers(home) == []


async def test_leaving_while_joining_leaves_nothing_running(home: Path) -> None:
    async def join() -> None:
        async with embedded.server(home):
            await asyncio.Event().wait()

    task = asyncio.create_task(join())
    while not (home / "postgres").exists():  # noqa: ASYNC110 - another thread makes it, and tells nobody
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert servers(home) == []


async def test_another_version_s_data_is_refused_and_left_alone(home: Path) -> None:
    async with embedded.server(home):
        pass
    version = home / "postgres" / "data" / "PG_VERSION"
    version.write_text("17\n")
    with pytest.raises(DatabaseUnavailable, match="PostgreSQL 17 wrote"):
        async with embedded.server(home):
            pass


async def test_a_server_that_does_not_stop_is_named_with_what_to_do(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "_ENDINGS", ())
    with pytest.raises(
        DatabaseUnavailable, match=r"process \d+\) did not stop. End that process, then start"
    ):
        async with embedded.server(home):
            pass


async def test_damaged_settings_are_reported_with_the_server_s_own_words(home: Path) -> None:
    async with embedded.server(home):
        pass
    settings = home / "postgres" / "data" / "postgresql.conf"
    settings.write_text(settings.read_text() + "no_such_setting = on\n")
    with pytest.raises(DatabaseUnavailable, match="no_such_setting"):
        async with embedded.server(home):
            pass
    assert servers(home) == []
