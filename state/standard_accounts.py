"""Which Salesforce Account each m3ter account is, as m3ter's external mappings said when last read."""

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from state import database, sql
from state.database import Db

_SQL = sql.load("standard_accounts")


async def now(db: Db) -> datetime:
    """The clock that `forget_unseen` goes by."""
    at: datetime = await database.fetch_value(db, _SQL["now"])
    return at


async def put(db: Db, m3ter_org_id: str, pairs: Sequence[tuple[str, str]]) -> None:
    """m3ter says so now: m3ter accounts, each with the id, 18 characters, of a Salesforce Account."""
    if pairs:
        m3ter_ids, salesforce_ids = zip(*pairs, strict=True)
        await database.execute(db, _SQL["put"], m3ter_org_id, list(m3ter_ids), list(salesforce_ids))


async def unseen(
    db: Db, m3ter_org_id: str, since: datetime, among: Collection[str] | None, after: str
) -> list[str]:
    """The first hundred m3ter accounts after this one, by id, of which m3ter did not say something again
    since then: among these, None is all."""
    ids = None if among is None else list(among)
    rows = await database.fetch(db, _SQL["unseen"], m3ter_org_id, since, ids, after)
    return [row["m3ter_id"] for row in rows]


async def forget_unseen(db: Db, m3ter_org_id: str, since: datetime, among: Collection[str]) -> None:
    """What m3ter did not say since then, of these m3ter accounts."""
    await database.execute(db, _SQL["forget_unseen"], m3ter_org_id, since, list(among))


async def known(db: Db, m3ter_org_id: str, m3ter_ids: Collection[str]) -> dict[str, str]:
    """The Salesforce Account of each of these that has one, by m3ter id: none that is known to be deleted."""
    rows = await database.fetch(db, _SQL["known"], m3ter_org_id, list(m3ter_ids))
    return {row["m3ter_id"]: row["salesforce_id"] for row in rows}


async def gone(db: Db, integration_id: UUID, salesforce_ids: Collection[str]) -> None:
    """Salesforce said to this entity data sync that it has these Accounts no more."""
    await database.execute(db, _SQL["gone"], integration_id, list(salesforce_ids))


async def forget_unnamed(db: Db, integration_id: UUID) -> None:
    """Those of these Accounts, told to any entity data sync in its org, that no m3ter account is any more."""
    await database.execute(db, _SQL["forget_unnamed"], integration_id)


async def gone_after(db: Db, integration_id: UUID, salesforce_id: str, limit: int) -> list[str]:
    """The next of these Accounts, told to any entity data sync in its org, in the order of their ids; "" is
    before the first."""
    rows = await database.fetch(db, _SQL["gone_after"], integration_id, salesforce_id, limit)
    return [row["record_id"] for row in rows]


async def back(db: Db, integration_id: UUID, salesforce_ids: Collection[str]) -> None:
    """Of these Accounts its org has some again: no entity data sync there is to leave them out."""
    await database.execute(db, _SQL["back"], integration_id, list(salesforce_ids))
