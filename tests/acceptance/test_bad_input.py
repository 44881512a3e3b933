"""What no command should be given, nor a machine do to it: a message, an exit code, nothing half-done."""

import asyncio
import signal
from pathlib import Path

import pytest

from daemon.to_m3ter import presets
from tests.acceptance.commands import M3SYNC, Answer, Commands, environment
from tests.sandboxes import LocalSandbox

M3TER = '{"url": "http://127.0.0.1:9", "org_id": "o", "api_key": "k", "api_secret": "hunter22"}'


@pytest.fixture
def m3sync(tmp_path: Path, database_url: str) -> Commands:
    commands = Commands(tmp_path)
    commands.configure(database_url)
    return commands


async def _in_shell(m3sync: Commands, ending: str, *arguments: str) -> Answer:
    """The command with its output led somewhere by a shell."""
    process = await asyncio.create_subprocess_exec(
        *("sh", "-c", f'"$@" {ending}', "sh", *M3SYNC, "--config", str(m3sync.config), *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=m3sync.directory,
        env=environment(),
    )
    out, err = await process.communicate()
    return Answer(process.returncode or 0, out.decode(), err.decode())


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "a\x1b[2Jb", "n" * 5_000])
async def test_what_nobody_could_see_or_type_is_no_name(m3sync: Commands, name: str) -> None:
    await m3sync.done("mappings", "import", "--preset", "account")
    for answer in (
        await m3sync(
            "credentials", "add", name, "--system", "m3ter", "--no-test", "--file", "-", stdin=M3TER
        ),
        await m3sync("integrations", "add", name, "--mapping", "account"),
        await m3sync("mappings", "import", "--preset", "account", "--name", name),
    ):
        if name == "" and answer.code == 0:
            assert "field mapping account" in answer.out  # an empty --name is none
            continue
        assert answer.code == 2, answer
        assert "Choose one of 1 to 100" in answer.err
        assert "\x1b" not in answer.err
        assert len(answer.err) < 500
    assert (await m3sync.done("credentials", "list", "--json")).document() == []
    assert (await m3sync.done("integrations", "list", "--json")).document() == []


async def test_the_next_command_it_names_can_be_pasted(m3sync: Commands) -> None:
    await m3sync.done("mappings", "import", "--preset", "account")
    made = await m3sync.done("integrations", "add", "All accounts", "--mapping", "account")
    assert "m3sync integrations connect 'All accounts' --salesforce" in made.out


async def test_an_argument_that_is_no_text_is_wrong_usage(m3sync: Commands) -> None:
    for arguments in (("integrations", "show"), ("sync",), ("runs", "show")):
        answer = await m3sync(*arguments, "a\udcff")
        assert answer.code == 2, answer
        assert "is not UTF-8 text" in answer.err


async def test_output_that_has_no_room_or_nobody_is_no_riddle(m3sync: Commands) -> None:
    for arguments in (("credentials", "list"), ("credentials", "list", "--json")):
        full = await _in_shell(m3sync, ">/dev/full", *arguments)
        assert full.code != 0
        assert "No space left on device" in full.err
        assert "does not know" not in full.err
        closed = await _in_shell(m3sync, ">&-", *arguments)
        assert (closed.code, closed.err) == (0, "")


async def test_a_mapping_from_an_editor_that_marks_its_files_is_taken(
    m3sync: Commands, tmp_path: Path
) -> None:
    marked = tmp_path / "marked.toml"
    marked.write_bytes(b"\xef\xbb\xbf" + presets.text("account").encode())
    assert "revision 1" in (await m3sync.done("mappings", "import", str(marked))).out
    for wrong in (tmp_path, tmp_path / "absent.toml"):
        answer = await m3sync("mappings", "import", str(wrong))
        assert (answer.code, "Errno" in answer.err) == (2, False)


async def test_a_wrong_address_of_m3ter_blames_the_address(
    m3sync: Commands, empty_sandbox: LocalSandbox
) -> None:
    elsewhere = M3TER.replace("http://127.0.0.1:9", empty_sandbox.salesforce["url"])
    answer = await m3sync("credentials", "add", "x", "--system", "m3ter", "--file", "-", stdin=elsewhere)
    assert answer.code == 1
    assert "m3ter answered HTTP 404" in answer.err
    assert "URL" in answer.err
    assert "hunter22" not in answer.err + answer.out


async def test_a_closed_terminal_stops_the_service_in_order(m3sync: Commands) -> None:
    process = await asyncio.create_subprocess_exec(
        *(*M3SYNC, "--config", str(m3sync.config), "run"),
        stderr=asyncio.subprocess.PIPE,
        cwd=m3sync.directory,
        env=environment(),
    )
    assert process.stderr is not None
    async with asyncio.timeout(60):
        while b'"running"' not in await process.stderr.readline():
            pass
        process.send_signal(signal.SIGHUP)
        _, err = await process.communicate()
    assert (process.returncode, b'"stopped"' in err) == (0, True)
