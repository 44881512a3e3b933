"""A dry run tells what would change in live Salesforce, and its cost, and changes nothing anywhere."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from daemon.clients import Links
from daemon.to_m3ter import presets
from daemon.to_salesforce import dry_run, tasks
from daemon.to_salesforce.dry_run import Cost, Difference
from state import vault
from state.database import Pool
from state.entity_models import EntitySync, EntityType
from tests.acceptance import house as houses
from tests.acceptance.house import House
from tests.integration import copying
from tests.sandboxes import LocalSandbox

TABLES = ("entity_runs", "entity_copies", "entity_seen", "own_writes")


@pytest.fixture
async def house(
    empty_sandbox: LocalSandbox, db: Pool, database_url: str, tmp_path: Path
) -> AsyncIterator[House]:
    opening = houses.built(empty_sandbox, db, database_url, tmp_path, presets.text("opportunity"))
    async with opening as built:
        await copying.declare(built)
        yield built


async def told(house: House, sync: EntitySync) -> tuple[list[Difference], Cost]:
    """The differences, and that nothing was written by telling them."""
    before = [await house.db.fetchval(f"SELECT count(*) FROM {table}") for table in TABLES]
    await house.sandbox.salesforce_control.clear_journal()
    kept, cost = vault.load_or_create_key(house.settings.vault_key_path), Cost()
    async with Links(house.db, kept, houses.HURRIED) as links:
        ready = await tasks.connect(house.db, links, sync, copying.HASTY)
        assert ready is not None
        found = [each async for each in dry_run.dry_run(ready.place, cost)]
    assert {call.partition(" ")[0] for call in await copying.calls(house)} <= {"GET"}
    assert before == [await house.db.fetchval(f"SELECT count(*) FROM {table}") for table in TABLES]
    return found, cost


async def test_before_the_first_run_everything_is_to_be_created(house: House) -> None:
    ids = await copying.load(house, "Account", copying.rows(250))
    sync = await copying.added(house, EntityType.ACCOUNT)
    found, cost = await told(house, sync)
    assert {each.m3ter_id for each in found} == set(ids)
    assert {(each.action, each.salesforce_id) for each in found} == {("create", None)}
    assert found[0].fields["Name"] == (None, "crowd 00249")
    assert (cost.entities, cost.upserts, cost.writing_calls, cost.m3ter_calls) == (250, 250, 2, 3)
    assert cost.calls_left


async def test_after_a_run_only_what_differs_from_live_salesforce_is_told(house: House) -> None:
    ids = await copying.load(house, "Account", copying.rows(5))
    sync = await copying.added(house, EntityType.ACCOUNT)
    await copying.once(house, sync)
    assert (await told(house, sync))[0] == []

    record = (await copying.copies(house, EntityType.ACCOUNT))[ids[0]]
    await house.salesforce("PATCH", f"/sobjects/m3ter_Account__c/{record['Id']}", {"Code__c": "by hand"})
    house.sandbox.running.organization.delete("Account", ids[1])  # type: ignore[attr-defined]  # a local one
    found, cost = await told(house, sync)
    assert [(each.m3ter_id, each.action) for each in found] == [(ids[0], "update"), (ids[1], "mark")]
    assert found[0].fields == {"Code__c": ("by hand", "crowd-00000")}
    assert found[0].salesforce_id == record["Id"]
    assert cost.writing_calls == 2


async def test_a_record_that_another_integration_keeps_is_not_to_be_marked(house: House) -> None:
    ids = await copying.load(house, "Account", copying.rows(2))
    one = await copying.added(house, EntityType.ACCOUNT, "one")
    other = await copying.added(house, EntityType.ACCOUNT, "other", account_ids=(ids[0],))
    async with copying.copying(house):
        for sync in (one, other):
            await copying.ended(house, sync)
    left = await copying.edited(house, one, restricted_account_ids=tuple(ids))
    found, cost = await told(house, left)
    assert [(each.m3ter_id, each.action) for each in found] == [(ids[1], "mark")]
    assert cost.removals == 1
