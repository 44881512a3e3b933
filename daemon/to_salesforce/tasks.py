"""What should run just now of the entity data syncs: one task for each enabled integration."""

import hashlib
import shlex
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field

from daemon.clients import Link, Links, Org, Organization
from daemon.tasks import Fitness, Task
from daemon.to_salesforce import custom_fields, schedule, targets
from daemon.to_salesforce import place as places
from daemon.to_salesforce.place import Manner, Place
from daemon.to_salesforce.runner import Runner
from daemon.to_salesforce.schedule import ScheduleInvalid
from daemon.to_salesforce.targets import NoSuchTarget
from daemon.waiting import Bell
from state import entity_syncs
from state.database import Db
from state.entity_models import EntitySync
from state.errors import Conflict, NotFound, VaultError


@dataclass(frozen=True, slots=True)
class Ready:
    """An integration with the clients of both its systems."""

    place: Place
    org: Link[Org]
    organization: Link[Organization]


@dataclass(slots=True)
class Tasks:
    """Works out what should run; `bell` is rung by whoever hears that a run was asked for."""

    db: Db
    links: Links
    manner: Manner
    watched: Callable[[], Awaitable[Collection[str]]] = places.nothing
    bell: Bell = field(default_factory=Bell)
    used: set[int] = field(default_factory=set)  # the numbers of the clients that are wanted
    _fitness: Fitness = field(init=False)

    def __post_init__(self) -> None:
        self._fitness = Fitness(self.db)

    async def wanted(self) -> list[Task]:
        """Integrations that cannot run are reported in health and left out."""
        ready = [found for each in await entity_syncs.enabled(self.db) if (found := await self._ready(each))]
        self.used = {link.number for each in ready for link in (each.org, each.organization)}
        return [self._runner(each) for each in ready]

    async def _ready(self, sync: EntitySync) -> Ready | None:
        name = sync.integration.name
        try:
            ready = await connect(self.db, self.links, sync, self.manner, self.watched)
        except (NotFound, VaultError, Conflict) as error:
            await self._fitness.unwell(name, error.reason, error.instruction)
            return None
        except (NoSuchTarget, ScheduleInvalid) as error:
            instruction = "Edit the integration, or [entity_data_sync] names."
            await self._fitness.unwell(name, str(error), instruction)
            return None
        await self._fitness.well(name)
        return ready

    def _runner(self, each: Ready) -> Task:
        runner = Runner(each.place, self.bell)
        return Task(f"entity:{each.place.name}", _fingerprint(each), runner.run)


async def connect(
    db: Db,
    links: Links,
    sync: EntitySync,
    manner: Manner,
    watched: Callable[[], Awaitable[Collection[str]]] = places.nothing,
) -> Ready | None:
    """The integration ready for use; None while it is not connected to both systems.

    Raises NotFound, VaultError, NoSuchTarget, ScheduleInvalid; Conflict for custom fields that would
    overwrite what m3sync writes.
    """
    integration = sync.integration
    if integration.salesforce_credential_id is None or integration.m3ter_credential_id is None:
        return None
    schedule.parse(sync.settings.schedule)
    settings = sync.settings
    target = targets.target(settings.entity_type.value, settings.namespace.value, manner.naming)
    if problems := custom_fields.problems(target, settings.custom_fields):
        raise Conflict(
            " ".join(problems),
            f"Map them to fields of your own: m3sync integrations edit {shlex.quote(integration.name)} "
            "--custom-field tier=Tier__c; or --clear custom-fields",
        )
    org = await links.org(integration.salesforce_credential_id)
    organization = await links.organization(integration.m3ter_credential_id)
    place = Place(db, org.client, organization.client, sync, target, manner, watched)
    return Ready(place, org, organization)


def _fingerprint(each: Ready) -> str:
    """The schedule is read at each turn, and needs no new task."""
    sync = each.place.sync
    text = (
        f"{sync.integration.integration_id} {sync.revision} {sync.integration.name} "
        f"{each.org.number} {each.organization.number}"
    )
    return hashlib.sha256(text.encode()).hexdigest()
