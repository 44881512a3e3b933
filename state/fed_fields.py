"""What an org describes of the fields that custom fields feed, as it was last asked."""

from datetime import timedelta
from uuid import UUID

from state import database, sql
from state.database import Db

_SQL = sql.load("fed_fields")


async def get(db: Db, integration_id: UUID, described_for: str, age: timedelta) -> str | None:
    """The JSON text that was put for the same, unless it is older."""
    found: str | None = await database.fetch_value(db, _SQL["get"], integration_id, described_for, age)
    return found


async def put(db: Db, integration_id: UUID, described_for: str, fields: str) -> None:
    """In place of what was there of the integration."""
    await database.execute(db, _SQL["put"], integration_id, described_for, fields)
