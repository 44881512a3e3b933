"""The vault key as an operator meets it: made once, and never in the place of one that is missing."""

import json
from pathlib import Path

from tests.acceptance.commands import Commands

_SECRET = {"org_id": "o", "api_key": "k", "api_secret": "hunter22", "url": "http://127.0.0.1:9"}


async def test_a_mistyped_key_file_makes_no_second_key_beside_sealed_credentials(
    tmp_path: Path, database_url: str
) -> None:
    m3sync = Commands(tmp_path)
    m3sync.configure(database_url)
    add = ("credentials", "add", "m3", "--system", "m3ter", "--no-test", "--file", "-")
    await m3sync.done(*add, stdin=json.dumps(_SECRET))
    mistyped = tmp_path / "valt.key"
    m3sync.variables["M3SYNC_VAULT_KEY_FILE"] = str(mistyped)
    for arguments in (("credentials", "test", "m3"), (*add, "--replace"), ("sync", "--initial"), ("run",)):
        refused = await m3sync(*arguments, stdin=json.dumps(_SECRET))
        assert refused.code == 3, refused
        assert f"There is no vault key at {mistyped}" in refused.err
        assert "keeps credentials sealed with one: m3." in refused.err
        assert "Correct vault_key_file, or restore the key" in refused.err
        assert not mistyped.exists()
    assert "m3ter" in (await m3sync.done("credentials", "list")).out
