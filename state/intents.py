"""Creates that were about to be sent to m3ter, written down before, closed after (README, promise 3)."""

from collections.abc import Collection
from uuid import UUID

from state import database, inbox, sql
from state.database import Connection, Db, Row
from state.errors import Conflict, NotFound
from state.models import INTENT_TRANSITIONS, Claim, Intent, IntentStatus, NewIntent, may_become

_SQL = sql.load("intents")


async def open_intent(db: Db, claim: Claim, new: NewIntent) -> Intent:
    """Write down, durably and fenced by the claim, that this create is about to be sent.

    One still open for the same record and entity is taken up again: its body becomes the new one, and what
    it said before stays in `earlier_bodies`, because that may have been sent. Raises LeaseLost.
    """
    async with database.transaction(db) as tx:
        await inbox.renew(tx, claim)
        values = (new.m3ter_org_id, new.m3ter_entity, new.external_table, new.external_id, new.body)
        row = await database.fetch_one(tx, _SQL["open"], *values)
        assert row is not None  # noqa: S101 - the statement always gives a row
    return _intent(row)


async def find_open(
    db: Db, m3ter_org_id: str, m3ter_entity: str, external_table: str, external_id: str
) -> Intent | None:
    """The create that may have been sent and whose end is not known, None when there is none."""
    values = (m3ter_org_id, m3ter_entity, external_table, external_id)
    row = await database.fetch_one(db, _SQL["find_open"], *values)
    return _intent(row) if row else None


async def of_records(db: Db, external_ids: Collection[str]) -> list[Intent]:
    """The open intents of these Salesforce records, oldest first."""
    return [_intent(row) for row in await database.fetch(db, _SQL["of_records"], list(external_ids))]


async def get(db: Db, intent_id: UUID) -> Intent:
    """Raises NotFound."""
    row = await database.fetch_one(db, _SQL["get"], intent_id)
    if row is None:
        raise NotFound(f"There is no intent {intent_id}.")
    return _intent(row)


async def close(tx: Connection, intent_id: UUID, status: IntentStatus, m3ter_id: str | None = None) -> None:
    """DONE with the entity's id, or REFUSED: nothing was created. Raises NotFound, Conflict."""
    sources = may_become(INTENT_TRANSITIONS, status)
    if not await database.execute(tx, _SQL["close"], intent_id, status, m3ter_id, sources):
        found = await get(tx, intent_id)
        raise Conflict(f"The intent {intent_id} is {found.status} and cannot become {status}.")


def _intent(row: Row) -> Intent:
    return Intent(
        **{
            **row,
            "earlier_bodies": tuple(row["earlier_bodies"]),
            "status": IntentStatus(row["status"]),
        }
    )
