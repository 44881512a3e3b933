"""A credential that is kept and cannot be used: every command names it and what is wrong with it."""

from pathlib import Path

import pytest

from daemon.to_m3ter import presets
from state import credentials, field_mappings, vault
from state.database import Pool
from state.models import NewCredential
from tests.acceptance.commands import Commands

URL = "https://acme.my.salesforce.com"


@pytest.fixture
async def m3sync(tmp_path: Path, database_url: str, db: Pool) -> Commands:
    """With a Salesforce credential that was kept by an m3sync which asked for less."""
    commands = Commands(tmp_path)
    commands.configure(database_url)
    key = vault.load_or_create_key(tmp_path / "state" / "vault.key")
    secret = {"url": URL, "client_id": "hunter22", "api_version": "20.0"}
    await credentials.add(db, key, NewCredential("the org", "salesforce", secret))
    await credentials.add(db, key, NewCredential("billing", "m3ter", {}))
    await field_mappings.save(db, "deals", presets.text("opportunity"))
    return commands


@pytest.mark.parametrize(
    "arguments",
    [
        ("credentials", "test", "the org"),
        ("credentials", "test", "the org", "--json"),
        ("mappings", "check", "deals"),
        ("mappings", "check", "deals", "--salesforce", "the org"),
    ],
)
async def test_it_is_named_with_what_is_wrong_and_how_to_replace_it(
    m3sync: Commands, arguments: tuple[str, ...]
) -> None:
    answer = await m3sync(*arguments)
    said = " ".join(answer.err.split())
    assert answer.code == 3, answer
    assert "The credential the org cannot be used: api_version: API version 20.0 is being retired" in said
    assert "m3sync credentials add 'the org' --system salesforce --replace" in said
    assert "stored" not in said
    assert "hunter22" not in said


async def test_one_of_the_other_system_proves_no_field_mapping(m3sync: Commands) -> None:
    other = await m3sync("mappings", "check", "deals", "--salesforce", "billing")
    assert other.code == 2
    assert "The credential billing is for m3ter, not for salesforce." in other.err
    absent = await m3sync("mappings", "check", "deals", "--salesforce", "none")
    assert absent.code == 3
    assert "m3sync credentials add none --system salesforce" in " ".join(absent.err.split())
