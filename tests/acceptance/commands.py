"""`m3sync` as a process of its own: how it is called, and what it answered."""

import asyncio
import json
import os
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from daemon import cli
from tests.acceptance import forked

REPOSITORY = Path(__file__).parents[2]
M3SYNC = (sys.executable, "-P", "-m", "daemon.cli")


def environment(**more: str) -> dict[str, str]:
    """This process's, without settings of m3sync's."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("M3SYNC_")
        and name not in ("CREDENTIALS_DIRECTORY", "NOTIFY_SOCKET", "JOURNAL_STREAM")
    }
    return {**kept, "PYTHONPATH": str(REPOSITORY), "COLUMNS": "80", **more}


@dataclass(frozen=True, slots=True)
class Answer:
    """How a command ended and what it wrote."""

    code: int
    out: str
    err: str

    def document(self) -> Any:
        """Its standard output as one JSON document."""
        return json.loads(self.out)


@dataclass(frozen=True, slots=True)
class Commands:
    """The command line with one settings file, in one directory.

    `is_fresh`: each command is started as a person starts it, at several times the cost of a fork.
    """

    directory: Path
    variables: dict[str, str] = field(default_factory=dict)
    is_fresh: bool = False

    @property
    def config(self) -> Path:
        return self.directory / "m3sync.toml"

    def configure(self, database_url: str | None, more: str = "") -> None:
        """Write the settings file."""
        database = "" if database_url is None else f"[database]\nurl = {json.dumps(database_url)}\n"
        state = json.dumps(str(self.directory / "state"))
        self.config.write_text(f"state_directory = {state}\n{database}[http]\nport = 0\n{more}")

    async def __call__(self, *arguments: str, stdin: str = "") -> Answer:
        """Run it to its end."""
        given = ("--config", str(self.config), *arguments)
        started = self._started if self.is_fresh else self._forked
        answer = await started(given, stdin)
        assert "Traceback" not in answer.err, answer.err
        return answer

    async def _started(self, arguments: tuple[str, ...], stdin: str) -> Answer:
        process = await asyncio.create_subprocess_exec(
            *(*M3SYNC, *arguments),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd=self.directory,
            env=environment(**self.variables),
        )
        out, err = await process.communicate(stdin.encode())
        return Answer(process.returncode or 0, out.decode(), err.decode())

    async def _forked(self, arguments: tuple[str, ...], stdin: str) -> Answer:
        with tempfile.TemporaryDirectory(prefix="m3sync-command-") as place:
            streams = tuple(Path(place, name) for name in ("in", "out", "err"))
            streams[0].write_text(stdin, encoding="utf-8")
            child = _Child(streams, self.directory, environment(**self.variables), arguments)
            process = forked.PROCESSES.Process(target=_run, args=(child,))
            process.start()
            await _ended(process.sentinel)
            process.join()
            out, err = (each.read_text(encoding="utf-8") for each in streams[1:])
            return Answer(process.exitcode or 0, out, err)

    async def unread(self, *arguments: str) -> Answer:
        """Run it with a standard output that nobody reads any more, as `| head -1` leaves it."""
        unread, written = os.pipe()
        os.close(unread)
        process = await asyncio.create_subprocess_exec(
            *(*M3SYNC, "--config", str(self.config), *arguments),
            stdout=written,
            stderr=asyncio.subprocess.PIPE,
            cwd=self.directory,
            env=environment(**self.variables),
        )
        os.close(written)
        _, err = await process.communicate()
        return Answer(process.returncode or 0, "", err.decode())

    async def done(self, *arguments: str, stdin: str = "") -> Answer:
        """Run it and expect exit code 0."""
        answer = await self(*arguments, stdin=stdin)
        assert answer.code == 0, f"{arguments}: {answer}"
        return answer


@dataclass(frozen=True, slots=True)
class _Child:
    """What makes a forked process the same as one that was started: its streams and all it is given."""

    streams: tuple[Path, ...]
    directory: Path
    environment: dict[str, str]
    arguments: tuple[str, ...]


def _run(child: _Child) -> None:
    for number, path in enumerate(child.streams):
        flags = os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_CREAT | os.O_APPEND
        os.dup2(os.open(path, flags), number)
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - as long as the process
    os.environ.clear()
    os.environ.update(child.environment)
    os.chdir(child.directory)
    sys.argv = ["m3sync", *child.arguments]
    cli.main()


async def _ended(sentinel: int) -> None:
    """Wait until the process is over, without a thread."""
    over = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_reader(sentinel, over.set)
    try:
        await over.wait()
    finally:
        loop.remove_reader(sentinel)
