"""What is measured on: PostgreSQL as durable as usual, a sandbox elsewhere, `m3sync run` as a child."""

import asyncio
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from daemon.to_m3ter import presets
from state import database, embedded, migrations
from tests.acceptance import house as houses
from tests.acceptance.commands import M3SYNC, Commands, environment
from tests.acceptance.house import House
from tests.acceptance.notified import Notified, listening
from tests.databases import own_database
from tests.sandboxes import Sandbox

# m3ter's own 50 requests a second would be all that is seen: the sandbox's limit is lifted, and ours with it.
UNPACED = "[m3ter]\nper_second = 1000\n"


@dataclass(frozen=True, slots=True)
class Stage:
    """A configured house and the command line that serves it."""

    house: House
    m3sync: Commands


@dataclass(frozen=True, slots=True)
class Daemon:
    """A started `m3sync run`; `calls` is what `tapped` reads, `began` as time.time gives it."""

    process: asyncio.subprocess.Process
    notified: Notified
    log: Path
    calls: Path
    began: float

    @property
    def resident(self) -> float:
        """Its resident memory in MiB, without that of its children."""
        return float(psutil.Process(self.process.pid).memory_info().rss) / 2**20

    @property
    def peak(self) -> float:
        """The most of it so far, as Linux remembers it."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) / 2**10

    async def until_listening(self) -> None:
        """Wait until all channels are subscribed."""

        async def said() -> bool:
            return '"event": "listening"' in self.log.read_text()

        await houses.until(said, seconds=30)


@contextmanager
def directory() -> Iterator[Path]:
    """A directory for the while, with a short path: sockets lie in it."""
    with tempfile.TemporaryDirectory(prefix="m3b-") as made:
        yield Path(made)


@asynccontextmanager
async def server() -> AsyncIterator[str]:
    """An embedded PostgreSQL of the bench's own."""
    with directory() as place:
        async with embedded.server(place) as url:
            yield url


@asynccontextmanager
async def staged(sandbox: Sandbox, server_url: str, more: str = "") -> AsyncIterator[Stage]:
    """An enabled Sales Agreement Sync between the sandbox's systems, in a database of its own.

    `more` is of the settings file.
    """
    async with AsyncExitStack() as stack:
        place = stack.enter_context(directory())
        url = await stack.enter_async_context(own_database(server_url, "template1"))
        m3sync = Commands(place)
        m3sync.configure(url, UNPACED + more)
        yield Stage(await stack.enter_async_context(house_in(sandbox, url, place)), m3sync)


@asynccontextmanager
async def house_in(sandbox: Sandbox, url: str, place: Path) -> AsyncIterator[House]:
    """The same in this database, the vault key where Commands(place) looks for it."""
    await migrations.migrate(url)
    async with (
        database.connect(url) as db,
        houses.built(sandbox, db, url, place / "state", presets.text("opportunity")) as house,
    ):
        yield house


@asynccontextmanager
async def running(m3sync: Commands, *, is_tapped: bool = False) -> AsyncIterator[Daemon]:
    """`m3sync run`, just started; ended by SIGTERM. When tapped, its calls are noted."""
    with directory() as place:
        log, calls = place / "log", place / "calls"
        tapped = (sys.executable, "-P", "-m", "tests.bench.tapped", str(calls))
        async with listening(place / "notify") as notified:
            with log.open("wb") as written:
                began = time.time()
                process = await asyncio.create_subprocess_exec(
                    *(*(tapped if is_tapped else M3SYNC), "--config", str(m3sync.config), "run"),
                    stdout=written,
                    stderr=written,
                    cwd=m3sync.directory,
                    env=environment(NOTIFY_SOCKET=str(place / "notify")),
                )
            try:
                yield Daemon(process, notified, log, calls, began)
            finally:
                if process.returncode is None:
                    process.send_signal(signal.SIGTERM)
                await process.wait()


async def is_durable(house: House, replay_id: str) -> bool:
    """Whether the event of an Opportunity is kept; its inbox row and the checkpoint are then kept too."""
    statement = "SELECT EXISTS (SELECT FROM change_events WHERE (org_id, channel, replay_id) = ($1, $2, $3))"
    org_id = house.sandbox.salesforce["org_id"]
    return bool(await house.db.fetchval(statement, org_id, "/data/OpportunityChangeEvent", replay_id))
