"""Which Salesforce record is which m3ter entity, as m3sync knows it."""

from collections.abc import Collection
from datetime import timedelta

from state import database, sql
from state.database import Connection, Db
from state.models import ExternalMapping

_SQL = sql.load("external_mappings")


async def find(
    db: Db, m3ter_org_id: str, m3ter_entity: str, external_table: str, external_id: str
) -> ExternalMapping | None:
    """The m3ter entity that a Salesforce record is, None when not known."""
    row = await database.fetch_one(db, _SQL["find"], m3ter_org_id, m3ter_entity, external_table, external_id)
    return ExternalMapping(**row) if row else None


async def of_records(db: Db, external_ids: Collection[str]) -> list[ExternalMapping]:
    """Everything these Salesforce records are in m3ter."""
    rows = await database.fetch(db, _SQL["of_records"], list(external_ids))
    return [ExternalMapping(**row) for row in rows]


async def is_older(db: Db, mapping: ExternalMapping, age: timedelta) -> bool:
    """Whether the record has been this entity for longer than `age`, by the database's clock."""
    key = (mapping.m3ter_org_id, mapping.m3ter_entity, mapping.external_table, mapping.external_id)
    return bool(await database.fetch_value(db, _SQL["is_older"], *key, mapping.m3ter_id, age))


async def put(tx: Connection, mapping: ExternalMapping) -> None:
    """Write or overwrite; without an `external_mapping_id` the known one of the same entity stays."""
    await database.execute(
        *(tx, _SQL["put"], mapping.m3ter_org_id, mapping.m3ter_entity, mapping.external_table),
        *(mapping.external_id, mapping.m3ter_id, mapping.external_mapping_id),
    )


async def forget(
    tx: Connection, m3ter_org_id: str, m3ter_entity: str, external_table: str, external_id: str
) -> None:
    """The entity is gone from m3ter."""
    await database.execute(tx, _SQL["forget"], m3ter_org_id, m3ter_entity, external_table, external_id)


async def holders(
    db: Db, m3ter_org_id: str, m3ter_entity: str, m3ter_ids: Collection[str]
) -> dict[str, list[tuple[str, str]]]:
    """The (Salesforce object, record id) pairs that hold each of these entities; absent when none does."""
    rows = await database.fetch(db, _SQL["holders"], m3ter_org_id, m3ter_entity, list(m3ter_ids))
    found: dict[str, list[tuple[str, str]]] = {}
    for row in rows:
        found.setdefault(row["m3ter_id"], []).append((row["external_table"], row["external_id"]))
    return found
