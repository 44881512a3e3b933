"""What should run just now, from the enabled integrations: a stream and a re-reader for each, and workers."""

import hashlib
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

from daemon.clients import Link, Links, Org, Organization
from daemon.retries import Policy
from daemon.standing import Standing
from daemon.tasks import Fitness, Task, here
from daemon.to_m3ter import intake, rereading
from daemon.to_m3ter.brake import Brake
from daemon.to_m3ter.mapping import document
from daemon.to_m3ter.mapping.errors import MappingInvalid
from daemon.to_m3ter.reread_pages import Pages
from daemon.to_m3ter.rereading import Rereader
from daemon.to_m3ter.subscriber import Subscriber, Timings
from daemon.to_m3ter.worker import Options, Worker
from daemon.to_m3ter.workplace import Workplace
from daemon.waiting import Bell
from state import field_mappings, integrations
from state.database import Db
from state.errors import NotFound, VaultError
from state.models import Integration


@dataclass(frozen=True, slots=True)
class Manner:
    """How the tasks work: records in flight for each pair of systems, leases, patience."""

    in_flight: int = 1
    lease: timedelta = timedelta(seconds=60)
    poll: timedelta = timedelta(seconds=5)
    policy: Policy = field(default_factory=Policy)
    brake: Brake = field(default_factory=Brake)
    listening: Timings = field(default_factory=Timings)
    page_size: int = 2_000  # records of one page of a re-read


@dataclass(frozen=True, slots=True)
class Connected:
    """An integration with its field mapping and the clients of both its systems."""

    integration: Integration
    mapping: document.Mapping
    org: Link[Org]
    organization: Link[Organization]


@dataclass(slots=True)
class Tasks:
    """Works out what should run; `inbox_bell` is rung by whoever hears that the inbox has something,
    `reread_bell` by whoever hears that there is a window to be read again."""

    db: Db
    links: Links
    manner: Manner
    inbox_bell: Bell = field(default_factory=Bell)
    reread_bell: Bell = field(default_factory=Bell)
    used: set[int] = field(default_factory=set)  # the numbers of the clients that are wanted
    _fitness: Fitness = field(init=False)

    def __post_init__(self) -> None:
        self._fitness = Fitness(self.db)

    async def wanted(self) -> list[Task]:
        """Integrations that cannot run are reported in health and left out."""
        wanted = await integrations.to_m3ter(self.db, only_enabled=True)
        ready = [found for each in wanted if (found := await self._ready(each))]
        self.used = {link.number for each in ready for link in (each.org, each.organization)}
        by_pair: dict[tuple[int, int], list[Connected]] = {}
        for each in ready:
            by_pair.setdefault((each.org.number, each.organization.number), []).append(each)
        subscribers = [self._subscriber(each) for each in ready]
        workers = [task for some in by_pair.values() for task in self._workers(some)]
        rereaders = [self._rereader(each) for each in ready]
        return [*subscribers, *rereaders, *workers]

    async def _ready(self, integration: Integration) -> Connected | None:
        try:
            connected = await connect(self.db, self.links, integration)
        except (MappingInvalid, NotFound, VaultError) as error:
            await self._fitness.unwell(integration.name, error.reason, error.instruction)
            return None
        await self._fitness.well(integration.name)
        return connected

    def _subscriber(self, each: Connected) -> Task:
        name, org = f"stream:{each.integration.name}", each.org.client
        revision = each.integration.field_mapping_revision
        watched = intake.watch(each.integration.integration_id, each.mapping, revision)
        standing = Standing(self.db, name, org.standing.credential_id)
        subscriber = Subscriber(self.db, org, standing, watched, self.manner.listening)
        return Task(name, _fingerprint([each]), subscriber.run)

    def _rereader(self, each: Connected) -> Task:
        manner, org = self.manner, each.org.client
        pages = Pages(self.db, org.salesforce, each.integration.integration_id, each.mapping)
        options = rereading.Options(manner.lease, manner.poll, manner.page_size, manner.policy)
        rereader = Rereader(self.db, org, pages, options, self.reread_bell)
        return Task(f"reread:{each.integration.name}", _fingerprint([each]), rereader.run)

    def _workers(self, some: Sequence[Connected]) -> list[Task]:
        org, organization = some[0].org, some[0].organization
        manner = self.manner
        place = Workplace(
            self.db, org.client, organization.client, _mappings(some), manner.policy, manner.brake
        )
        tasks = []
        for number in range(1, self.manner.in_flight + 1):
            name = f"worker:{org.name}:{organization.name}:{number}"
            options = Options(f"{here()}/{name}", self.manner.lease, self.manner.poll)
            tasks.append(Task(name, _fingerprint(some), Worker(place, options, self.inbox_bell).run))
        return tasks


async def connect(db: Db, links: Links, integration: Integration) -> Connected | None:
    """The integration ready for use; None while it is not connected to both systems.

    Raises MappingInvalid, NotFound (also for one of the other direction), VaultError.
    """
    if integration.field_mapping_id is None:
        raise NotFound(
            f"The integration {integration.name} writes into Salesforce and syncs no record to m3ter.",
            f"Run it with `m3sync integrations run {shlex.quote(integration.name)}`.",
        )
    if integration.salesforce_credential_id is None or integration.m3ter_credential_id is None:
        return None
    saved = await field_mappings.get(db, integration.field_mapping_id)
    return Connected(
        integration,
        document.parse(saved.document),
        await links.org(integration.salesforce_credential_id),
        await links.organization(integration.m3ter_credential_id),
    )


def _mappings(some: Sequence[Connected]) -> Mapping[UUID, document.Mapping]:
    return {each.integration.integration_id: each.mapping for each in some}


def _fingerprint(some: Sequence[Connected]) -> str:
    parts = [
        f"{each.integration.integration_id} {each.integration.field_mapping_id} "
        f"{each.integration.field_mapping_revision} {each.org.number} {each.organization.number}"
        for each in some
    ]
    return hashlib.sha256("\n".join(sorted(parts)).encode()).hexdigest()
