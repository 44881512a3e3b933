"""`m3sync` as a child process: how it is called, and what it answered."""

import asyncio
import json
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

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
    """The command line with one settings file, in one directory."""

    directory: Path
    variables: dict[str, str] = field(default_factory=dict)

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
        process = await asyncio.create_subprocess_exec(
            *(*M3SYNC, "--config", str(self.config), *arguments),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd=self.directory,
            env=environment(**self.variables),
        )
        out, err = await process.communicate(stdin.encode())
        assert "Traceback" not in err.decode(), err.decode()
        return Answer(process.returncode or 0, out.decode(), err.decode())

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
