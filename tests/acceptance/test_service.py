"""`m3sync run` as a child process: what it tells its manager, how it waits, and how it ends."""

import asyncio
import json
import re
import signal
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import unquote

import aiohttp
import psutil
import pytest

from tests.acceptance.commands import M3SYNC, Commands, environment
from tests.acceptance.house import until
from tests.acceptance.notified import Notified, listening


@pytest.fixture
async def notified(tmp_path: Path) -> AsyncIterator[Notified]:
    # The path of a socket may have 108 characters, and pytest's own directories are long.
    with tempfile.TemporaryDirectory(prefix="m3n-") as short:
        async with listening(Path(short) / "notify") as found:
            (tmp_path / "notify").symlink_to(Path(short) / "notify")
            yield found


@asynccontextmanager
async def service(m3sync: Commands, **variables: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """`m3sync run`, ended by SIGTERM if it still runs."""
    socket = str((m3sync.directory / "notify").readlink())
    with (m3sync.directory / "log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *(*M3SYNC, "--config", str(m3sync.config), "run"),
            stdout=log,
            stderr=log,
            cwd=m3sync.directory,
            env=environment(NOTIFY_SOCKET=socket, WATCHDOG_USEC="3000000", **variables),
        )
        try:
            yield process
        finally:
            if process.returncode is None:
                process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(90):
                await process.wait()


async def _address(m3sync: Commands) -> str:
    async def logged() -> str:
        found = re.search(r"http://127\.0\.0\.1:\d+", (m3sync.directory / "log").read_text())
        return found.group() if found else ""

    return str(await until(logged))


async def _get(address: str, path: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.get(address + path) as answer:
        return answer.status, await answer.text()


async def test_it_says_ready_feeds_the_watchdog_says_stopping_and_ends_with_0(
    tmp_path: Path, notified: Notified
) -> None:
    m3sync = Commands(tmp_path)
    m3sync.configure(None)
    async with service(m3sync) as process:
        await notified.until("READY=1")
        await notified.until("WATCHDOG=1")
        address = await _address(m3sync)
        assert await _get(address, "/livez") == (200, "live\n")

        async def ready() -> bool:
            return (await _get(address, "/readyz"))[0] == 200

        await until(ready)
        assert (await m3sync.done("status", "--json")).document()["integrations"] == []
        own = psutil.Process(process.pid)
        children = [child.name() for child in own.children(recursive=True)]
        process.send_signal(signal.SIGTERM)
        await notified.until("STOPPING=1")
        async with asyncio.timeout(90):
            await process.wait()
    assert process.returncode == 0
    log = (tmp_path / "log").read_text()
    assert "Traceback" not in log
    assert all("at" in json.loads(line) for line in log.splitlines()), "not a terminal: JSON lines with times"
    left = [line for line in _command_lines() if str(tmp_path / "state") in line]
    assert left == [], children


def _command_lines() -> list[str]:
    return [" ".join(each.info["cmdline"] or []) for each in psutil.process_iter(["cmdline"])]


async def test_without_its_database_it_waits_says_why_and_recovers_by_itself(
    tmp_path: Path, notified: Notified, database_url: str
) -> None:
    """The database is reached through a socket directory that appears only later."""
    m3sync = Commands(tmp_path)
    there, name = re.fullmatch(r".*host=([^&]+).*", database_url), database_url
    if there is None:
        pytest.fail(f"The test database is not reached through a socket: {name}")
    link = tmp_path / "s"
    m3sync.configure(database_url.replace(there[1], str(link)))
    async with service(m3sync) as process:
        address = await _address(m3sync)
        assert (await _get(address, "/livez"))[0] == 200
        status, said = await _get(address, "/readyz")
        assert (status, "PostgreSQL" in said or "starting" in said) == (503, True)
        status, page = await _get(address, "/")
        assert (status, "PostgreSQL" in page or "starting" in page) == (503, True)
        link.symlink_to(unquote(there[1]))

        async def ready() -> bool:
            return (await _get(address, "/readyz"))[0] == 200

        await until(ready, seconds=60)
        await notified.until("READY=1")
    assert process.returncode == 0


async def test_a_configuration_that_cannot_work_ends_with_3_and_says_what_to_do(
    tmp_path: Path, notified: Notified, database_url: str
) -> None:
    m3sync = Commands(tmp_path)
    m3sync.configure(database_url)
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "vault.key").write_text("no key")
    async with service(m3sync) as process, asyncio.timeout(90):
        await process.wait()
    assert process.returncode == 3
    assert str(tmp_path / "state" / "vault.key") in (tmp_path / "log").read_text().replace("\n", "")
    assert "READY=1" not in notified.lines
