"""What the workers of one pair of systems share: database, systems, catalogue, field mappings."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

from connectors.m3ter.rest import M3ter
from connectors.salesforce.rest import Salesforce
from daemon.to_m3ter.brake import Brake
from daemon.to_m3ter.catalogue import Catalogue
from daemon.to_m3ter.mapping import document
from daemon.to_m3ter.retries import Policy
from daemon.to_m3ter.standing import Standing
from state.database import Db


@dataclass(slots=True)
class Org:
    """A Salesforce org reached with one credential; its id is asked for once."""

    salesforce: Salesforce
    standing: Standing
    _org_id: str = ""
    _user_id: str = ""

    async def org_id(self) -> str:
        """18 characters. Raises AuthenticationError, TransientError."""
        await self._introduce()
        return self._org_id

    async def user_id(self) -> str:
        """Whose our calls are, 18 characters. Raises AuthenticationError, TransientError."""
        await self._introduce()
        return self._user_id

    async def _introduce(self) -> None:
        if not self._org_id:
            await self.salesforce.auth.grant()
            # The token's reply names org and user; only where it does not a call is spent on them.
            holder = self.salesforce.auth.holder or await self.salesforce.identity()
            self._org_id, self._user_id = holder.org_id, holder.user_id


@dataclass(slots=True)
class Organization:
    """A m3ter organization reached with one credential, with its catalogue."""

    m3ter: M3ter
    catalogue: Catalogue
    standing: Standing


@dataclass(frozen=True, slots=True)
class Workplace:
    """Where records are synced: from one org to one organization, for these integrations."""

    db: Db
    org: Org
    organization: Organization
    mappings: Mapping[UUID, document.Mapping]
    policy: Policy
    brake: Brake = field(default_factory=Brake)
