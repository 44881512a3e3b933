"""The subscribers alone over the sandbox: what they put into the inbox stays there to be looked at."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from connectors.salesforce.outages import Pace
from daemon.clients import Links
from daemon.to_m3ter.subscriber import Timings
from daemon.to_m3ter.tasks import Manner, Tasks
from state import checkpoints, health, inbox, rereads, vault
from state.checkpoints import Position, Reader
from state.models import Health, InboxRow
from state.rereads import RereadStory
from tests.acceptance import house as houses
from tests.acceptance.house import House, until

OPPORTUNITIES, LINES = "/data/OpportunityChangeEvent", "/data/OpportunityLineItemChangeEvent"
SOON = timedelta(milliseconds=50)
HASTY = replace(
    houses.IMPATIENT,
    listening=Timings(houses.IMPATIENT.policy, Pace(first=SOON, longest=SOON), refused=SOON * 10),
)
DOUBTFUL = replace(HASTY, listening=replace(HASTY.listening, silence=timedelta(milliseconds=100)))


@asynccontextmanager
async def begun(house: House, *names: str, manner: Manner = HASTY) -> AsyncIterator[list[str]]:
    """The streams of the integrations named, or of all that are enabled, just started; gives their names."""
    kept = vault.load_or_create_key(house.settings.vault_key_path)
    stop = asyncio.Event()
    async with Links(house.db, kept, houses.HURRIED) as links, asyncio.TaskGroup() as group:
        streams = [
            task
            for task in await Tasks(house.db, links, manner).wanted()
            if task.name.startswith("stream:") and (not names or task.name.partition(":")[2] in names)
        ]
        for task in streams:
            await health.forget(house.db, task.name)  # what an earlier one said
            group.create_task(task.run(stop), name=task.name)
        try:
            yield [task.name for task in streams]
        finally:
            stop.set()


@asynccontextmanager
async def listening(house: House, *names: str, manner: Manner = HASTY) -> AsyncIterator[None]:
    """The same, once they all listen."""
    async with begun(house, *names, manner=manner) as streams:
        for name in streams:
            await until(partial(reported, house, name, is_well=True))
        yield


async def line_of(house: House, deal: str) -> str:
    """A line of this Opportunity."""
    where = f"OpportunityId = '{deal}' LIMIT 1"
    return str((await house.query(f"SELECT Id FROM OpportunityLineItem WHERE {where}"))[0]["Id"])


async def reported(house: House, subject: str, *, is_well: bool) -> Health | None:
    found = [each for each in await health.all(house.db) if each.subject.startswith(subject)]
    return next((each for each in found if each.is_well is is_well), None)


def rows(house: House, count: int) -> Callable[[], Awaitable[list[InboxRow]]]:
    async def enough() -> list[InboxRow]:
        found = await inbox.find(house.db)
        return found if len(found) >= count else []

    return enough


async def touch(house: House, object_name: str, record_id: str, fields: dict[str, Any]) -> None:
    await house.salesforce("PATCH", f"/sobjects/{object_name}/{record_id}", fields)


def reader(house: House) -> Reader:
    return Reader(house.integration.integration_id, house.sandbox.salesforce["org_id"])


async def positions(house: House) -> dict[str, Position]:
    return await checkpoints.get(house.db, reader(house), [OPPORTUNITIES, LINES])


async def heard_of(house: House, record_id: str, times: int = 1) -> bool:
    asked = "SELECT count(*) FROM change_events WHERE record_id = $1"
    return bool(await house.db.fetchval(asked, record_id) >= times)


async def wanted_by(house: House, record_id: str) -> set[str]:
    """The integrations whose inbox has the record."""
    return {row.integration_name for row in await inbox.find(house.db, record_id=record_id)}


async def windows(house: House, cause: str = "") -> list[RereadStory]:
    """What is to be read again, the latest first, for all causes or one."""
    return [each for each in await rereads.latest(house.db, limit=100) if each.cause.startswith(cause)]


async def is_covered(house: House, record_id: str, object_name: str = "Opportunity") -> bool:
    """Whether a window that is to be read holds the record's last change, be it its deletion."""
    soql = f"SELECT SystemModstamp FROM {object_name} WHERE Id = '{record_id}'"
    found = await house.salesforce("GET", f"/queryAll?q={soql.replace(' ', '+')}")
    at = datetime.fromisoformat(found["records"][0]["SystemModstamp"])
    return any(
        each.object_name == object_name
        and each.cause != "look-up"  # which reads no change
        and (each.from_at is None or each.from_at <= at)
        and (each.until_at is None or at <= each.until_at)
        for each in await windows(house)
    )


async def placed(house: House, count: int = 1) -> None:
    """Give both channels a place: one event each, seen by every stream, and forgotten."""
    lines = await house.query("SELECT Id, OpportunityId FROM OpportunityLineItem LIMIT 1")
    await touch(house, "Opportunity", lines[0]["OpportunityId"], {"NextStep": "for a place"})
    await touch(house, "OpportunityLineItem", lines[0]["Id"], {"Description": "for a place"})
    await until(partial(_have_places, house, count))
    await house.db.execute("DELETE FROM inbox; DELETE FROM change_events; DELETE FROM rereads")


async def _have_places(house: House, count: int) -> bool:
    found = await house.db.fetchval("SELECT count(*) FROM checkpoints WHERE replay_id <> '-1'")
    return bool(found >= 2 * count)
