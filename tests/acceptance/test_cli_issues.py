"""`m3sync status` shows the foremost issues, and says which command gives them all."""

from pathlib import Path

import pytest

from state import database, entity_copies, inbox
from state.database import Pool
from state.entity_models import Refused
from tests.acceptance.commands import Commands
from tests.integration import entity_rows
from tests.integration.state_rows import claimed, new_integration, put, record_id

MANY = 25


@pytest.fixture
def m3sync(tmp_path: Path, database_url: str) -> Commands:
    commands = Commands(tmp_path)
    commands.configure(database_url)
    return commands


async def test_all_records_that_wait_for_a_person_are_in_the_json(m3sync: Commands, db: Pool) -> None:
    key = (await new_integration(db)).integration_id
    for number in range(MANY):
        await put(db, key, number)
        claim = await claimed(db, key)
        async with database.transaction(db) as tx:
            await inbox.set_aside(tx, claim, "m3ter answered 500.")
    (found,) = (await m3sync.done("status", "--json")).document()["integrations"]
    assert {each["subject"] for each in found["issues"]} == {record_id(number) for number in range(MANY)}
    told = (await m3sync.done("status")).out
    assert f"and {MANY - 5} more: m3sync status --json" in told


async def test_all_that_salesforce_refused_is_in_the_json(m3sync: Commands, db: Pool) -> None:
    key = await entity_rows.new_sync(db)
    ids = [f"{number:02}" for number in range(MANY)]
    await entity_rows.want(db, key, *(entity_rows.entity(each) for each in ids))
    async with database.transaction(db) as tx:
        await entity_copies.refused(tx, key, [Refused(each, "d1", "NO", "No.") for each in ids])
    (found,) = (await m3sync.done("status", "--json")).document()["entity_data_syncs"]
    assert {each["m3ter_id"] for each in found["issues"]} == set(ids)
    for command in (("status",), ("integrations", "show", "Accounts")):
        assert "more: m3sync status --json" in (await m3sync.done(*command)).out, command
