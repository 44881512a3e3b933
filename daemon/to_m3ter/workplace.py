"""What the workers of one pair of systems share: database, systems, catalogue, field mappings."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

from daemon.clients import Org, Organization
from daemon.retries import Policy
from daemon.to_m3ter.brake import Brake
from daemon.to_m3ter.mapping import document
from state.database import Db


@dataclass(frozen=True, slots=True)
class Workplace:
    """Where records are synced: from one org to one organization, for these integrations."""

    db: Db
    org: Org
    organization: Organization
    mappings: Mapping[UUID, document.Mapping]
    policy: Policy
    brake: Brake = field(default_factory=Brake)
