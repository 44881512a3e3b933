"""Where and how one integration works: both systems, its target, its settings, the patience of its tasks."""

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

from connectors.m3ter.models import EntityKind
from daemon.clients import Org, Organization
from daemon.retries import Policy
from daemon.to_salesforce.page_sizes import PageSize
from daemon.to_salesforce.targets import Naming, Target
from state.database import Db
from state.entity_models import EntitySync, EntitySyncSettings


@dataclass(frozen=True, slots=True)
class Manner:
    """How entity data syncs work. `lookahead`: pages of m3ter read before they are compared; `reserve`: the
    part of the org's daily API calls, in percent, that is left to others; `linger`: a run does not end while
    a postponed record is due so soon."""

    feed: timedelta = timedelta(seconds=5)
    bulk_threshold: int = 10_000
    in_flight: int = 4
    reserve: int = 10
    lookahead: int = 3
    lease: timedelta = timedelta(seconds=60)
    poll: timedelta = timedelta(seconds=5)
    linger: timedelta = timedelta(seconds=15)
    policy: Policy = field(default_factory=Policy)
    naming: Naming = field(default_factory=Naming)


async def nothing() -> Collection[str]:
    """Of nobody who listens to Salesforce."""
    return ()


@dataclass(frozen=True, slots=True)
class Place:
    """One integration at work. `watched` gives the Salesforce objects that the other direction listens to,
    `page_sizes` what m3ter's lists can answer with at once, as its calls have shown."""

    db: Db
    org: Org
    organization: Organization
    sync: EntitySync
    target: Target
    manner: Manner
    watched: Callable[[], Awaitable[Collection[str]]] = nothing
    page_sizes: dict[str, PageSize] = field(default_factory=dict, compare=False)

    def page_size(self, name: str, largest: int) -> PageSize:
        """Of the list of this name."""
        return self.page_sizes.setdefault(name, PageSize(largest))

    @property
    def integration_id(self) -> UUID:
        return self.sync.integration.integration_id

    @property
    def name(self) -> str:
        return self.sync.integration.name

    @property
    def settings(self) -> EntitySyncSettings:
        return self.sync.settings

    @property
    def kind(self) -> EntityKind:
        """m3ter's word for the entity type."""
        return EntityKind(self.sync.settings.entity_type.value)
