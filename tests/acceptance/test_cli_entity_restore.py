"""What drifted in Salesforce, by commands: told apart, told with its cost, and written anew."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from daemon.to_m3ter import presets
from state.database import Pool
from state.entity_models import EntitySync, EntityType
from tests.acceptance import entity_customers as customers
from tests.acceptance import house as houses
from tests.acceptance.commands import Commands
from tests.acceptance.house import House
from tests.integration import copying
from tests.integration.dry_running import meddled
from tests.sandboxes import LocalSandbox

RUN = ("integrations", "run", "accounts")


@dataclass(slots=True)
class Desk:
    """The house, the command line on it, and three accounts copied into Salesforce."""

    house: House
    m3sync: Commands
    ids: list[str]
    sync: EntitySync


@pytest.fixture
async def desk(
    empty_sandbox: LocalSandbox, db: Pool, database_url: str, tmp_path: Path
) -> AsyncIterator[Desk]:
    opening = houses.built(empty_sandbox, db, database_url, tmp_path, presets.text("opportunity"))
    async with opening as house:
        await copying.declare(house)
        ids = await copying.load(house, "Account", copying.rows(3))
        sync = await copying.added(house, EntityType.ACCOUNT, "accounts")
        await copying.once(house, sync)
        key = {"M3SYNC_VAULT_KEY_FILE": str(house.settings.vault_key_path)}
        commands = Commands(tmp_path / "desk", key)
        commands.directory.mkdir()
        commands.configure(database_url)
        yield Desk(house, commands, ids, sync)


def _lines_of_sense(text: str) -> list[str]:
    """Without the values of fields, which may be as long as they are."""
    return [line for line in text.splitlines() if not line.startswith("    ")]


async def test_what_drifted_is_told_and_written_anew_when_asked_for(desk: Desk) -> None:
    await meddled(desk.house, edited=desk.ids[0], deleted=desk.ids[1])
    told = await desk.m3sync.done(*RUN, "--dry-run")
    for text in (
        *(f"drifted {desk.ids[0]} (", "Code__c: by hand -> crowd-00000"),
        *(f"drifted {desk.ids[1]}", "deleted in Salesforce", "0 Salesforce calls to write"),
        "m3sync integrations run accounts --restore",
    ):
        assert text in told.out
    assert max(map(len, _lines_of_sense(told.out))) <= 80, told.out

    tried = (await desk.m3sync.done(*RUN, "--dry-run", "--restore", "--json")).document()
    assert (tried["counts"], tried["cost"]["writing_calls"]) == ({"update": 1, "create": 1}, 1)
    assert len(await copying.copies(desk.house, EntityType.ACCOUNT)) == 2

    async with houses.app_running(desk.house):
        done = await desk.m3sync.done(*RUN, "--restore")
    assert "2 records that differ only in Salesforce" in done.out
    assert "COMPLETE after" in done.out
    assert len(await copying.copies(desk.house, EntityType.ACCOUNT)) == 3
    assert "Nothing differs" in (await desk.m3sync.done(*RUN, "--dry-run")).out


async def test_a_dry_run_that_reaches_the_reserve_shows_what_it_saw_and_fails(desk: Desk) -> None:
    customers.vanish(desk.house, EntityType.ACCOUNT, desk.ids[2])
    await copying.load(desk.house, "Account", copying.rows(600, "more"))
    await desk.house.sandbox.salesforce_control.call("POST", "org/limit", {"max": 1000, "used": 899})
    told = await desk.m3sync(*RUN, "--dry-run")
    assert told.code == 1
    assert "Not all records were looked at. The org has used 900 of its 1,000 daily API calls" in told.err
    assert "api_reserve_percent" in told.err
    assert "and " in told.out
    assert "none, beyond the reserve" in told.out
    told = await desk.m3sync(*RUN, "--dry-run", "--json")
    assert (told.code, told.document()["counts"]["create"] > 100) == (1, True)
    assert "of its 1,000 daily API calls" in told.document()["ended_early"]
    stopped = await desk.m3sync(*RUN, "--restore")
    assert (stopped.code, "Given again, --restore finds the others" in stopped.err) == (1, True)


async def test_refused_records_are_told_with_their_reason_and_the_command_that_retries(desk: Desk) -> None:
    rule = {"object": "m3ter_Account__c", "field": "Code__c", "is": "equals", "value": "bad-00000"}
    rules = {"validations": [{**rule, "message": "not this one"}]}
    await desk.house.sandbox.salesforce_control.call("POST", "org/rules", rules)
    await copying.load(desk.house, "Account", copying.rows(1, "bad"))
    await copying.once(desk.house, desk.sync)
    told = await desk.m3sync(*RUN, "--dry-run")
    assert told.code == 1
    for text in ("refused ", "not this one", "m3sync integrations retry accounts"):
        assert text in told.out


async def test_before_the_package_is_deployed_it_is_said_what_is_missing(desk: Desk) -> None:
    made = ("--entity", "Contract", "--salesforce", "salesforce", "--m3ter", "m3ter")
    await desk.m3sync.done("integrations", "add", "vendor", *made)
    await customers.made(desk.house, "A1")
    told = await desk.m3sync("integrations", "run", "vendor", "--dry-run")
    assert told.code == 1
    assert "Salesforce has no object m3__Contract__c" in told.err
    assert "m3sync doctor" in told.err
    assert "SELECT" not in told.err
