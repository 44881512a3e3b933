"""A record that Salesforce refuses: its batch goes on, its words are shown, and who has it tried again."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from state import entity_copies, entity_runs
from state.entity_models import CopyStatus, EntityRun, EntityType, RunCause
from tests.acceptance import entity_hurried, entity_scenes
from tests.acceptance.commands import Commands
from tests.acceptance.entity_scenes import EntityScene
from tests.acceptance.house import until
from tests.acceptance.scenes import Ground

SAID = "A contract of ours ends before 2029."
RULE = {
    "object": "m3ter_Contract__c",
    "field": "Name",
    "is": "contains",
    "value": "mill",
    "message": SAID,
    "error_field": "End_Date__c",
}


@pytest.fixture
async def stage(database_server: str, database_template: str, tmp_path: Path) -> AsyncIterator[EntityScene]:
    ground = Ground(database_server, database_template, tmp_path)
    async with entity_scenes.scene(ground, "refusals") as made:
        made.program = entity_hurried.main
        yield made


@asynccontextmanager
async def refused(stage: EntityScene) -> AsyncIterator[Commands]:
    """The daemon, once all but the mill's contract and what hangs on it have been copied; gives `m3sync`."""
    await stage.sandbox.salesforce_control.call("POST", "org/rules", {"validations": [RULE]})
    async with stage.daemon():
        await until(lambda: _stands(stage, CopyStatus.REFUSED, 1))
        await until(lambda: _stands(stage, CopyStatus.WRITTEN, 3))
        yield Commands(stage.config.parent)


async def _stands(stage: EntityScene, status: CopyStatus, number: int) -> bool:
    integration_id = stage.syncs[EntityType.CONTRACT].integration.integration_id
    return (await entity_copies.census(stage.house.db, integration_id))[status] == number


async def _ended(stage: EntityScene, cause: RunCause) -> EntityRun | None:
    """The latest run for contracts of this cause that has ended."""
    integration_id = stage.syncs[EntityType.CONTRACT].integration.integration_id
    found = await entity_runs.list_runs(stage.house.db, integration_id)
    return next((run for run in found if run.cause is cause and run.completed_at is not None), None)


async def _attempts(stage: EntityScene) -> int:
    """How often the mill's contract was sent, alone or among others."""
    entries = await stage.sandbox.salesforce_control.journal("bodies=1&method=PATCH&path=*m3ter_Contract__c*")
    return sum(stage.company.ids["mill contract"] in str(entry["request"]) for entry in entries)


async def test_the_refused_record_is_shown_with_its_own_words_and_tried_again_when_it_changes(
    stage: EntityScene,
) -> None:
    m3ter_id = stage.company.ids["mill contract"]
    async with refused(stage) as m3sync:
        (status, explained) = (
            await m3sync.done("status"),
            await m3sync.done("explain", m3ter_id),
        )
        for told in (status.out, explained.out):
            assert SAID in " ".join(told.split())
            assert m3ter_id in told
        assert "End_Date__c" in explained.out
        sent = await _attempts(stage)
        assert sent == 2, "with its batch, and once alone"
        # A run that finds it unchanged lets it rest.
        await stage.rescan()
        await until(lambda: _ended(stage, RunCause.MANUAL))
        assert await _attempts(stage) == sent
        stage.company.change("Contract", "mill contract", name="Frame of the Mull")
        stage.seen.note()
        await stage.settle(seconds=90)
    assert await stage.unsettled() == []


async def test_the_refused_record_is_tried_again_when_a_person_says_so(stage: EntityScene) -> None:
    async with refused(stage) as m3sync:
        await stage.sandbox.salesforce_control.call("DELETE", "org/rules")
        sent = await _attempts(stage)
        said = await m3sync.done("integrations", "retry", "Contract", stage.company.ids["mill contract"])
        assert "1 record is tried again" in said.out
        await stage.settle(seconds=90)
        assert await _attempts(stage) == sent + 1
    assert await stage.wrongs() == []


async def test_a_locked_row_is_tried_again_by_itself_and_nothing_is_reported(stage: EntityScene) -> None:
    locked = {"object": "m3ter_Account__c", "field": "m3ter_Id__c", "values": [stage.company.ids["mill"]]}
    await stage.sandbox.salesforce_control.call("POST", "org/rules", {"locks": [{**locked, "times": 2}]})
    async with stage.daemon():
        await stage.settle(seconds=90)
    assert await stage.wrongs() == []


async def test_a_child_waits_for_its_parent_and_comes_once_that_is_there(stage: EntityScene) -> None:
    """The mill is refused at first: what is the mill's is there once it is let in."""
    rule = RULE | {"object": "m3ter_Account__c", "value": "Mill", "error_field": "Name"}
    await stage.sandbox.salesforce_control.call("POST", "org/rules", {"validations": [rule]})
    waits = "SELECT count(*) FROM entity_copies WHERE status = 'WAITING' AND error LIKE 'Foreign key%'"
    async with stage.daemon():
        await until(lambda: _is(stage, waits, 4), seconds=40)
        await stage.sandbox.salesforce_control.call("DELETE", "org/rules")
        account = stage.syncs[EntityType.ACCOUNT]
        await entity_copies.retry(stage.house.db, account.integration.integration_id)
        await stage.settle(seconds=60)
    assert await stage.wrongs() == []


async def _is(stage: EntityScene, statement: str, number: int) -> bool:
    found: int = await stage.house.db.fetchval(statement)
    return found == number
