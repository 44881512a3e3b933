"""A daemon that is really SIGKILLed at a named point: before or after a commit, or an outside write."""

import functools
import os
import re
import signal
import sys
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg

from daemon import cli
from daemon.to_m3ter import subscriber

# `FOR UPDATE OF x SKIP LOCKED` and `DO UPDATE SET` name no table.
_WRITTEN = re.compile(
    r"\b(?:INSERT\s+INTO|UPDATE|DELETE\s+FROM)\s+(?!(?:set|skip|of|nowait)\b)(\w+)", re.IGNORECASE
)
_IDENTIFIER = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}|\b(?=[A-Za-z]*[0-9])[0-9A-Za-z]{15,18}\b")
_OUTSIDE = {"POST", "PUT", "PATCH", "DELETE"}
# Said again and again whatever is being synced; killing there shows nothing about a record.
_BESIDE = {"commit health", "commit integrations", "commit credentials"}


@dataclass
class KillPoints:
    """Counts the points as they are passed, writes each to `log`, and dies at `fatal`.

    A point is `<name> #<n> before|after`; names come from what is written, not from the code that writes it:
    a point added to the code is enumerated without anybody naming it. `fatal` may be a number instead: the
    nth point that is passed, whichever it is.
    """

    log: Path
    fatal: str | None

    def __post_init__(self) -> None:
        self.seen: Counter[str] = Counter()
        self.passed = 0

    def begin(self, name: str) -> str:
        self.seen[name] += 1
        point = f"{name} #{self.seen[name]}"
        self._pass(f"{point} before")
        return point

    def end(self, point: str) -> None:
        self._pass(f"{point} after")

    def _pass(self, point: str) -> None:
        with self.log.open("a") as lines:
            lines.write(point + "\n")
        self.passed += 1
        if self.fatal in (point, str(self.passed)):
            os.kill(os.getpid(), signal.SIGKILL)


def install(points: KillPoints) -> None:
    """Watch every commit of asyncpg and every writing call of aiohttp in this process.

    Nobody waits a day here for a look-up.
    """
    vars(subscriber)["Timings"] = functools.partial(subscriber.Timings, look_up=timedelta(0))
    _watch_commits(points)
    _watch_calls(points)


def _watch_commits(points: KillPoints) -> None:
    connection: Any = asyncpg.connection.Connection
    execute, execute_one, execute_many = connection.execute, connection._execute, connection._executemany
    written: dict[int, set[str]] = {}

    async def watched_execute(self: Any, query: str, *args: Any, **options: Any) -> Any:
        if args or not query.strip().upper().startswith("COMMIT"):
            return await execute(self, query, *args, **options)
        tables = written.pop(id(self), set())
        if not tables:
            return await execute(self, query, *args, **options)
        return await _around(f"commit {'+'.join(sorted(tables))}", execute(self, query, *args, **options))

    def watched(original: Any) -> Any:
        async def call(self: Any, query: str, *args: Any, **options: Any) -> Any:
            tables = {table.lower() for table in _WRITTEN.findall(query)}
            if not tables:
                return await original(self, query, *args, **options)
            if self.is_in_transaction():
                written.setdefault(id(self), set()).update(tables)
                return await original(self, query, *args, **options)
            return await _around(
                f"commit {'+'.join(sorted(tables))}", original(self, query, *args, **options)
            )

        return call

    async def _around(name: str, work: Any) -> Any:
        if name in _BESIDE:
            return await work
        point = points.begin(name)
        result = await work
        points.end(point)
        return result

    connection.execute = watched_execute
    connection._execute = watched(execute_one)
    connection._executemany = watched(execute_many)


def _watch_calls(points: KillPoints) -> None:
    session: Any = aiohttp.ClientSession
    request = session._request

    async def watched(self: Any, method: str, url: Any, **options: Any) -> Any:
        path = _IDENTIFIER.sub("*", str(url).split("://", 1)[-1].split("/", 1)[-1].split("?")[0])
        if method not in _OUTSIDE or "oauth" in path or "cometd" in path:
            return await request(self, method, url, **options)
        point = points.begin(f"{method} {path}")
        answer = await request(self, method, url, **options)
        points.end(point)
        return answer

    session._request = watched


def main(log: str, fatal: str, arguments: list[str]) -> None:
    """Run `m3sync` with these arguments in this process, dying at `fatal` ('' for never)."""
    install(KillPoints(Path(log), fatal or None))
    sys.argv = ["m3sync", *arguments]
    cli.main()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
