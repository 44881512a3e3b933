"""`m3sync sync --initial` and its like: asked for by a command, done by the service, whoever is killed."""

import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from daemon.to_m3ter import presets
from state import integrations, rereads
from state.database import Pool
from state.rereads import RereadStory
from tests.acceptance import house as houses
from tests.acceptance.commands import Commands
from tests.acceptance.house import House, daemon, until
from tests.bench import stage
from tests.integration.rereaders import pages
from tests.sandboxes import LocalSandbox

TROUBLED = "[reread]\npage_size = 2\n[worker]\nlease_seconds = 1\nsettle_seconds = 1\npoll_seconds = 0.2\n"


@pytest.fixture
async def house(sandbox: LocalSandbox, db: Pool, database_url: str, tmp_path: Path) -> AsyncIterator[House]:
    state = tmp_path / "state"
    async with houses.built(sandbox, db, database_url, state, presets.text("opportunity")) as built:
        yield built


@pytest.fixture
def m3sync(house: House, tmp_path: Path) -> Commands:
    commands = Commands(tmp_path)
    commands.configure(house.settings.database_url, TROUBLED)
    return commands


async def test_everything_is_synced_and_told(house: House, m3sync: Commands) -> None:
    async with daemon(house):
        told = await m3sync.done("sync", "--initial")
        again = (await m3sync.done("sync", "--initial", "--json")).document()["rereads"]
    assert "agreements: Opportunity, everything" in told.out
    for fact in ("Read", "Synced", "Differed", "Set aside"):
        assert f"\n{fact} " in told.out, told.out
    won = await house.query("SELECT Id FROM Opportunity WHERE StageName = 'Closed Won'")
    assert (await house.census())["Contract"] == len(won)
    assert [(each["status"], each["waiting"], each["differed"]) for each in again] == [("READ", 0, 0)]


async def test_a_killed_service_goes_on_with_it_where_it_was(house: House, m3sync: Commands) -> None:
    control = house.sandbox.salesforce_control
    await m3sync.done("sync", "--initial", "--no-wait")
    match = {"path": "*/queryAll", "query": "*Opportunity WHERE*"}
    # Pages of two records. Some are asked for twice where an answer comes late.
    await control.fault("black_hole", match=match, skip=6)
    async with stage.running(m3sync) as killed:
        await until(lambda: _has_read(house, 2))
        killed.process.send_signal(signal.SIGKILL)
        await killed.process.wait()
    await control.clear_faults()
    before = await _initial(house)
    await control.clear_journal()
    async with stage.running(m3sync):
        await until(lambda: _is_read(house))
    assert before.records_read >= 2
    total = len(await house.query("SELECT Id FROM Opportunity"))
    assert (await _initial(house)).records_read == total
    asked = [each for each in await pages(house) if "SystemModstamp >=" not in each]
    assert not asked, "it was read again from its beginning"


async def test_asked_for_twice_it_is_one(house: House, m3sync: Commands) -> None:
    answers = [await m3sync.done("sync", "--initial", "--no-wait", "--json") for _ in range(2)]
    first, second = [each.document()["rereads"][0]["reread_id"] for each in answers]
    assert first == second
    assert "not finished" in (await m3sync.done("sync", "--initial", "--no-wait")).out
    assert len(await rereads.latest(house.db)) == 1


async def test_without_a_service_it_says_what_to_start(m3sync: Commands) -> None:
    answer = await m3sync("sync", "--since", "7d")
    assert answer.code == 1
    assert "no m3sync service is running" in answer.err
    assert "m3sync run" in answer.err
    told = await m3sync.done("status")
    assert "! No m3sync service is running, so that nothing is synced." in told.out
    assert (await m3sync.done("status", "--json")).document()["is_service_running"] is False
    asked = await m3sync.done("sync", "--since", "7d", "--no-wait")
    assert "No m3sync service is running. Start it: `m3sync run`" in asked.out
    assert "goes on with it" not in asked.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--initial", "--instant"), "exclude one another"),
        (("006000000000001AAA", "--since", "7d"), "exclude one another"),
        (("--since", "soon"), "is no time"),
        (("--since", "2999-01-01"), "still to come"),
        (("--since", "1900-01-01"), "--initial"),
        (("--since", "7d", "--object", "Lead"), "No integration watches 'Lead'"),
        (("--initial", "--object", "Opportunity"), "--object goes with --since"),
    ],
)
async def test_what_makes_no_sense_is_exit_code_2(
    m3sync: Commands, house: House, arguments: tuple[str, ...], said: str
) -> None:
    answer = await m3sync("sync", *arguments)
    assert (answer.code, answer.out) == (2, "")
    assert said in answer.err
    assert not await rereads.latest(house.db)


async def test_nothing_is_begun_while_salesforce_is_away(
    house: House, sandbox: LocalSandbox, m3sync: Commands
) -> None:
    await sandbox.salesforce_control.fault("refuse")
    answer = await m3sync("sync", "--since", "7d")
    assert answer.code == 1
    assert "Nothing was begun; give the command again then." in answer.err
    assert "tried again" not in answer.err
    assert not await rereads.latest(house.db)


async def test_an_integration_that_is_not_ready_is_exit_code_3(house: House, m3sync: Commands) -> None:
    await integrations.disable(house.db, house.integration.name)
    off = await m3sync("sync", "--initial")
    assert off.code == 3
    assert "m3sync integrations enable" in off.err


async def _initial(house: House) -> RereadStory:
    (found,) = [each for each in await rereads.latest(house.db) if each.cause == "initial"]
    return found


async def _has_read(house: House, count: int) -> bool:
    return (await _initial(house)).records_read >= count


async def _is_read(house: House) -> bool:
    return not (await _initial(house)).is_open
