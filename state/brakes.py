"""The loop brake's memory: how often a record's syncs wrote to m3ter lately, and its pauses."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from state import database, sql
from state.database import Db

_SQL = sql.load("brakes")


@dataclass(frozen=True, slots=True)
class Braking:
    """How a record stands: syncs that wrote within the window, and what is left of a pause it is in."""

    writes: int
    pause_left: timedelta | None = None
    message: str = ""


@dataclass(frozen=True, slots=True)
class Author:
    """Who changed a record in Salesforce, from where (changeOrigin, often empty), and how often."""

    user_id: str
    origin: str
    changes: int


async def standing(db: Db, integration_id: UUID, record_id: str, window: timedelta) -> Braking:
    """By the database's clock. What a person asked for does not count, nor what was before the last pause."""
    row = await database.fetch_one(db, _SQL["standing"], integration_id, record_id, window)
    return Braking(row["writes"], row["pause_left"], row["message"] or "") if row else Braking(0)


async def put(db: Db, integration_id: UUID, record_id: str, pause: timedelta, message: str) -> None:
    """Leave the record alone for so long."""
    await database.execute(db, _SQL["put"], integration_id, record_id, pause, message)


async def authors(db: Db, integration_id: UUID, record_id: str, window: timedelta) -> list[Author]:
    """Who changed the record or its lines within the window."""
    rows = await database.fetch(db, _SQL["authors"], integration_id, record_id, window)
    return [Author(row["commit_user"], row["change_origin"], row["changes"]) for row in rows]
