import asyncio
from datetime import UTC, datetime

from state import checkpoints, database
from state.database import Pool
from tests.integration.state_rows import ORG

ACCOUNTS, ORDERS = "/data/AccountChangeEvent", "/data/OrderChangeEvent"


async def advance(db: Pool, **positions: str) -> None:
    named = {"accounts": ACCOUNTS, "orders": ORDERS}
    async with database.transaction(db) as tx:
        found = {named[name]: replay_id for name, replay_id in positions.items()}
        await checkpoints.advance(tx, ORG, "cometd", found)


async def test_channels_advance_together_and_by_themselves(db: Pool) -> None:
    assert await checkpoints.get(db, ORG, "cometd", [ACCOUNTS, ORDERS]) == {}
    await advance(db, accounts="10", orders="20")
    await advance(db, orders="21")
    assert await checkpoints.get(db, ORG, "cometd", [ACCOUNTS, ORDERS]) == {ACCOUNTS: "10", ORDERS: "21"}
    assert await checkpoints.get(db, ORG, "cometd", [ORDERS]) == {ORDERS: "21"}


async def test_a_replay_id_means_nothing_to_another_org_or_transport(db: Pool) -> None:
    await advance(db, accounts="10")
    assert await checkpoints.get(db, "00D000000000002EAA", "cometd", [ACCOUNTS]) == {}
    assert await checkpoints.get(db, ORG, "pubsub", [ACCOUNTS]) == {}


async def test_a_replay_id_is_opaque_and_may_be_smaller_than_the_one_before(db: Pool) -> None:
    await advance(db, accounts="99999999999999999999")
    await advance(db, accounts="AAAAAAAAABg=")
    assert await checkpoints.get(db, ORG, "cometd", [ACCOUNTS]) == {ACCOUNTS: "AAAAAAAAABg="}


async def test_a_refused_position_is_forgotten(db: Pool) -> None:
    await advance(db, accounts="10", orders="20")
    async with database.transaction(db) as tx:
        await checkpoints.forget(tx, ORG, "cometd", [ACCOUNTS])
    assert await checkpoints.get(db, ORG, "cometd", [ACCOUNTS, ORDERS]) == {ORDERS: "20"}


async def test_the_event_time_of_a_checkpoint_is_kept_until_another_is_known(db: Pool) -> None:
    at = datetime(2026, 11, 21, 8, tzinfo=UTC)
    async with database.transaction(db) as tx:
        await checkpoints.advance(tx, ORG, "cometd", {ACCOUNTS: "1"}, {ACCOUNTS: at})
        await checkpoints.advance(tx, ORG, "cometd", {ACCOUNTS: "2"})
        await checkpoints.advance(tx, ORG, "cometd", {})
    assert await db.fetchval("SELECT event_at FROM checkpoints") == at


async def test_daemons_advancing_the_same_channels_do_not_deadlock(db: Pool) -> None:
    one, other = {"accounts": "1", "orders": "1"}, {"orders": "2", "accounts": "2"}
    await asyncio.gather(*(advance(db, **positions) for positions in (one, other) * 10))
