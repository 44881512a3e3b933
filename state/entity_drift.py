"""Copies beside what became of their records in Salesforce by other hands: looked at, and wanted anew."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from uuid import UUID

from state import database, entity_copies, entity_siblings, sql
from state.database import Connection, Db, Row
from state.entity_models import CopyAction, CopyStatus, KnownCopy

_SQL = sql.load("entity_drift")


@dataclass(frozen=True, slots=True)
class Held:
    """A copy as it stands; `message` is what Salesforce said when it last did not take it."""

    known: KnownCopy
    action: CopyAction
    salesforce_id: str | None
    message: str

    @property
    def m3ter_id(self) -> str:
        return self.known.m3ter_id


@dataclass(frozen=True, slots=True)
class Drift:
    """The copy `held`, as it was seen, is not what its record says: that is `there` now; None: it is gone."""

    held: Held
    there: str | None


async def held(db: Db, integration_id: UUID, m3ter_ids: Collection[str]) -> dict[str, Held]:
    """Those of them that are known."""
    rows = await database.fetch(db, _SQL["held"], integration_id, list(m3ter_ids))
    return {row["m3ter_id"]: _held(row) for row in rows}


async def after(db: Db, integration_id: UUID, m3ter_id: str, limit: int) -> list[Held]:
    """The next copies in the order of their ids; "" is before the first."""
    return [_held(row) for row in await database.fetch(db, _SQL["after"], integration_id, m3ter_id, limit)]


async def count(db: Db, integration_id: UUID) -> int:
    """How many copies there are, counted one by one."""
    return int(await database.fetch_value(db, _SQL["count"], integration_id))


async def want_anew(tx: Connection, integration_id: UUID, drifts: Sequence[Drift]) -> int:
    """Have these written by the next run, whatever was written before; gives how many.

    A record that is gone is made anew by its external id, for all integrations that write to it. A copy that
    has changed since it was seen is left alone: it is dealt with anyway.
    """
    beside = await entity_siblings.with_same_records(tx, integration_id)
    ids = [each.held.m3ter_id for each in drifts]
    await entity_copies.hold(tx, integration_id, ids, *beside)
    columns = (
        ids,
        [each.held.known.digest for each in drifts],
        [each.held.salesforce_id for each in drifts],
        [each.there for each in drifts],
    )
    number = await database.execute(tx, _SQL["want_anew"], integration_id, *columns)
    number += await database.execute(tx, _SQL["mark_anew"], integration_id, *columns)
    if lost := [each.held.m3ter_id for each in drifts if each.there is None]:
        await database.execute(tx, _SQL["lost_beside"], beside, lost)
    return number


def _held(row: Row) -> Held:
    known = KnownCopy(
        m3ter_id=row["m3ter_id"],
        version=row["version"],
        mapped_with=row["mapped_with"],
        digest=row["digest"],
        written_digest=row["written_digest"],
        status=CopyStatus(row["status"]),
    )
    return Held(known, CopyAction(row["action"]), row["salesforce_id"], row["message"])
