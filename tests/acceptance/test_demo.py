"""The demo as the README promises: up by itself, syncing at once, and gone without a trace."""

import asyncio
import re
import shlex
import signal
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import aiohttp
import psutil
import pytest

from tests.acceptance.commands import M3SYNC, environment
from tests.acceptance.house import until

HINTS = "Ctrl-C ends everything."


class Demo:
    """A running demo in a directory of its own, with what it has printed so far."""

    def __init__(self, directory: Path, process: asyncio.subprocess.Process) -> None:
        self.directory = directory
        self.process = process

    @property
    def said(self) -> str:
        return (self.directory / "said").read_text()

    async def says(self, text: str, seconds: float = 120) -> None:
        """Wait until it has printed this, or has ended."""

        async def is_said() -> bool:
            assert self.process.returncode is None, self.said
            return text in self.said

        try:
            await until(is_said, seconds=seconds)
        except TimeoutError:
            log = self.directory / ".demo" / "m3sync.log"
            pytest.fail(f"it never said {text!r}:\n{self.said}\n{log.read_text() if log.exists() else ''}")

    async def ends(self, how: signal.Signals) -> int:
        """Ask it to end, and give its exit code."""
        self.process.send_signal(how)
        async with asyncio.timeout(90):
            return await self.process.wait()


@asynccontextmanager
async def demo(directory: Path) -> AsyncIterator[Demo]:
    with (directory / "said").open("wb") as said:
        process = await asyncio.create_subprocess_exec(
            *(*M3SYNC, "demo"), stdout=said, stderr=said, cwd=directory, env=environment()
        )
    running = Demo(directory, process)
    try:
        yield running
    finally:
        if process.returncode is None:
            await running.ends(signal.SIGKILL)


def _processes(directory: Path) -> list[str]:
    """Whatever was started in this directory and still runs."""
    found = []
    for each in psutil.process_iter(["cmdline", "cwd"]):
        line = " ".join(each.info["cmdline"] or [])
        if str(directory) in line or str(each.info["cwd"] or "").startswith(str(directory)):
            found.append(line)
    return found


def _names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


@contextmanager
def _taken(*ports: int) -> Iterator[None]:
    """Somebody else listens on these ports already."""
    sockets = [socket.socket() for _ in ports]
    try:
        for port, each in zip(ports, sockets, strict=True):
            each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                each.bind(("127.0.0.1", port))
            except OSError:
                continue  # taken indeed
            each.listen()
        yield
    finally:
        for each in sockets:
            each.close()


async def test_it_syncs_by_itself_does_what_it_says_to_try_and_leaves_nothing_behind(tmp_path: Path) -> None:
    with _taken(8320, 8321, 8322):
        async with demo(tmp_path) as running:
            await running.says(HINTS)
            said = running.said
            assert ": Completed, 6 created" in said
            panel = re.search(r"Panel +(http://127\.0\.0\.1:\d+)/", said)
            assert panel is not None
            assert not panel[1].endswith(":8320")
            edit = re.search(r"^  \S+ (sandbox edit .*)$", said, re.MULTILINE)
            explain = re.search(r"^  \S+ (--config \S+ explain (\S+))$", said, re.MULTILINE)
            assert edit is not None
            assert explain is not None
            await _run(tmp_path, edit[1])
            await running.says(": Completed, 6 created", seconds=30)

            async def told() -> bool:
                return "Completed" in await _run(tmp_path, explain[1], codes=(0, 1))

            await until(told, seconds=40)
            async with (
                aiohttp.ClientSession() as session,
                session.get(f"{panel[1]}/records/{explain[2]}") as page,
            ):
                assert (page.status, "Completed" in await page.text()) == (200, True)
            second = await asyncio.create_subprocess_exec(
                *(*M3SYNC, "demo"), stderr=asyncio.subprocess.PIPE, cwd=tmp_path, env=environment()
            )
            _, refusal = await second.communicate()
            assert (second.returncode, b"A demo runs in" in refusal) == (1, True)
            assert await running.ends(signal.SIGINT) == 0
    assert "Traceback" not in running.said
    assert _processes(tmp_path) == []
    assert _names(tmp_path) == [".demo", "said"]


async def _run(directory: Path, command: str, codes: tuple[int, ...] = (0,)) -> str:
    process = await asyncio.create_subprocess_exec(
        *(*M3SYNC, *shlex.split(command)), stdout=asyncio.subprocess.PIPE, cwd=directory, env=environment()
    )
    out, _ = await process.communicate()
    assert process.returncode in codes, out
    return out.decode()


async def test_two_begun_at_once_take_different_ports(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    async with demo(tmp_path / "one") as one, demo(tmp_path / "two") as two:
        for each in (one, two):
            await each.says(HINTS)
            assert each.said.count(": Completed, 6 created") == 2
        addresses = [re.findall(r"http://\S+:\d+", each.said)[:3] for each in (one, two)]
        assert len({*addresses[0], *addresses[1]}) == 6
        for each in (one, two):
            assert await each.ends(signal.SIGTERM) == 0


async def test_a_closed_terminal_ends_all_of_it(tmp_path: Path) -> None:
    async with demo(tmp_path) as running:
        await running.says(": Completed, 6 created")
        assert await running.ends(signal.SIGHUP) == 0
    assert _processes(tmp_path) == []


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
async def test_however_it_ended_the_next_one_begins_cleanly(tmp_path: Path, how: signal.Signals) -> None:
    async with demo(tmp_path) as first:
        await first.says(": Completed, 6 created")
        await first.ends(how)
    async with demo(tmp_path) as second:
        await second.says(": Completed, 6 created")
        assert await second.ends(signal.SIGTERM) == 0

    async def nothing_runs() -> bool:
        return not _processes(tmp_path)

    await until(nothing_runs)
