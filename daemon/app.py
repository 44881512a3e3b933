"""The composition root: builds every part of the daemon and hands it down by argument."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from socket import socket

import structlog

from connectors.errors import RejectedError
from connectors.salesforce.models import to_id18
from daemon import location, manners, probing, retries, supervisor, waiting
from daemon.clients import Links
from daemon.outcomes import SyncResult
from daemon.probing import Often
from daemon.service import Service
from daemon.settings import Settings
from daemon.supervisor import Part, Supervisor, Surroundings
from daemon.tasks import Task
from daemon.to_m3ter import by_hand, watching
from daemon.to_m3ter.tasks import Tasks
from daemon.to_salesforce import tasks as entity_tasks
from daemon.web import serving
from daemon.web.sources import Sources
from state import credentials, database, health, migrations, retention, signals
from state.database import Pool
from state.errors import DatabaseUnavailable
from state.signals import Signal

log = structlog.get_logger(__name__)

FORGETTING = timedelta(hours=6)
RECONNECTING = retries.Policy(first=timedelta(seconds=1), longest=timedelta(seconds=10))


@dataclass(slots=True)
class Condition:
    """What the web side is told of the daemon before and besides the database."""

    service: Service
    db: Pool | None = None
    trouble: str = "It is starting."
    is_running: bool = False

    def waits(self, trouble: str) -> None:
        """A service without its database is up all the same: it answers, and says what it waits for."""
        if trouble != self.trouble:
            log.error("waiting for the database", reason=trouble)
            self.service.ready(f"Waiting: {trouble}")
        self.trouble = trouble
        self.service.alive(f"Waiting: {trouble}")

    def runs(self, db: Pool) -> None:
        self.db, self.trouble, self.is_running = db, "", True

    def stops(self) -> None:
        self.trouble, self.is_running = "It is stopping.", False
        self.service.stopping()


@dataclass(frozen=True, slots=True)
class Flows:
    """Both directions, which share clients."""

    links: Links
    to_m3ter: Tasks
    to_salesforce: entity_tasks.Tasks
    often: Often

    async def wanted(self) -> list[Task]:
        both = [*await self.to_m3ter.wanted(), *await self.to_salesforce.wanted()]
        return [*both, *probing.tasks(self.links, self._used(), self.often)]

    async def tidy(self) -> None:
        """Close the clients that no wanted task uses; to be called once the others have stopped."""
        await self.links.keep_only(self._used())

    def _used(self) -> set[int]:
        return self.to_m3ter.used | self.to_salesforce.used


async def run(settings: Settings, stop: asyncio.Event, door: socket | None = None) -> None:
    """The service, until `stop`; then the record in hand is finished.

    `door` is a socket that listens at the address of the settings already.
    Raises ConfigurationError, SchemaNewer, SchemaInvalid or VaultError when it cannot be run at all.
    """
    condition = Condition(Service())
    sources = Sources(
        lambda: condition.db, lambda: condition.trouble, lambda: condition.is_running, _full_record_id
    )
    async with serving.serve(settings.http, sources, door) as address:
        log.info("serving", address=address)
        async with _database(settings, stop, condition) as db:
            if db is not None:
                async with links_of(settings, db) as links:
                    condition.runs(db)
                    watched = partial(watching.objects, db)
                    flows = Flows(
                        links,
                        Tasks(db, links, manners.to_m3ter(settings)),
                        entity_tasks.Tasks(db, links, manners.to_salesforce(settings), watched),
                        manners.probing(settings),
                    )
                    await _work(settings, stop, condition, flows, db)
            condition.db = None
    log.info("stopped")


def _full_record_id(given: str) -> str | None:
    """The 18 characters of a record id; None for what is none."""
    try:
        return to_id18(given)
    except RejectedError:
        return None


async def sync_one(settings: Settings, ids: list[str], integration: str | None = None) -> SyncResult:
    """One Sync to m3ter of the one record named, by this process or by the daemon that holds it.

    Raises StateError and ConfigurationError when nothing could even be tried.
    """
    record_id = by_hand.one_id(ids)
    if isinstance(record_id, SyncResult):
        return record_id
    async with location.opened(settings) as db, links_of(settings, db) as links:
        found = await by_hand.choose(db, links, by_hand.Wish(record_id, integration))
        if isinstance(found, SyncResult):
            return found
        return await by_hand.sync(db, manners.to_m3ter(settings), found, record_id)


@asynccontextmanager
async def links_of(settings: Settings, db: Pool) -> AsyncIterator[Links]:
    """The clients of both systems. Raises VaultError."""
    kept = await credentials.open_vault(db, settings.vault_key_path)
    async with Links(db, kept, manners.patience(settings)) as links:
        yield links


@asynccontextmanager
async def _database(
    settings: Settings, stop: asyncio.Event, condition: Condition
) -> AsyncIterator[Pool | None]:
    """The migrated database, waited for; None when told to stop before it could be reached."""
    async with AsyncExitStack() as open_things:
        db, attempts = None, 0
        while db is None and not stop.is_set():
            try:
                db = await _reach(settings, open_things)
            except DatabaseUnavailable as error:
                await open_things.aclose()
                attempts += 1
                condition.waits(str(error))
                await waiting.pause(stop, retries.back_off(attempts, RECONNECTING))
        yield db


async def _reach(settings: Settings, open_things: AsyncExitStack) -> Pool:
    # Each worker may hold one connection while its lease is renewed on another; listeners keep four. Entity
    # data syncs share what is left: of each run one transaction goes on at a time.
    size = max(settings.database.max_size, settings.worker.in_flight * 2 + 13)
    url = await open_things.enter_async_context(location.of_database(settings))
    opening = database.connect(url, min_size=settings.database.min_size, max_size=size)
    db = await open_things.enter_async_context(opening)
    await migrations.migrate(db)
    return db


async def _work(
    settings: Settings, stop: asyncio.Event, condition: Condition, flows: Flows, db: Pool
) -> None:
    """Supervise what is wanted until `stop`, woken by the database."""
    grace = timedelta(seconds=settings.worker.grace_seconds)
    poll = timedelta(seconds=settings.worker.poll_seconds)
    changed = asyncio.Event()

    heard = (
        ("inbox", signals.INBOX, flows.to_m3ter.inbox_bell.ring),
        ("rereads", signals.REREADS, flows.to_m3ter.reread_bell.ring),
        ("entity runs", signals.ENTITY_RUNS, flows.to_salesforce.bell.ring),
        ("integrations", signals.INTEGRATIONS, changed.set),
    )
    relays = [Part(f"{name} signal", "", partial(_relay, db, said, wake, poll)) for name, said, wake in heard]
    beside = [*relays, Part("forgetting", "", partial(_forget, db))]

    async def wanted() -> list[Part]:
        parts = [Part(task.name, task.fingerprint, task.run) for task in await flows.wanted()]
        return [*beside, *parts]

    async def report(name: str, what: str) -> None:
        if what:
            await health.report(db, f"part:{name}", False, what, "It is restarted; the log says more.")
        else:
            await health.forget(db, f"part:{name}")

    surroundings = Surroundings(wanted, report, flows.tidy, condition.service.alive)
    chief = Supervisor(surroundings, supervisor.Timings(poll=poll, grace=grace), changed)
    condition.service.ready("Running")
    log.info("running")
    async with asyncio.TaskGroup() as group:
        farewell = group.create_task(_farewell(stop, condition), name="farewell")
        try:
            await chief.run(stop)
        finally:
            farewell.cancel()
            condition.stops()


async def _farewell(stop: asyncio.Event, condition: Condition) -> None:
    """Tell at once that it stops, while the record in hand is being finished."""
    await stop.wait()
    condition.stops()


async def _relay(
    db: Pool, channel: str, wake: Callable[[], None], poll: timedelta, stop: asyncio.Event
) -> None:
    """Wake whoever waits whenever the database notifies the channel."""
    async with signals.listen(db, [channel]) as signal, asyncio.TaskGroup() as group:
        listening = group.create_task(_pass_on(signal, wake, poll), name=f"hearing {channel}")
        await stop.wait()
        listening.cancel()


async def _pass_on(signal: Signal, wake: Callable[[], None], poll: timedelta) -> None:
    while True:
        if await signal.wait(poll):
            wake()


async def _forget(db: Pool, stop: asyncio.Event) -> None:
    """Now and then forget what is older than anybody needs."""
    while not stop.is_set():
        try:
            await retention.prune(db)
        except DatabaseUnavailable as error:
            log.debug("nothing forgotten", reason=error.reason)
        await waiting.pause(stop, FORGETTING)
