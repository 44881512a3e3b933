"""One PostgreSQL per state directory for all processes there: start or join it; the last one out stops it."""

import asyncio
import fcntl
import os
import signal
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote

from state import postmaster
from state.errors import DatabaseUnavailable

_PATIENCE = timedelta(seconds=60)  # a crash recovery may take a while
_LOOK_EVERY = timedelta(seconds=1)
_SOCKET = ".s.PGSQL.5432"
_LONGEST_SOCKET_PATH = 100  # sun_path holds 108 bytes
_LOG_LIMIT = 5_000_000
# Fast, then immediate shutdown, and how many seconds each is given.
_ENDINGS = ((signal.SIGINT, 30), (signal.SIGQUIT, 10))


@asynccontextmanager
async def server(directory: Path) -> AsyncIterator[str]:
    """Start or join the server under `directory` and give its URL, good for this process while inside.

    The last process out stops the server; one left behind by a killed process is joined by the next. Raises
    DatabaseUnavailable.
    """
    member = Member(directory)
    try:
        url = await asyncio.to_thread(member.join)
        watch = asyncio.create_task(_keep_running(member), name="embedded database")
        try:
            yield url
        finally:
            watch.cancel()
            await asyncio.wait([watch])
    finally:
        await asyncio.to_thread(member.leave)


async def _keep_running(member: "Member") -> None:
    """Start the server again when it died, as a service manager would; who uses it reconnects."""
    never = asyncio.Event()
    while True:
        with suppress(TimeoutError):
            await asyncio.wait_for(never.wait(), _LOOK_EVERY.total_seconds())
        if not member.is_running():
            with suppress(DatabaseUnavailable, OSError):  # its users say so; tried again soon
                await asyncio.to_thread(member.revive)


