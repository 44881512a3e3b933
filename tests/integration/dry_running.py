"""Dry runs over the sandbox, and somebody who edits and deletes copies in Salesforce."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypeVar

import pytest

from daemon.clients import Links
from daemon.to_salesforce import dry_run, tasks
from daemon.to_salesforce.dry_run import Cost, Difference
from daemon.to_salesforce.gauge import ReserveReached
from daemon.to_salesforce.place import Place
from state import vault
from state.entity_models import EntitySync, EntityType
from tests.acceptance import house as houses
from tests.acceptance.house import House
from tests.integration import copying

TABLES = ("entity_runs", "entity_copies", "entity_seen", "own_writes")
T = TypeVar("T")


async def told(
    house: House, sync: EntitySync, *, is_restoring: bool = False
) -> tuple[list[Difference], Cost]:
    """The differences, and that nothing was written by telling them."""
    before = [await house.db.fetchval(f"SELECT count(*) FROM {table}") for table in TABLES]
    await house.sandbox.salesforce_control.clear_journal()
    found, cost = list[Difference](), Cost()
    async with at_work(house, sync) as place:
        found = [each async for each in dry_run.dry_run(place, cost, is_restoring=is_restoring)]
    assert {call.partition(" ")[0] for call in await copying.calls(house)} <= {"GET"}
    assert before == [await house.db.fetchval(f"SELECT count(*) FROM {table}") for table in TABLES]
    return found, cost


@asynccontextmanager
async def at_work(house: House, sync: EntitySync) -> AsyncIterator[Place]:
    kept = vault.load_or_create_key(house.settings.vault_key_path)
    async with Links(house.db, kept, houses.HURRIED) as links:
        ready = await tasks.connect(house.db, links, sync, copying.HASTY)
        assert ready is not None
        yield ready.place


async def until_reserve(source: AsyncIterator[T]) -> list[T]:
    """What it gives before the reserve of the day's API calls ends it, which it must."""
    found: list[T] = []
    try:
        async for each in source:
            found.append(each)  # noqa: PERF401 - a comprehension would lose what came before
    except ReserveReached:
        return found
    pytest.fail("the reserve did not end it")


async def meddled(house: House, edited: str, deleted: str) -> None:
    """By somebody's hand, in Salesforce."""
    records = await copying.copies(house, EntityType.ACCOUNT)
    await house.salesforce(
        "PATCH", f"/sobjects/m3ter_Account__c/{records[edited]['Id']}", {"Code__c": "by hand"}
    )
    await house.salesforce("DELETE", f"/sobjects/m3ter_Account__c/{records[deleted]['Id']}")
