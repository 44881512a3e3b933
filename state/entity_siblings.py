"""Entity data syncs with copies in the same namespace of the same Salesforce org, by whatever credentials."""

from dataclasses import dataclass
from uuid import UUID

from state import database, sql
from state.database import Db
from state.entity_models import EntityType

_SQL = sql.load("entity_siblings")


@dataclass(frozen=True, slots=True)
class Sibling:
    """One of them; of the same entity type, it writes to the same records."""

    integration_id: UUID
    entity_type: EntityType
    is_enabled: bool
    has_same_records: bool


async def of(db: Db, integration_id: UUID) -> list[Sibling]:
    """All of them, the integration itself too, in one order."""
    rows = await database.fetch(db, _SQL["siblings"], integration_id)
    return [Sibling(**{**row, "entity_type": EntityType(row["entity_type"])}) for row in rows]


async def with_same_records(db: Db, integration_id: UUID) -> list[UUID]:
    """The other ones that write to its records."""
    found = [each for each in await of(db, integration_id) if each.has_same_records]
    return [each.integration_id for each in found if each.integration_id != integration_id]
