"""A scene for the other direction: an m3ter company, the target objects, and an integration of each type."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from connectors.sandbox import serving
from daemon.to_m3ter import presets
from state import database, entity_runs, entity_syncs, integrations
from state.entity_models import EntitySync, EntityType, Removal, RunCause
from tests import databases
from tests.acceptance import entity_hurried
from tests.acceptance import house as houses
from tests.acceptance.entity_company import Company
from tests.acceptance.entity_witness import EntityWitness
from tests.acceptance.scenes import Ground, Scene
from tests.integration import copying
from tests.sandboxes import local_sandbox

UNSETTLED = {
    "runs under way": "SELECT count(*) FROM entity_runs WHERE status IN ('WAITING', 'STARTED')",
    "copies to be written": "SELECT count(*) FROM entity_copies WHERE status = 'WAITING'",
    "integrations never in step": "SELECT count(*) FROM entity_syncs WHERE first_completed_at IS NULL",
}
LEFTOVERS = {
    "copies refused": "SELECT count(*) FROM entity_copies WHERE status = 'REFUSED' OR error IS NOT NULL",
    "entities of a scan that is over": "SELECT count(*) FROM entity_seen",
    "runs that hold a lease": "SELECT count(*) FROM entity_runs WHERE lease_token IS NOT NULL",
}


@dataclass(slots=True)
class EntityScene(Scene):
    """What a scenario of entity data syncs acts through; `syncs` are as they were made."""

    syncs: dict[EntityType, EntitySync] = field(default_factory=dict)
    company: Company = field(init=False)
    seen: EntityWitness = field(init=False)
    heard: int = 0
    to_be_done: ClassVar[Mapping[str, str]] = UNSETTLED
    to_be_ended: ClassVar[Mapping[str, str]] = LEFTOVERS

    def __post_init__(self) -> None:
        Scene.__post_init__(self)
        self.company = Company(self.sandbox.running.organization)
        self.seen = EntityWitness(self.sandbox)

    @asynccontextmanager
    async def daemon(self, fatal: str = "") -> AsyncIterator[Any]:
        """A daemon that has begun to read m3ter, or died of `fatal`."""
        entries = await self.sandbox.m3ter_control.journal()
        self.heard = entries[-1]["number"] if entries else 0
        async with Scene.daemon(self, fatal) as process:
            yield process

    async def _listens_or_died(self, process: Any) -> bool:
        if not process.is_alive():
            return True
        asked = f"since={self.heard}&path=*/organizations/*"
        return bool(await self.sandbox.m3ter_control.journal(asked))

    async def unsettled(self) -> list[str]:
        """Why it is not over yet: what is waited for, and what Salesforce has not, or not so."""
        found = await self._left(self.to_be_done)
        return found or self.seen.complaints()

    async def _disorder(self) -> list[str]:
        return self.seen.disorder()

    async def rescan(self) -> None:
        """Every integration is run by hand."""
        for sync in self.syncs.values():
            await entity_runs.ask(self.house.db, sync.integration.integration_id, RunCause.MANUAL)

    async def deny(self, *names: str) -> None:
        """The accounts of the company that every integration leaves out from now on."""
        self.seen.denied = frozenset(self.company.ids[name] for name in names)
        self.seen.note()
        async with database.transaction(self.house.db) as tx:
            for sync in self.syncs.values():
                settings = replace(sync.settings, restricted_account_ids=tuple(sorted(self.seen.denied)))
                await entity_syncs.edit(tx, sync.integration.name, settings)


EntityAct = Callable[[EntityScene], Awaitable[None]]


@asynccontextmanager
async def scene(
    ground: Ground, name: str, *, settings: str = "", more: Mapping[str, Any] | None = None
) -> AsyncIterator[EntityScene]:
    """One with a database and a sandbox of its own; `more` are settings of the integrations."""
    place = ground.directory / name
    place.mkdir()
    given = dict(more or {})
    async with (
        databases.own_database(ground.server, ground.template) as url,
        database.connect(url, min_size=1, max_size=2) as db,
        local_sandbox(serving.Options(empty=True)) as sandbox,
        houses.built(sandbox, db, url, place, presets.text("opportunity")) as house,
    ):
        config = place / "m3sync.toml"
        config.write_text(
            f'state_directory = "{place}"\n[database]\nurl = "{url}"\nmin_size = 1\nmax_size = 4\n'
            '[http]\nport = 0\n[log]\nlevel = "warning"\n[entity_data_sync]\nfeed_seconds = 0.3\n'
            "[worker]\nlease_seconds = 2\nsettle_seconds = 0.2\npoll_seconds = 0.3\nbackoff_seconds = 0.1\n"
            f"grace_seconds = 5\nbackoff_limit_seconds = 4\nattempts = 40\n{settings}"
        )
        stage = EntityScene(house, sandbox, config, place / "points.log", entity_hurried.main)
        stage.seen.is_deleted_too = given.get("on_deletion") is Removal.DELETE
        stage.company.found()
        # Of what is there already no event tells: only a scan finds it, and what that misses stays missed.
        sandbox.running.organization.events._kept.clear()
        stage.seen.note()
        await integrations.disable(db, house.integration.name)
        await copying.declare(house)
        stage.syncs = {kind: await copying.added(house, kind, **given) for kind in EntityType}
        yield stage
