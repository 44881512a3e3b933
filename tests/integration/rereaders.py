"""The re-readers alone over the sandbox: what they put into the inbox stays there to be looked at."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

from daemon.clients import Links
from daemon.to_m3ter.tasks import Manner, Tasks
from state import inbox, rereads, vault
from state.database import transaction
from state.reread_models import RereadStory
from state.rereads import RereadCause, Window
from tests.acceptance import house as houses
from tests.acceptance.house import House, until

HASTY = replace(houses.IMPATIENT, poll=timedelta(milliseconds=100), lease=timedelta(seconds=3))
LONG_AGO = datetime(2001, 1, 1, tzinfo=UTC)


@asynccontextmanager
async def rereading(house: House, manner: Manner = HASTY) -> AsyncIterator[asyncio.Event]:
    """The re-readers of all integrations; gives the event that stops them in order."""
    kept = vault.load_or_create_key(house.settings.vault_key_path)
    stop = asyncio.Event()
    async with Links(house.db, kept, houses.HURRIED) as links, asyncio.TaskGroup() as group:
        for task in await Tasks(house.db, links, manner).wanted():
            if task.name.startswith("reread:"):
                group.create_task(task.run(stop), name=task.name)
        try:
            yield stop
        finally:
            stop.set()


def window(object_name: str = "Opportunity", **more: Any) -> Window:
    """Of the whole object, as after an overflow, unless told otherwise."""
    given = {"cause": RereadCause.OVERFLOW, "from_at": LONG_AGO, **more}
    return Window(object_name, **given)


async def opened(house: House, *windows: Window) -> None:
    integration_id = house.integration.integration_id
    async with transaction(house.db) as tx:
        await rereads.open_windows(tx, integration_id, house.sandbox.salesforce["org_id"], windows)


async def stories(house: House) -> list[RereadStory]:
    return await rereads.latest(house.db)


async def read(house: House) -> list[RereadStory]:
    """Wait until every window is read, and give them, the latest first."""

    async def are_read() -> list[RereadStory]:
        found = await stories(house)
        return found if found and not any(each.is_open for each in found) else []

    found: list[RereadStory] = await until(are_read)
    return found


async def waiting(house: House, object_name: str = "Opportunity") -> set[str]:
    """The records of an object that the inbox has."""
    found = await inbox.find(house.db, limit=100_000)
    return {row.record_id for row in found if row.object_name == object_name}


async def pages(house: House) -> list[str]:
    """The queries of pages that were asked since the journal was cleared, oldest first."""
    entries = await house.sandbox.salesforce_control.journal("path=*/queryAll")
    asked = [parse_qs(each["query"])["q"][0] for each in entries]
    return [each for each in asked if "ORDER BY SystemModstamp" in each]
