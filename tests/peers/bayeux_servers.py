"""Two Bayeux servers of npm as programs: installed into the clone, started, commanded, killed, restarted."""

import asyncio
import fcntl
import hashlib
import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from connectors import wire
from tests.acceptance import machine

HERE = Path(__file__).parent / "bayeux"
PROGRAMS = {"cometd": "cometd_server.js", "faye": "faye_server.js"}
_MODULES = HERE / "node_modules"
_STAMP = _MODULES / ".installed"
_REMEDY = "Install them: apt-get install nodejs npm"


def node() -> str:
    """The path of node, with both servers installed; ends the test where that cannot be."""
    found, npm = shutil.which("node"), shutil.which("npm")
    if found is None or npm is None:
        machine.lacks("node and npm, for two Bayeux servers that are not ours", _REMEDY)
    wanted = hashlib.sha256((HERE / "package-lock.json").read_bytes()).hexdigest()
    with (HERE / ".lock").open("w") as lock:  # test processes side by side install once
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _STAMP.exists() or _STAMP.read_text() != wanted:
            _install(str(npm))
            _STAMP.write_text(wanted)
    return str(found)


def _install(npm: str) -> None:
    """What the lock file says, with nothing left outside the clone."""
    environment = {**os.environ, "npm_config_cache": str(HERE / ".npm"), "NODE_DISABLE_COMPILE_CACHE": "1"}
    done = subprocess.run(
        [npm, "ci"], cwd=HERE, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    if done.returncode != 0:
        machine.lacks("npm packages that could not be installed", f"npm ci said: {done.stderr[-2000:]}")


@dataclass(slots=True)
class Peer:
    """One of the servers. `news` holds what it has said and nobody waited for yet."""

    command: list[str]
    news: list[dict[str, Any]] = field(default_factory=list)
    port: int = 0
    _process: asyncio.subprocess.Process | None = None

    @property
    def login(self) -> dict[str, Any]:
        return {"url": f"http://127.0.0.1:{self.port}", "client_id": "c", "client_secret": "s"}

    async def start(self) -> None:
        """On the port of the last time, if there was one."""
        program, script, *options = self.command
        self._process = await asyncio.create_subprocess_exec(
            program,
            script,
            str(self.port),
            *options,
            cwd=HERE,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        self.port = await self.told("listening")

    async def kill(self) -> None:
        """SIGKILL: no goodbye to anybody."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.communicate()
        self.news.clear()

    async def say(self, **command: Any) -> None:
        """Returns when it is done."""
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(wire.dumps(command) + b"\n")
        await self._process.stdin.drain()
        await self.told("done")

    async def publish(self, channel: str, *data: Any) -> None:
        await self.say(publish=channel, data=list(data))

    async def told(self, what: str) -> Any:
        """The next news of this kind; earlier news of other kinds stays."""
        async with asyncio.timeout(20):
            while True:
                for place, item in enumerate(self.news):
                    if what in item:
                        return self.news.pop(place)[what]
                self.news.append(await self._line())

    async def subscribed(self, *channels: str) -> None:
        """Returns when the server has taken as many subscriptions as there are channels."""
        assert {await self.told("subscribed") for _ in channels} == set(channels)

    async def _line(self) -> dict[str, Any]:
        assert self._process is not None
        assert self._process.stdout is not None
        line = await self._process.stdout.readline()
        assert line, f"{self.command[1]} has ended"
        news = wire.loads(line)
        assert isinstance(news, dict)
        return news


@asynccontextmanager
async def serving(name: str, **options: Any) -> AsyncIterator[Peer]:
    """`name` as in PROGRAMS; `options` are the server's own."""
    program = await asyncio.to_thread(node)
    peer = Peer([program, PROGRAMS[name], wire.dumps(options).decode()])
    await peer.start()
    try:
        yield peer
    finally:
        await peer.kill()
