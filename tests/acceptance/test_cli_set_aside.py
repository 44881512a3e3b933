"""`m3sync runs --failed` names what was set aside, however old its runs are, and how it is tried again."""

from pathlib import Path

from state import database, inbox
from state.database import Pool
from tests.acceptance.commands import Commands
from tests.integration.state_rows import claimed, new_integration, put, record_id


async def test_what_was_set_aside_is_shown_among_the_failed_runs_with_what_to_do(
    db: Pool, database_url: str, tmp_path: Path
) -> None:
    m3sync = Commands(tmp_path)
    m3sync.configure(database_url)
    key = (await new_integration(db)).integration_id
    assert "No run has failed." in (await m3sync.done("runs", "--failed")).out
    await put(db, key, 3)
    claim = await claimed(db, key)
    async with database.transaction(db) as tx:
        await inbox.set_aside(tx, claim, "m3ter answered 500")
    said = f"! {record_id(3)} (Agreements) is set aside after 1 attempt: m3ter answered 500. Mend"
    for more in ((), ("--record", record_id(3)), ("--integration", "Agreements")):
        told = (await m3sync.done("runs", "--failed", *more)).out
        assert said in told
        assert f"`m3sync sync {record_id(3)}`" in told
    assert said not in (await m3sync.done("runs", "--failed", "--record", record_id(4))).out
    assert (await m3sync.done("runs", "--failed", "--json")).document() == []
