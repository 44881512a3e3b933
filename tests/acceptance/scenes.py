"""A house of its own with the daemon in a process that can be killed, and what is done to its org."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from daemon.to_m3ter import presets
from state import database, outages
from tests import databases
from tests.acceptance import forked, killing
from tests.acceptance import house as houses
from tests.acceptance.house import House, until
from tests.acceptance.witness import Witness
from tests.sandboxes import LocalSandbox, local_sandbox

UNSETTLED = {
    "records in the inbox": "SELECT count(*) FROM inbox",
    "windows to re-read": "SELECT count(*) FROM rereads WHERE status <> 'READ'",
}
LEFTOVERS = {
    "open intents": "SELECT count(*) FROM intents WHERE status = 'OPEN'",
    "leases": "SELECT count(*) FROM leases WHERE lease_until > now()",
    "runs without an end": "SELECT count(*) FROM runs WHERE completed_at IS NULL",
}

MOST, LONGEST = 4, 400  # complaints shown, and characters of each
_LOOKS_AGAIN = 2
LOOK_EVERY = 0.1  # seconds; sixteen scenes that look at all times keep two cores from what they look at


@dataclass(frozen=True, slots=True)
class Ground:
    """Where each scene is set up: the database server and template, and a directory of the test's own."""

    server: str
    template: str
    directory: Path


@dataclass(slots=True)
class Scene:
    """What a scenario acts through. `log` is where the daemon writes the points it passes."""

    house: House
    sandbox: LocalSandbox
    config: Path
    log: Path
    program: Callable[[str, str, list[str]], None] = killing.main
    witness: Witness = field(init=False)
    daemons: int = 0
    to_be_done: ClassVar[Mapping[str, str]] = UNSETTLED
    to_be_ended: ClassVar[Mapping[str, str]] = LEFTOVERS

    def __post_init__(self) -> None:
        self.witness = Witness(self.sandbox)

    @asynccontextmanager
    async def daemon(self, fatal: str = "") -> AsyncIterator[Any]:
        """A daemon that listens, or died of `fatal`; ended in order when left, unless it died."""
        await self.sandbox.salesforce_control.clear_journal()
        arguments = (str(self.log), fatal, ["--config", str(self.config), "run"])
        process = forked.PROCESSES.Process(target=self.program, args=arguments)
        process.start()
        self.daemons += 1
        try:
            # A long poll that nobody answers is given up after two minutes only.
            await until(lambda: self._listens_or_died(process), seconds=150, every=LOOK_EVERY)
            yield process
        finally:
            self.daemons -= 1
            process.terminate()
            await asyncio.to_thread(process.join, 30)
            if process.exitcode is None:
                process.kill()

    async def _listens_or_died(self, process: Any) -> bool:
        return not process.is_alive() or await houses._is_listening(self.house)

    def points(self) -> list[str]:
        """The points passed so far, by every daemon of this scene."""
        return self.log.read_text().splitlines() if self.log.exists() else []

    async def unsettled(self) -> list[str]:
        """Why it is not over yet: what is waited for, and what m3ter has not, or not so, or twice."""
        found = await self._left(self.to_be_done)
        found += [f"{channel} is not heard to its end" for channel in await self._unheard()]
        return found or self.witness.complaints()

    async def settle(self, process: Any = None, *, seconds: float = 60) -> list[str]:
        """Wait until it is over or `process` died; gives why it is not over."""

        async def over() -> bool:
            if process is not None and not process.is_alive():
                return True
            try:
                return not await self.unsettled()
            except outages.FAILURES:
                return False  # the database is away

        try:
            await until(over, seconds=seconds, every=LOOK_EVERY)
        except TimeoutError:
            return await self.unsettled()
        return []

    async def wrongs(self) -> list[str]:
        """What is wrong once it is over; what a daemon had just begun when it was ended, the next may end."""
        found = await self._wrongs()
        for _ in range(_LOOKS_AGAIN):
            if found:
                async with self._attended():
                    await self.settle()
                found = await self._wrongs()
        return found

    @asynccontextmanager
    async def _attended(self) -> AsyncIterator[None]:
        if self.daemons or not await self._is_under_way():
            yield
        else:
            async with self.daemon():
                yield

    async def _is_under_way(self) -> bool:
        """Whether it is known here that something remains to be done: what nobody knows of is lost."""
        return bool(await self._left(self.to_be_done) or await self._left(self.to_be_ended))

    async def _wrongs(self) -> list[str]:
        left = await self._left(self.to_be_ended)
        found = [*await self.unsettled(), *left, *await self._disorder()]
        return [wrong[:LONGEST] for wrong in found[:MOST]]

    async def _disorder(self) -> list[str]:
        return await self.witness.disorder()

    async def _left(self, counts: Mapping[str, str]) -> list[str]:
        """Those of which there are any."""
        return [name for name, text in counts.items() if await self.house.db.fetchval(text)]

    async def _unheard(self) -> list[str]:
        """Channels with events after the checkpoint."""
        rows = await self.house.db.fetch("SELECT channel, replay_id FROM checkpoints")
        bus = self.sandbox.running.stream.bus
        return [
            row["channel"]
            for row in rows
            if int(row["replay_id"]) >= 0
            and any(row["channel"] in event.channels for event in bus.after(int(row["replay_id"])))
        ]


@asynccontextmanager
async def scene(ground: Ground, name: str, *, settings: str = "") -> AsyncIterator[Scene]:
    """One with a database and a sandbox of its own, and the opportunity preset."""
    place = ground.directory / name
    place.mkdir()
    async with (
        databases.own_database(ground.server, ground.template) as url,
        database.connect(url, min_size=1, max_size=2) as db,
        local_sandbox() as sandbox,
        _lived_in(sandbox),
        houses.built(sandbox, db, url, place, presets.text("opportunity")) as house,
    ):
        config = place / "m3sync.toml"
        config.write_text(
            f'state_directory = "{place}"\n[database]\nurl = "{url}"\nmin_size = 1\nmax_size = 5\n'
            '[http]\nport = 0\n[log]\nlevel = "warning"\n'
            "[worker]\nlease_seconds = 2\nsettle_seconds = 0.2\npoll_seconds = 0.3\nbackoff_seconds = 0.1\n"
            f"grace_seconds = 5\n{settings}"
        )
        yield Scene(house, sandbox, config, place / "points.log")


@asynccontextmanager
async def _lived_in(sandbox: LocalSandbox) -> AsyncIterator[None]:
    """The company was founded a day before the integration goes live: that is not to be synced."""
    await sandbox.salesforce_control.advance_clock(86_400)
    yield


Act = Callable[[Scene], Awaitable[None]]
