"""The sandbox as fixtures: both systems as real servers on free ports."""

import asyncio
import functools
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from connectors import wire
from connectors.sandbox import serving
from connectors.sandbox.salesforce import sessions

REPOSITORY = Path(__file__).parent.parent
# To make a key takes as long as to serve a hundred calls: all sandboxes of a test process share one.
vars(serving)["new_key_pair"] = functools.cache(sessions.new_key_pair)


@dataclass(frozen=True, slots=True)
class ControlApi:
    """The control API of one sandbox server, and plain HTTP to it."""

    base_url: str
    session: aiohttp.ClientSession

    async def call(self, method: str, path: str, body: Any = None) -> Any:
        """One control call under /sandbox/; fails the test unless it is answered 200."""
        data = None if body is None else wire.dumps(body)
        url = f"{self.base_url}/sandbox/{path}"
        async with self.session.request(method, url, data=data) as response:
            text = await response.text()
            assert response.status == 200, f"{method} {path}: {response.status} {text}"
            return wire.loads(text)

    async def fault(self, kind: str, **more: Any) -> Any:
        """Let a fault begin: fault("status", match={"path": "*/accounts"}, status=500, times=1)."""
        return await self.call("POST", "faults", {"kind": kind, **more})

    async def faults(self) -> list[dict[str, Any]]:
        """The faults with their hits and how many requests each holds."""
        listed: list[dict[str, Any]] = (await self.call("GET", "faults"))["faults"]
        return listed

    async def clear_faults(self, number: int | None = None) -> None:
        """Clear every fault, or the one of this number, and release what is held."""
        await self.call("DELETE", "faults" if number is None else f"faults/{number}")

    async def journal(self, query: str = "") -> list[dict[str, Any]]:
        """The journal's entries: journal("method=POST&path=*/accounts&bodies=1")."""
        entries: list[dict[str, Any]] = (await self.call("GET", f"journal?{query}"))["entries"]
        return entries

    async def clear_journal(self) -> None:
        """Forget the requests so far."""
        await self.call("DELETE", "journal")

    async def advance_clock(self, seconds: float) -> None:
        """Let time pass in both systems."""
        await self.call("POST", "clock", {"advance_seconds": seconds})


@dataclass(frozen=True, slots=True)
class Sandbox:
    """A running sandbox: where it is, and the control APIs of its two servers."""

    salesforce: dict[str, Any]
    m3ter: dict[str, Any]
    salesforce_control: ControlApi
    m3ter_control: ControlApi


@dataclass(frozen=True, slots=True)
class LocalSandbox(Sandbox):
    """A sandbox in this process; `running` holds the systems: running.org, running.organization."""

    running: serving.Running


@dataclass(frozen=True, slots=True)
class SandboxProcess(Sandbox):
    """A sandbox in a process of its own."""

    pid: int


@asynccontextmanager
async def local_sandbox(options: serving.Options | None = None) -> AsyncIterator[LocalSandbox]:
    """Serve both systems from this process."""
    async with serving.serve(options) as running, aiohttp.ClientSession() as session:
        salesforce, m3ter = running.salesforce, running.m3ter
        controls = ControlApi(salesforce["url"], session), ControlApi(m3ter["url"], session)
        yield LocalSandbox(salesforce, m3ter, *controls, running)


@asynccontextmanager
async def sandbox_in_process(*arguments: str) -> AsyncIterator[SandboxProcess]:
    """Serve both systems from a process that outlives whatever the test kills."""
    command = [sys.executable, "-m", "daemon.cli", "sandbox", "--json", *arguments]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, cwd=REPOSITORY)
    assert process.stdout is not None
    try:
        line = await process.stdout.readline()
        where = wire.loads(line)
        assert isinstance(where, dict)
        async with aiohttp.ClientSession() as session:
            salesforce, m3ter = where["salesforce"], where["m3ter"]
            controls = ControlApi(salesforce["url"], session), ControlApi(m3ter["url"], session)
            yield SandboxProcess(salesforce, m3ter, *controls, process.pid)
    finally:
        if process.returncode is None:
            os.kill(process.pid, signal.SIGTERM)
        await process.wait()


async def until(condition: Callable[[], bool], *, seconds: float = 30) -> None:
    """Wait until something holds in this process; TimeoutError when it does not come about."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - what is waited for is another program's state: no event tells
            await asyncio.sleep(0.002)


@pytest.fixture
async def sandbox() -> AsyncIterator[LocalSandbox]:
    """Both systems in this process, with the demo company."""
    async with local_sandbox() as running:
        yield running


@pytest.fixture
async def empty_sandbox() -> AsyncIterator[LocalSandbox]:
    """Both systems in this process, with nothing in them."""
    async with local_sandbox(serving.Options(empty=True)) as running:
        yield running


@pytest.fixture
async def sandbox_process() -> AsyncIterator[SandboxProcess]:
    """Both systems in a process of their own, with the demo company."""
    async with sandbox_in_process() as running:
        yield running
