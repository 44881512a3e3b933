"""`integrations show`: the id of an integration, and whether and why it is not connected."""

from pathlib import Path

import pytest

from state import credentials, entity_syncs, integrations, vault
from state.database import Pool
from state.entity_models import EntitySyncSettings, EntityType
from state.models import NewCredential
from tests.acceptance.commands import Commands


@pytest.fixture
async def m3sync(tmp_path: Path, database_url: str, db: Pool) -> Commands:
    """With one integration that has no credential yet."""
    commands = Commands(tmp_path)
    commands.configure(database_url)
    await entity_syncs.add(db, "the bills", EntitySyncSettings(EntityType.BILL))
    return commands


async def shown(m3sync: Commands) -> str:
    return " ".join((await m3sync.done("integrations", "show", "the bills")).out.split())


async def test_its_id_is_shown_and_that_it_is_not_connected(m3sync: Commands, db: Pool) -> None:
    found = await integrations.get(db, "the bills")
    text = await shown(m3sync)
    assert f"integration id {found.integration_id}" in text
    assert "connection not connected" in text
    assert "! It is not yet connected to Salesforce and m3ter." in text
    assert "m3sync integrations connect 'the bills' --salesforce NAME --m3ter NAME" in text


@pytest.mark.parametrize("what", ["enable", "run"])
async def test_whoever_needs_its_credentials_is_told_all_that_it_lacks(
    m3sync: Commands, db: Pool, tmp_path: Path, what: str
) -> None:
    bare = await m3sync("integrations", what, "the bills")
    assert bare.code == 3
    assert "The integration the bills has no Salesforce credential and no m3ter credential." in bare.err
    assert "integrations connect 'the bills' --salesforce NAME --m3ter NAME" in " ".join(bare.err.split())
    key = vault.load_or_create_key(tmp_path / "state" / "vault.key")
    sf = await credentials.add(db, key, NewCredential("sf", "salesforce", {}))
    await integrations.connect(db, "the bills", salesforce_credential_id=sf.credential_id)
    half = " ".join((await m3sync("integrations", what, "the bills")).err.split())
    assert "has no m3ter credential." in half
    assert "integrations connect 'the bills' --m3ter NAME" in half


async def test_it_is_connected_once_both_credentials_were_accepted(
    m3sync: Commands, db: Pool, tmp_path: Path
) -> None:
    key = vault.load_or_create_key(tmp_path / "state" / "vault.key")
    sf = await credentials.add(db, key, NewCredential("sf", "salesforce", {}))
    await integrations.connect(db, "the bills", salesforce_credential_id=sf.credential_id)
    text = await shown(m3sync)
    assert "! It is not yet connected to m3ter." in text
    assert "! It is not yet connected: the credential sf was not tried." in text

    m3 = await credentials.add(db, key, NewCredential("m3", "m3ter", {}))
    await integrations.connect(db, "the bills", m3ter_credential_id=m3.credential_id)
    await credentials.mark_authorized(db, sf.credential_id)
    await credentials.mark_refused(db, m3.credential_id, "Key unknown\n! forged")
    text = await shown(m3sync)
    assert "connection not connected" in text
    assert "the credential m3 is not accepted. Key unknown\\n! forged." in text
    assert "m3sync credentials test m3" in text

    await credentials.mark_authorized(db, m3.credential_id)
    text = await shown(m3sync)
    assert "connection CONNECTED" in text
    assert "not connected" not in text
    assert "!" not in text


async def test_who_connects_it_is_told_what_another_org_means(
    m3sync: Commands, db: Pool, tmp_path: Path
) -> None:
    key = vault.load_or_create_key(tmp_path / "state" / "vault.key")
    await credentials.add(db, key, NewCredential("sf", "salesforce", {}))
    said = await m3sync.done("integrations", "connect", "the bills", "--salesforce", "sf")
    assert "it begins from nothing there" in " ".join(said.out.split())
