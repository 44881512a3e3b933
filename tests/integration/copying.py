"""Entity data syncs alone over the sandbox: integrations as an operator makes them, and their runs."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

from daemon.clients import Links
from daemon.retries import Policy
from daemon.to_salesforce import targets
from daemon.to_salesforce.place import Manner
from daemon.to_salesforce.tasks import Tasks
from state import entity_runs, entity_syncs, integrations, vault
from state.entity_models import EntityRun, EntitySync, EntitySyncSettings, EntityType, Namespace, RunCause
from state.models import RunStatus
from tests.acceptance import house as houses
from tests.acceptance.house import House, until
from tests.entity_examples import declared

NEVER = "0 0 29 2 *"
HASTY = Manner(
    feed=timedelta(hours=1),
    lease=timedelta(seconds=3),
    poll=timedelta(milliseconds=50),
    linger=timedelta(seconds=2),
    policy=Policy(first=timedelta(milliseconds=20), longest=timedelta(milliseconds=200), max_attempts=8),
)
FED = replace(HASTY, feed=timedelta(milliseconds=100))
OVER = frozenset(set(RunStatus) - {RunStatus.WAITING, RunStatus.STARTED})


async def declare(house: House, namespace: Namespace = Namespace.CUSTOM) -> None:
    """The custom objects, as an administrator has them after a deployment."""
    await house.sandbox.salesforce_control.call("POST", "org/declare", declared(namespace.value))


async def added(house: House, entity_type: EntityType, name: str = "", **more: Any) -> EntitySync:
    """An enabled integration; run only when a test says so, after its first time."""
    given = {"namespace": Namespace.CUSTOM, "schedule": NEVER, **more}
    made = await entity_syncs.add(
        house.db,
        name or entity_type.value,
        EntitySyncSettings(entity_type, **given),
        salesforce_credential_id=house.integration.salesforce_credential_id,
        m3ter_credential_id=house.integration.m3ter_credential_id,
    )
    await integrations.enable(house.db, made.integration.name)
    return await entity_syncs.get(house.db, made.integration.name)


@asynccontextmanager
async def copying(house: House, manner: Manner = HASTY) -> AsyncIterator[asyncio.Event]:
    """The tasks of all integrations of this flow; gives the event that stops them in order."""
    kept = vault.load_or_create_key(house.settings.vault_key_path)
    stop = asyncio.Event()
    async with Links(house.db, kept, houses.HURRIED) as links, asyncio.TaskGroup() as group:
        for task in await Tasks(house.db, links, manner).wanted():
            group.create_task(task.run(stop), name=task.name)
        try:
            yield stop
        finally:
            stop.set()


async def jobs(house: House) -> list[dict[str, Any]]:
    """The Bulk jobs that Salesforce knows of."""
    found: list[dict[str, Any]] = (await house.salesforce("GET", "/jobs/ingest"))["records"]
    return found


async def ended(house: House, sync: EntitySync, number: int = 1) -> EntityRun:
    """The latest run once so many of the integration have ended."""

    async def have_ended() -> list[EntityRun]:
        found = await entity_runs.list_runs(house.db, sync.integration.integration_id)
        return found if len([run for run in found if run.status in OVER]) >= number else []

    found: list[EntityRun] = await until(have_ended)
    return found[0]


async def again(house: House, sync: EntitySync) -> EntityRun:
    """One more run, by hand, to its end."""
    before = await entity_runs.list_runs(house.db, sync.integration.integration_id)
    await entity_runs.ask(house.db, sync.integration.integration_id, RunCause.MANUAL)
    return await ended(house, sync, len(before) + 1)


async def once(house: House, sync: EntitySync, manner: Manner = HASTY) -> EntityRun:
    """One run in a daemon that lives only for it: the first, or one more.

    That is asked for before the daemon starts, so that its feed does not do the work of it instead.
    """
    before = await entity_runs.list_runs(house.db, sync.integration.integration_id)
    if before:
        await entity_runs.ask(house.db, sync.integration.integration_id, RunCause.MANUAL)
    async with copying(house, manner):
        return await ended(house, sync, len(before) + 1)


async def copies(
    house: House, entity_type: EntityType, namespace: Namespace = Namespace.CUSTOM
) -> dict[str, Any]:
    """The records in Salesforce, all fields, by m3ter id."""
    target = targets.target(entity_type.value, namespace.value)
    names = ", ".join(["Id", *(field.name for field in target.fields)])
    found = await house.query(f"SELECT {names} FROM {target.object_name}")
    return {record[target.key_field]: record for record in found}


async def calls(house: House) -> Counter[str]:
    """What Salesforce was asked since its journal was cleared, by method and path; not whether it is there,
    which a daemon asks once a minute whatever it has to do."""
    entries = await house.sandbox.salesforce_control.journal()
    return Counter(
        f"{each['method']} {each['path'].partition('/v67.0')[2]}"
        for each in entries
        if "/services/data" in each["path"] and not each["path"].endswith("/limits")
    )


def rows(number: int, prefix: str = "crowd") -> list[dict[str, Any]]:
    """So many accounts for m3ter."""
    return [
        {"name": f"{prefix} {n:05}", "code": f"{prefix}-{n:05}", "emailAddress": f"{prefix}{n}@example.com"}
        for n in range(number)
    ]


async def load(house: House, kind: str, some: list[dict[str, Any]]) -> list[str]:
    """Put entities into m3ter without events; gives their ids."""
    found = await house.sandbox.m3ter_control.call("POST", "load", {"kind": kind, "rows": some})
    ids: list[str] = found["ids"]
    return ids


async def edited(house: House, sync: EntitySync, **changes: Any) -> EntitySync:
    """The integration with some settings changed."""
    current = await entity_syncs.get(house.db, sync.integration.name)
    return await entity_syncs.edit(house.db, sync.integration.name, replace(current.settings, **changes))


async def latest(house: House, sync: EntitySync) -> EntityRun:
    """The run that was asked for last."""
    run = await entity_runs.last(house.db, sync.integration.integration_id)
    assert run is not None
    return run


async def read_some(house: House, sync: EntitySync) -> None:
    """Wait until the run under way has kept a page or two."""

    async def has_read() -> bool:
        run = await entity_runs.last(house.db, sync.integration.integration_id)
        return run is not None and run.pages >= 2

    await until(has_read)


async def all_ids(house: House, entity_type: EntityType) -> list[str]:
    """The m3ter ids in Salesforce, however many pages."""
    target = targets.target(entity_type.value, Namespace.CUSTOM.value)
    soql = f"SELECT {target.key_field} FROM {target.object_name}"
    return [record[target.key_field] for record in await house.query(soql)]
