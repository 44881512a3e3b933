"""SIGKILL at every commit and around every outside write of a sync: one of each object, the right result."""

import asyncio
import multiprocessing
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from daemon.to_m3ter import presets
from state import database
from tests import databases
from tests.acceptance import house as houses
from tests.acceptance import killing
from tests.acceptance.house import House, until
from tests.acceptance.pictures import picture
from tests.sandboxes import local_sandbox

AT_ONCE = 4
# Passed by chance, as it is said again only when a while has gone by: that a credential was accepted.
BY_TIMING = ("commit credentials",)
ROOT = Path(__file__).parents[2]
OPPORTUNITY = "Harbourline - fleet telemetry API"
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["tests.acceptance.killing"])


@dataclass(frozen=True, slots=True)
class Ground:
    """Where each attempt is set up: the database server and template, and a directory of the test's own."""

    server: str
    template: str
    directory: Path


@dataclass(slots=True)
class Scene:
    """One house of its own and the daemon in a process that can be killed."""

    house: House
    config: Path
    log: Path

    @asynccontextmanager
    async def daemon(self, fatal: str = "") -> AsyncIterator[Any]:
        """A daemon that listens; ended in order when left, unless it died."""
        await self.house.sandbox.salesforce_control.clear_journal()
        arguments = (str(self.log), fatal, ["--config", str(self.config), "run"])
        process = PROCESSES.Process(target=killing.main, args=arguments)
        process.start()
        try:
            await until(lambda: self._listens_or_died(process))
            yield process
        finally:
            process.terminate()
            await asyncio.to_thread(process.join, 30)
            if process.exitcode is None:
                process.kill()

    async def _listens_or_died(self, process: Any) -> bool:
        return not process.is_alive() or await houses._is_listening(self.house)

    def points(self) -> list[str]:
        return self.log.read_text().splitlines() if self.log.exists() else []

    async def opportunity_id(self) -> str:
        found = await self.house.query(f"SELECT Id FROM Opportunity WHERE Name = '{OPPORTUNITY}'")
        return str(found[0]["Id"])

    async def win(self) -> str:
        record_id = await self.opportunity_id()
        change = {"StageName": "Closed Won"}
        await self.house.salesforce("PATCH", f"/sobjects/Opportunity/{record_id}", change)
        return record_id

    async def is_synced(self, record_id: str) -> bool:
        statement = """
            SELECT NOT EXISTS (SELECT FROM inbox) AND EXISTS (
                SELECT FROM record_states WHERE record_id = $1 AND sync_status = 'Completed')"""
        return bool(await self.house.db.fetchval(statement, record_id))

    async def leftovers(self) -> dict[str, int]:
        """What a sync must not leave behind in the database."""
        counts = {
            "open intents": "SELECT count(*) FROM intents WHERE status = 'OPEN'",
            "leases": "SELECT count(*) FROM leases",
        }
        found = {name: await self.house.db.fetchval(text) for name, text in counts.items()}
        return {name: number for name, number in found.items() if number}


@asynccontextmanager
async def scene(ground: Ground, name: str) -> AsyncIterator[Scene]:
    place = ground.directory / name
    place.mkdir()
    async with (
        databases.own_database(ground.server, ground.template) as url,
        database.connect(url, min_size=1, max_size=3) as db,
        local_sandbox() as sandbox,
        houses.built(sandbox, db, url, place, presets.text("opportunity")) as house,
    ):
        config = place / "m3sync.toml"
        config.write_text(
            f'state_directory = "{place}"\n[database]\nurl = "{url}"\n'
            '[http]\nport = 0\n[log]\nlevel = "warning"\n'
            "[worker]\nlease_seconds = 2\nsettle_seconds = 0.2\npoll_seconds = 0.3\nbackoff_seconds = 0.1\n"
            "grace_seconds = 5\n"
        )
        yield Scene(house, config, place / "points.log")


async def recorded(ground: Ground) -> tuple[list[str], list[Any]]:
    """The points that one undisturbed sync passes, and what it leaves in m3ter."""
    async with scene(ground, "recorded") as stage, stage.daemon():
        before = len(stage.points())
        record_id = await stage.win()
        await until(lambda: stage.is_synced(record_id))
        return stage.points()[before:], picture(stage.house.sandbox)


async def killed_at(ground: Ground, number: int, point: str) -> tuple[bool, list[Any], dict[str, int]]:
    """Whether the daemon died at the point; what is in m3ter, and left over, after it was started again."""
    async with scene(ground, f"{number:03}") as stage:
        async with stage.daemon(point) as process:
            record_id = await stage.win()

            async def died() -> bool:
                return not process.is_alive()

            async def over() -> bool:
                return await died() or await stage.is_synced(record_id)

            await until(over, seconds=30)
            if not point.startswith(BY_TIMING):
                with suppress(TimeoutError):
                    await until(
                        died, seconds=5
                    )  # what is in the database is seen before its last point is passed
            was_killed = process.exitcode == -9
        left: dict[str, int] = {}
        async with stage.daemon():
            try:
                await until(lambda: stage.is_synced(record_id), seconds=30)
            except TimeoutError:
                left["not completed"] = 1
        return was_killed, picture(stage.house.sandbox), await stage.leftovers() | left


async def test_a_daemon_killed_anywhere_ends_with_exactly_one_of_each_object(
    database_server: str, database_template: str, tmp_path: Path
) -> None:
    ground = Ground(database_server, database_template, tmp_path)
    points, expected = await recorded(ground)
    writes = [point for point in points if point.startswith("POST")]
    assert len(writes) >= 2 * 2 * 6, (
        "an entity and its external mapping for each of six objects, before and after"
    )
    turn = asyncio.Semaphore(AT_ONCE)

    async def one(number: int, point: str) -> tuple[str, bool, list[Any], dict[str, int]]:
        async with turn:
            return point, *await killed_at(ground, number, point)

    outcomes = await asyncio.gather(*(one(number, point) for number, point in enumerate(points)))
    wrong = {point: left for point, _, found, left in outcomes if found != expected or left}
    assert not wrong, f"not one of each, or something left over, after SIGKILL at: {wrong}"
    survived = [point for point, died, _, _ in outcomes if not died and not point.startswith(BY_TIMING)]
    assert not survived, f"the daemon was not killed at {survived}"
