"""The command line asked wrongly, or before anything is set up: an exit code and a way out."""

from pathlib import Path

import pytest

from tests.acceptance.commands import Commands


@pytest.fixture
def m3sync(tmp_path: Path) -> Commands:
    commands = Commands(tmp_path, is_fresh=True)
    commands.configure("postgresql://m3sync@127.0.0.1:9/m3sync")
    return commands


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nonsense",), "No such command"),
        (("sync",), "It was not said what to sync"),
        (("runs", "list", "--limit", "0"), "greater than or equal to 1"),
        (("credentials", "add", "x", "--system", "other"), "'other' is not one of"),
        (("credentials", "add", "x", "--system", "m3ter"), "Standard input is no terminal"),
        (("mappings", "import"), "Say where the field mapping is"),
        (("mappings", "import", "/none"), "/none cannot be read: No such file or directory."),
        (("integrations", "connect", "x"), "No credential was named"),
        (("sandbox", "--empty", "--scale", "3"), "exclude one another"),
        (("apply",), "Missing argument 'FILE'"),
        (("salesforce", "metadata"), "Missing option '--out'"),
        (("doctor", "--nonsense"), "No such option"),
        (("export", "--nonsense"), "No such option"),
    ],
)
async def test_wrong_usage_is_exit_code_2(m3sync: Commands, arguments: tuple[str, ...], said: str) -> None:
    answer = await m3sync(*arguments)
    assert answer.code == 2, answer
    assert said in " ".join(answer.err.replace("│", " ").split())


async def test_missing_or_wrong_configuration_is_exit_code_3(tmp_path: Path) -> None:
    m3sync = Commands(tmp_path, is_fresh=True)
    absent = await m3sync("status")
    assert absent.code == 3
    assert "m3sync.toml does not exist. Create it, or name another with --config." in " ".join(
        absent.err.split()
    )
    m3sync.configure(None, more="prot = 1\n")
    wrong = await m3sync("run")
    assert wrong.code == 3
    assert 'the key "http.prot" is not known. Did you mean "http.port"?' in " ".join(wrong.err.split())


async def test_a_database_that_is_away_is_exit_code_1_and_named(m3sync: Commands) -> None:
    answer = await m3sync("status")
    assert answer.code == 1
    assert "PostgreSQL at 127.0.0.1:9 refuses connections" in answer.err
    assert "database.url" in answer.err


async def test_a_database_that_is_not_laid_out_is_exit_code_3_until_it_is(
    tmp_path: Path, empty_database_url: str
) -> None:
    m3sync = Commands(tmp_path, is_fresh=True)
    m3sync.configure(empty_database_url)
    for arguments in (("runs", "list"), ("sync", "006000000000001")):
        early = await m3sync(*arguments)
        assert early.code == 3
        assert "m3sync migrate" in early.err
    assert "applied 0001" in (await m3sync.done("migrate")).out
    assert (await m3sync.done("migrate", "--json")).document() == {"applied": []}
    assert (await m3sync.done("runs", "list", "--json")).document() == []


async def test_hostile_or_broken_documents_are_refused_with_place_and_remedy(
    tmp_path: Path, database_url: str
) -> None:
    m3sync = Commands(tmp_path, is_fresh=True)
    m3sync.configure(database_url)
    broken = await m3sync("mappings", "import", "-", stdin='name = "x\x1b[2J"\nflow = "Sideways Sync"\n')
    assert broken.code == 1
    assert "\x1b" not in broken.err
    no_json = await m3sync("credentials", "add", "x", "--system", "m3ter", "--file", "-", stdin="hunter22{")
    assert (no_json.code, "hunter22" in no_json.err) == (1, False)
    lacking = await m3sync(
        "credentials", "add", "x", "--system", "m3ter", "--file", "-", stdin='{"org_id": "o"}'
    )
    assert lacking.code == 1
    assert "The m3ter credential cannot be used: api_key" in lacking.err
    unknown = await m3sync("explain", "006000000000001AAA")
    assert unknown.code == 1
    assert "m3sync has heard nothing of this record" in unknown.out
    for arguments in (("runs", "show", "0"), ("integrations", "show", "x"), ("mappings", "show", "x")):
        absent = await m3sync(*arguments)
        assert absent.code == 1
        assert "There is no" in absent.err or "There are no" in absent.err


async def test_a_file_without_end_is_not_read_to_its_end(tmp_path: Path) -> None:
    m3sync = Commands(tmp_path, is_fresh=True)
    m3sync.configure("postgresql://m3sync@127.0.0.1:9/m3sync")
    for arguments in (
        ("credentials", "add", "x", "--system", "m3ter", "--file", "/dev/zero"),
        ("mappings", "import", "/dev/zero"),
    ):
        endless = await m3sync(*arguments)
        assert endless.code == 1
        assert "/dev/zero holds more than 1,000,000 bytes" in endless.err