class Member:
    """This process's share in the server of one state directory.

    Three locked files tell the processes apart from one another and survive none of them: `start.lock` is
    held while joining or leaving, `members.lock` is shared by every member, `alive.lock` is held by the
    server itself and its children, wherever they run.
    """

    def __init__(self, directory: Path) -> None:
        self._home = directory.absolute() / "postgres"
        self._data = self._home / "data"
        self._turn = threading.Lock()
        self._descriptors: list[int] = []
        self._has_joined = False

    def join(self) -> str:
        """Start or join the server; gives its URL."""
        with self._turn:
            try:
                self._home.mkdir(mode=0o700, parents=True, exist_ok=True)
                postmaster.give_to_owner_of(self._home.parent, self._home)
                with _Lock(self._home / "start.lock").held():
                    self._enter("members.lock", fcntl.LOCK_SH)
                    self._has_joined = True
                    self._ensure_ready()
                return self._url()
            except OSError as error:
                raise DatabaseUnavailable(
                    f"The embedded database cannot be kept in {self._home}: {error}.",
                    "Check that the state directory is yours and has free space, or set state_directory.",
                ) from error

    def is_running(self) -> bool:
        """Whether any process of the server lives, wherever it runs."""
        alive = _Lock(self._home / "alive.lock")
        if alive.try_take():
            alive.let_go()
            return False
        return True

    def revive(self) -> None:
        """Start the server again if it died. Raises DatabaseUnavailable."""
        with self._turn:
            if self._has_joined:
                with _Lock(self._home / "start.lock").held():
                    self._ensure_ready()

    def leave(self) -> None:
        """Give up the share; the last one out stops the server."""
        with self._turn:
            try:
                if self._has_joined:
                    with _Lock(self._home / "start.lock").held():
                        self._leave_or_stop()
            finally:
                while self._descriptors:
                    os.close(self._descriptors.pop())

    def _leave_or_stop(self) -> None:
        self._has_joined = False
        os.close(self._descriptors.pop(0))
        last_out = _Lock(self._home / "members.lock")
        if last_out.try_take():
            try:
                self._stop()
            finally:
                last_out.let_go()

    def _enter(self, name: str, how: int) -> None:
        descriptor = _open(self._home / name)
        self._descriptors.append(descriptor)
        fcntl.flock(descriptor, how)

    def _ensure_ready(self) -> None:
        who = postmaster.identity(self._data)
        alive = _Lock(self._home / "alive.lock")
        deadline = time.monotonic() + _PATIENCE.total_seconds()
        started: int | None = None
        while not self._answers():
            if started is not None:
                self._check_has_not_exited(started)
            elif alive.try_take():  # nobody runs here, whatever postmaster.pid says
                started = self._start(who, alive)
            if time.monotonic() > deadline:
                raise DatabaseUnavailable(
                    f"The embedded PostgreSQL did not get ready in {_PATIENCE.total_seconds():.0f} s.",
                    f"Read {self._home / 'postgres.log'}.",
                )
            time.sleep(0.01)

    def _start(self, who: postmaster.Identity, alive: "_Lock") -> int:
        try:
            if not self._data.exists():
                postmaster.create(self._data, who)
            postmaster.tidy(self._data)
            postmaster.prepare(self._data, who)
            log = self._home / "postgres.log"
            if log.exists() and log.stat().st_size > _LOG_LIMIT:
                log.replace(log.with_suffix(".log.1"))
            os.close(_open(log))
            return postmaster.start(self._data, who, log, alive.descriptor)
        finally:
            alive.let_go()

    def _check_has_not_exited(self, pid: int) -> None:
        ended, _ = os.waitpid(pid, os.WNOHANG)
        if ended:
            log = (self._home / "postgres.log").read_text(errors="replace")
            raise DatabaseUnavailable(
                f"The embedded PostgreSQL ended while starting: {log.strip()[-600:]}",
                "Mend what the last lines name; the data in the state directory is untouched.",
            )

    def _answers(self) -> bool:
        running = postmaster.process_id(self._data)
        if running is None or running[1] != "ready":
            return self._is_ready_elsewhere(running)
        return self._accepts()

    def _is_ready_elsewhere(self, running: tuple[int, str] | None) -> bool:
        """A server in another container on the same directory cannot be seen, but its socket answers."""
        return running is None and (self._data / _SOCKET).exists() and self._accepts()

    def _accepts(self) -> bool:
        directory = os.open(self._data, os.O_PATH | os.O_DIRECTORY)
        try:
            with socket.socket(socket.AF_UNIX) as probe:
                probe.connect(f"/proc/self/fd/{directory}/{_SOCKET}")
                return True
        except OSError:
            return False
        finally:
            os.close(directory)

    def _url(self) -> str:
        host = str(self._data)
        if len(os.fsencode(f"{host}/{_SOCKET}")) > _LONGEST_SOCKET_PATH or "," in host:
            # Too long for a socket address: reach the directory through an open descriptor of it instead.
            directory = os.open(self._data, os.O_PATH | os.O_DIRECTORY)
            self._descriptors.append(directory)
            host = f"/proc/self/fd/{directory}"
        return f"postgresql://{postmaster.ROLE}@/{postmaster.DATABASE}?host={quote(host)}"

    def _stop(self) -> None:
        running = postmaster.process_id(self._data)
        if running is None:
            return
        alive = _Lock(self._home / "alive.lock")
        for how, patience in _ENDINGS:
            with suppress(ProcessLookupError):
                os.kill(running[0], how)
            deadline = time.monotonic() + patience
            while time.monotonic() < deadline:
                if alive.try_take():
                    alive.let_go()
                    with suppress(ChildProcessError):
                        os.waitpid(running[0], 0)
                    return
                time.sleep(0.01)
        raise DatabaseUnavailable(
            f"The embedded PostgreSQL (process {running[0]}) did not stop.",
            "End that process, then start m3sync again.",
        )


def _open(path: Path) -> int:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    postmaster.give_to_owner_of(path.parent, path)
    return descriptor


class _Lock:
    """An exclusive lock on a file; it is free again once every process that holds its descriptor is gone."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.descriptor = -1

    def try_take(self) -> bool:
        descriptor = _open(self._path)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        self.descriptor = descriptor
        return True

    def let_go(self) -> None:
        """Close our descriptor, without unlocking: a child that inherited it keeps the lock."""
        os.close(self.descriptor)

    @contextmanager
    def held(self) -> Iterator[None]:
        deadline = time.monotonic() + _PATIENCE.total_seconds()
        while not self.try_take():
            if time.monotonic() > deadline:
                raise DatabaseUnavailable(
                    f"Another m3sync has held {self._path} for a minute, starting or stopping the database.",
                    "Look for a hanging m3sync process of this state directory and end it.",
                )
            time.sleep(0.01)
        try:
            yield
        finally:
            self.let_go()
