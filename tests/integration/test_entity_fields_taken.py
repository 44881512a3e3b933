"""Custom field mappings that would overwrite what m3sync writes, in a file, by option and stored before."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from daemon.clients import Links
from daemon.to_m3ter import presets
from daemon.to_salesforce.tasks import Tasks
from state import entity_syncs, health, vault
from state.database import Pool
from state.entity_models import EntitySyncSettings, EntityType, Namespace
from tests.acceptance import house as houses
from tests.acceptance.commands import Commands
from tests.acceptance.house import House
from tests.integration import copying
from tests.sandboxes import LocalSandbox

FILE = """
[integrations.accounts]
entity = "Account"
namespace = "Custom Objects"
custom_fields = { tier = "M3ter_ID__c" }
"""


@pytest.fixture
async def house(
    empty_sandbox: LocalSandbox, db: Pool, database_url: str, tmp_path: Path
) -> AsyncIterator[House]:
    opening = houses.built(empty_sandbox, db, database_url, tmp_path, presets.text("opportunity"))
    async with opening as built:
        yield built


@pytest.fixture
def m3sync(tmp_path: Path, database_url: str) -> Commands:
    commands = Commands(tmp_path / "desk")
    commands.directory.mkdir()
    commands.configure(database_url)
    return commands


async def test_add_edit_and_apply_refuse_them(m3sync: Commands, db: Pool) -> None:
    what = ("--entity", "Account", "--namespace", "Custom Objects")
    answers = [
        await m3sync("integrations", "add", "new", *what, "--custom-field", "tier=m3ter_Id__c"),
        await m3sync("apply", "-", "--yes", stdin=FILE),
    ]
    assert await entity_syncs.list_all(db) == []
    await entity_syncs.add(db, "kept", EntitySyncSettings(EntityType.ACCOUNT, Namespace.CUSTOM))
    answers.append(await m3sync("integrations", "edit", "kept", "--custom-field", "tier=m3ter_id__c"))
    assert [each.code for each in answers] == [2, 2, 2], answers
    assert all("already fed by m3sync" in " ".join(each.err.split()) for each in answers), answers
    assert (await entity_syncs.get(db, "kept")).settings.custom_fields == {}


async def test_one_that_was_stored_before_is_not_run_and_health_says_why(house: House) -> None:
    sync = await copying.added(house, EntityType.ACCOUNT, custom_fields={"tier": "m3ter_id__c"})
    key = vault.load_or_create_key(house.settings.vault_key_path)
    async with Links(house.db, key, houses.HURRIED) as links:
        tasks = Tasks(house.db, links, copying.HASTY)
        assert await tasks.wanted() == []
        (said,) = await health.all(house.db)
        assert (said.subject, said.is_well) == ("integration:Account", False)
        assert "m3ter_id__c is already fed by m3sync" in said.message
        assert "m3sync integrations edit Account" in said.instruction

        await copying.edited(house, sync, custom_fields={"tier": "Tier__c"})
        assert [each.name for each in await tasks.wanted()] == ["entity:Account"]
        assert await health.all(house.db) == []
