"""Integrations: made, connected, switched on and off, refused, removed."""

from dataclasses import replace
from decimal import Decimal
from uuid import uuid4

import pytest

from state import credentials, entity_runs, field_mappings, integrations, runs
from state.database import Pool
from state.entity_models import RunCause
from state.errors import Conflict, NotFound, VaultError
from state.models import NewCredential, NewIntegration
from state.vault import Vault
from tests.integration.state_rows import VAULT, new_integration

SECRET = {"client_secret": "hush", "limit": Decimal("1.10")}
NEW = NewCredential("production", "salesforce", SECRET, {"url": "https://acme.my.salesforce.com"})


async def test_a_credential_shows_its_summary_and_keeps_its_secret_sealed(db: Pool) -> None:
    added = await credentials.add(db, VAULT, NEW)
    assert (added.name, added.summary, added.is_authorized) == (NEW.name, NEW.summary, False)
    stored = await db.fetchrow("SELECT * FROM credentials")
    assert "hush" not in str(stored)
    assert "hush" not in repr(NEW)
    for name_or_id in ("production", added.credential_id, str(added.credential_id)):
        found, secret = await credentials.get(db, VAULT, name_or_id)
        assert (found, secret) == (added, SECRET)


async def test_a_credential_opens_with_its_own_key_and_in_its_own_row_only(db: Pool) -> None:
    await credentials.add(db, VAULT, NEW)
    with pytest.raises(VaultError, match="another key"):
        await credentials.get(db, Vault(b"k" * 32), "production")
    await db.execute("UPDATE credentials SET name = 'moved'")
    with pytest.raises(VaultError, match="altered"):
        await credentials.get(db, VAULT, "moved")


async def test_a_taken_name_is_refused_and_replacing_asks_for_authorization_again(db: Pool) -> None:
    added = await credentials.add(db, VAULT, NEW)
    await credentials.mark_authorized(db, added.credential_id)
    with pytest.raises(Conflict, match=r"production already\. Choose another name, or give --replace\."):
        await credentials.add(db, VAULT, NEW)
    other = replace(NEW, secret={"client_secret": "new"})
    replaced = await credentials.add(db, VAULT, other, replace=True)
    assert replaced.credential_id == added.credential_id
    assert not replaced.is_authorized
    assert (await credentials.get(db, VAULT, "production"))[1] == {"client_secret": "new"}
    with pytest.raises(Conflict, match=r"for the other system\. Choose another name\.$"):
        await credentials.add(db, VAULT, replace(NEW, system="m3ter"), replace=True)


async def test_the_systems_last_word_decides_whether_a_credential_is_authorized(db: Pool) -> None:
    key = (await credentials.add(db, VAULT, NEW)).credential_id
    await credentials.mark_authorized(db, key)
    assert (await credentials.show(db, key)).is_authorized
    await credentials.mark_refused(db, key, "invalid_grant: user hasn't approved this consumer")
    refused = await credentials.show(db, "production")
    assert not refused.is_authorized
    assert refused.error == "invalid_grant: user hasn't approved this consumer"


async def test_what_is_in_use_cannot_be_removed(db: Pool) -> None:
    found = await new_integration(db)
    with pytest.raises(Conflict, match="uses the credential Agreements m3ter"):
        await credentials.remove(db, "Agreements m3ter")
    with pytest.raises(Conflict, match="uses the field mapping"):
        await field_mappings.remove(db, "Agreements mapping")
    await integrations.remove(db, found.name)
    await field_mappings.remove(db, "Agreements mapping")
    for each in await credentials.list_all(db):
        await credentials.remove(db, each.name)
    assert await credentials.list_all(db) == []
    assert await field_mappings.list_all(db) == []


async def test_what_does_not_exist_is_not_found(db: Pool) -> None:
    for attempt, command in (
        (credentials.show(db, "nobody"), "credentials"),
        (credentials.remove(db, uuid4()), "credentials"),
        (field_mappings.get(db, "nothing"), "mappings"),
        (integrations.get(db, "none"), "integrations"),
        (integrations.enable(db, "none"), "integrations"),
        (integrations.add(db, NewIntegration("a", "Account Sync", uuid4())), "mappings"),
        (integrations.connect(db, "none", m3ter_credential_id=uuid4()), "credentials"),
        (entity_runs.ask(db, uuid4(), RunCause.MANUAL), "integrations"),
        (entity_runs.get(db, uuid4()), "runs"),
        (runs.get(db, uuid4()), "runs"),
    ):
        with pytest.raises(NotFound, match=f"There is no .* `m3sync {command}` lists"):
            await attempt


async def test_a_field_mapping_counts_its_revisions_only_when_its_text_changes(db: Pool) -> None:
    first = await field_mappings.save(db, "opportunity", "a = 1")
    assert (await field_mappings.save(db, "opportunity", "a = 1")).revision == 1
    changed = await field_mappings.save(db, "opportunity", "a = 2")
    assert (changed.revision, changed.field_mapping_id) == (2, first.field_mapping_id)
    assert await field_mappings.get(db, "opportunity") == changed


async def test_an_integration_is_made_connected_switched_and_removed(db: Pool) -> None:
    added = await new_integration(db, enabled=False)
    assert (added.enabled, added.authorized, added.field_mapping_name) == (False, False, "Agreements mapping")
    assert added.salesforce_credential_name == "Agreements salesforce"
    assert await integrations.enabled(db) == []
    assert (await integrations.enable(db, "Agreements")).enabled
    assert [each.name for each in await integrations.enabled(db)] == ["Agreements"]
    for each in await credentials.list_all(db):
        await credentials.mark_authorized(db, each.credential_id)
    assert (await integrations.get(db, added.integration_id)).authorized
    gone = await integrations.disconnect(db, "Agreements")
    assert (gone.enabled, gone.authorized, gone.m3ter_credential_id) == (False, False, None)
    with pytest.raises(Conflict, match="has no Salesforce credential and no m3ter credential"):
        await integrations.enable(db, "Agreements")
    back = await integrations.connect(
        *(db, "Agreements"), salesforce_credential_id=added.salesforce_credential_id
    )
    assert back.salesforce_credential_name == "Agreements salesforce"
    with pytest.raises(Conflict, match="has no m3ter credential"):
        await integrations.enable(db, "Agreements")
    await integrations.remove(db, "Agreements")
    assert await integrations.list_all(db) == []


async def test_an_integration_cannot_be_half_sensible(db: Pool) -> None:
    added = await new_integration(db)
    new = NewIntegration("Other", "Account Sync", added.field_mapping_id)
    with pytest.raises(Conflict, match="for m3ter, not for salesforce"):
        await integrations.add(db, replace(new, salesforce_credential_id=added.m3ter_credential_id))
    with pytest.raises(Conflict, match="Agreements already"):
        await integrations.add(db, replace(new, name="Agreements"))
    with pytest.raises(Conflict, match="Other cannot have the flow 'Backwards Sync'") as refused:
        await integrations.add(db, replace(new, flow="Backwards Sync"))
    for flow in ("Account Sync", "Sales Agreement Sync", "Entity Data Sync"):
        assert flow in refused.value.instruction
    assert [each.name for each in await integrations.list_all(db)] == ["Agreements"]
