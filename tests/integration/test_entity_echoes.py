"""The change events of copies are echoes, with the parents that they name; an edit of them is none."""

import asyncio
from collections.abc import Collection
from typing import Any

import pytest

from connectors.salesforce.models import ChangeEvent
from daemon import echoes
from daemon.clients import Links
from daemon.echoes import Ours
from daemon.tasks import Task
from daemon.to_salesforce.tasks import Tasks
from state import own_writes, vault
from state.database import transaction
from state.entity_models import EntitySync, EntityType
from state.own_writes import Verdict
from tests.acceptance import house as houses
from tests.acceptance.house import House
from tests.integration import copying

CONTRACT = "m3ter_Contract__c"
STRANGER = "a01D00000000001AAA"


@pytest.fixture(params=[CONTRACT, CONTRACT.lower()])
async def record(house: House, request: pytest.FixtureRequest) -> dict[str, Any]:
    """A contract's record, written while the other direction listens to its object, in whatever case."""
    (account_id,) = await copying.load(house, "Account", copying.rows(1))
    contract = {"accountId": account_id, "name": "Frame", "startDate": "2026-01-01", "endDate": "2027-01-01"}
    await copying.load(house, "Contract", [contract])
    await copying.once(house, await copying.added(house, EntityType.ACCOUNT))
    await copied_heard(house, request.param)
    (found,) = (await copying.copies(house, EntityType.CONTRACT)).values()
    return {name: value for name, value in found.items() if value is not None and name != "attributes"}


async def copied_heard(house: House, object_name: str) -> None:
    async def watched() -> Collection[str]:
        return {object_name}

    sync = await copying.added(house, EntityType.CONTRACT)
    kept = vault.load_or_create_key(house.settings.vault_key_path)
    async with Links(house.db, kept, houses.HURRIED) as links:
        tasks = await Tasks(house.db, links, copying.HASTY, watched).wanted()
        (task,) = (each for each in tasks if each.name.endswith(EntityType.CONTRACT.value))
        await until_copied(house, sync, task)


async def until_copied(house: House, sync: EntitySync, task: Task) -> None:
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(task.run(stop))
        await copying.ended(house, sync)
        stop.set()


async def judged(house: House, told: dict[str, Any]) -> Verdict:
    """The event of a new record with these fields, by our very user."""
    record_id = told["Id"]
    body = {name: value for name, value in told.items() if name != "Id"}
    event = ChangeEvent(
        channel="/data/m3ter_Contract__ChangeEvent",
        replay_id="1",
        object_name=CONTRACT,
        record_ids=(record_id,),
        change_type="CREATE",
        changed_fields=(),
        payload=body,
    )
    seen = echoes.seen(event, record_id, Ours("005D00000000001", "m3sync"))
    async with transaction(house.db) as tx:
        expected = await own_writes.meeting(
            tx,
            house.sandbox.salesforce["org_id"],
            record_ids=[record_id],
            keys=[each for each in seen.fields.values() if each],
            transaction_keys=[],
        )
    assert expected
    (verdict,) = echoes.sift([seen], expected).verdicts
    return verdict


async def test_a_copy_that_names_its_parent_by_external_id_comes_back_as_an_echo(
    house: House, record: dict[str, Any]
) -> None:
    assert record["m3ter_Account__c"]
    assert await judged(house, record) is Verdict.ECHO


@pytest.mark.parametrize("edited", [{"Name": "Mine"}, {"m3ter_Account__c": STRANGER}])
async def test_a_real_edit_of_it_is_seen_its_parent_included(
    house: House, record: dict[str, Any], edited: dict[str, Any]
) -> None:
    assert await judged(house, record | edited) is not Verdict.ECHO
