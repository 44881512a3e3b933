"""The configuration as a file: exported, shown before anything changes, applied, refused with its place."""

import json
from pathlib import Path

import pytest

from daemon.to_m3ter import presets
from state import credentials, entity_syncs, field_mappings, integrations, vault
from state.database import Pool
from state.entity_models import EntitySyncSettings, EntityType, Removal
from state.models import NewCredential
from tests.acceptance.commands import Commands

HOSTILE = "Ünï \"quoted\" ''' \\ ☃"
SOME = "2f1b6d7e-90a4-4c0e-8f3a-5d2c7b1e9a60"
CHANGED = f"""
[integrations.bills]
schedule = "every 10m"
account_ids = ["{SOME}"]
enabled = true
[integrations."balances, all"]
entity = "Balance"
salesforce = "sf"
m3ter = "m3"
[mappings.agreements]
file = "beside.toml"
"""
REFUSED = {
    "x = 1": (2, "[x] is not known. Known there: credentials, mappings, integrations."),
    "[[": (2, "Standard input is not valid TOML"),
    '[integrations.a]\nentiti = "Bill"': (2, 'Did you mean "entity"?'),
    '[integrations.a]\nentity = "Nope"': (2, "[integrations.a] entity: it should be 'Account'"),
    '[integrations.a]\nentity = "Bill"\nschedule = "no"': (2, "[integrations.a] 'no' is no schedule"),
    '[integrations.a]\nentity = "Bill"\nenabled = true': (
        3,
        "has no Salesforce credential and no m3ter credential",
    ),
    '[integrations.a]\nentity = "Bill"\nm3ter = "none"': (3, "There is no credential none."),
    '[credentials.m3]\nsystem = "salesforce"': (2, "The credential m3 is for m3ter"),
    '[integrations.bills]\nentity = "Account"': (2, "cannot become one of Account"),
    '[mappings.a]\nfile = "/none"': (2, "/none cannot be read"),
}


@pytest.fixture
async def m3sync(tmp_path: Path, db: Pool, database_url: str) -> Commands:
    """Two credentials, a field mapping, an entity data sync with a hostile custom field."""
    commands = Commands(tmp_path)
    commands.configure(database_url)
    key = vault.load_or_create_key(tmp_path / "state" / "vault.key")
    ids = {}
    for name, system in (("sf", "salesforce"), ("m3", "m3ter")):
        kept = await credentials.add(db, key, NewCredential(name, system, {"secret": "hunter22"}))
        ids[f"{system}_credential_id"] = kept.credential_id
    await field_mappings.save(db, "agreements", presets.text("opportunity"))
    settings = EntitySyncSettings(EntityType.CONTRACT, custom_fields={HOSTILE: "Tier__c"})
    await entity_syncs.add(db, "bills", settings, **ids)
    return commands


async def test_what_is_exported_can_be_applied_and_changes_nothing(m3sync: Commands, db: Pool) -> None:
    exported = (await m3sync.done("export")).out
    assert "hunter22" not in exported
    assert (await m3sync.done("export", "--out", "all.toml")).out == "Wrote all.toml.\n"
    assert (m3sync.directory / "all.toml").read_text("utf-8") == exported
    applied = await m3sync.done("apply", "all.toml", "--prune")
    assert "Nothing differs" in applied.out

    for each in await integrations.list_all(db):
        await integrations.remove(db, each.name)
    await field_mappings.remove(db, "agreements")
    await m3sync.done("apply", "-", "--yes", stdin=exported)
    assert (await m3sync.done("export")).out == exported
    (sync,) = await entity_syncs.list_all(db)
    assert sync.settings.custom_fields == {HOSTILE: "Tier__c"}


async def test_changes_are_shown_and_made_only_when_told(m3sync: Commands, db: Pool) -> None:
    (m3sync.directory / "beside.toml").write_text(presets.text("opportunity") + "# new\n")
    (m3sync.directory / "changed.toml").write_text(CHANGED)
    before = (await m3sync.done("export")).out
    shown = (await m3sync.done("apply", "changed.toml", "--dry-run")).out
    for text in ("schedule: 0 * * * * -> every 10m", f"account ids: all -> {SOME}", "+# new"):
        assert text in shown
    assert "+ integration balances, all" in shown
    asked = await m3sync("apply", "changed.toml")
    assert (asked.code, "--yes" in asked.err) == (2, True)
    assert (await m3sync.done("export")).out == before

    assert "Applied 3 changes." in (await m3sync.done("apply", "changed.toml", "--yes")).out
    again = (await m3sync.done("apply", "changed.toml", "--json")).document()
    assert again == {"is_applied": False, "changes": []}
    bills = await entity_syncs.get(db, "bills")
    assert (bills.settings.schedule, bills.settings.account_ids) == ("every 10m", (SOME,))
    assert (bills.integration.enabled, bills.settings.on_deletion) == (True, Removal.MARK)
    assert bills.settings.custom_fields == {HOSTILE: "Tier__c"}


async def test_only_prune_takes_away_what_is_not_named(m3sync: Commands, db: Pool) -> None:
    empty = '[integrations."other"]\nentity = "Contract"\n'
    await m3sync.done("apply", "-", "--yes", stdin=empty)
    assert [each.name for each in await integrations.list_all(db)] == ["bills", "other"]
    pruned = (await m3sync.done("apply", "-", "--yes", "--prune", "--json", stdin=empty)).out
    removed = [each["name"] for each in json.loads(pruned)["changes"]]
    assert removed == ["bills", "agreements"]
    assert [each.name for each in await integrations.list_all(db)] == ["other"]
    assert await field_mappings.list_all(db) == []
    assert len(await credentials.list_all(db)) == 2


async def test_what_is_wrong_is_told_with_its_place_and_nothing_is_changed(m3sync: Commands) -> None:
    before = (await m3sync.done("export")).out
    for text, (code, said) in REFUSED.items():
        # What is right in the file is not made either.
        answer = await m3sync("apply", "-", "--yes", stdin=f'{text}\n[integrations.new]\nentity = "Bill"\n')
        assert (answer.code, said in " ".join(answer.err.split())) == (code, True), (text, answer)
    endless = await m3sync("apply", "/dev/zero", "--yes")
    assert "more than 1,000,000 bytes" in endless.err
    assert (await m3sync.done("export")).out == before
