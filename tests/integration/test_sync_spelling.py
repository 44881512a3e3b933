"""A field mapping may spell an object in another case than Salesforce, as SOQL may: no change is lost."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from daemon import echoes
from daemon.to_m3ter import presets, windows
from state import field_mappings, inbox, integrations, own_writes
from state.database import Pool, transaction
from state.models import Cause, NewIntegration, RunStatus
from tests.acceptance import house as houses
from tests.acceptance.house import House, until
from tests.integration.listening import line_of, listening, reader, rows, touch
from tests.integration.rereaders import opened, read, rereading, waiting, window
from tests.integration.test_sync_worker import working
from tests.sandboxes import LocalSandbox

RIGHT = presets.text("opportunity") + '\n[channels]\n"/data/ChangeEvents" = {}\n'
RESPELT = RIGHT.replace('parent = "Opportunity"', 'parent = "opportunity"').replace(
    'object = "OpportunityLineItem"', 'object = "opportunitylineitem"'
)


@pytest.fixture
async def house(sandbox: LocalSandbox, db: Pool, database_url: str, tmp_path: Path) -> AsyncIterator[House]:
    async with houses.built(sandbox, db, database_url, tmp_path, RESPELT) as built:
        yield built


async def _synced(house: House, record_id: str) -> None:
    runs = await until(lambda: house.ended_runs(record_id), seconds=20)
    assert {run.status for run in runs} == {RunStatus.COMPLETE}  # a window may hold the same change


async def test_a_live_change_is_heard_as_the_mapping_spells_it(house: House, deal: str) -> None:
    line_id = await line_of(house, deal)
    async with listening(house):
        await touch(house, "Opportunity", deal, {"NextStep": "heard"})
        await touch(house, "OpportunityLineItem", line_id, {"Description": "heard"})
        found = await until(rows(house, 2), seconds=20)
    assert {(row.object_name, row.record_id) for row in found} == {
        ("opportunity", deal),
        ("opportunitylineitem", line_id),
    }


async def test_a_live_change_is_synced(house: House, deal: str) -> None:
    async with houses.daemon(house):
        await touch(house, "Opportunity", deal, {"StageName": "Closed Won"})
        await _synced(house, deal)


async def test_a_change_that_two_integrations_spell_differently_is_put_into_the_inbox_of_each(
    house: House, deal: str
) -> None:
    one = house.integration
    text = RIGHT.replace('name = "opportunity"', 'name = "right"', 1)
    saved = await field_mappings.save(house.db, "right", text)
    ids = one.salesforce_credential_id, one.m3ter_credential_id
    new = NewIntegration("right", one.flow, saved.field_mapping_id, *ids, enabled=True)
    await integrations.add(house.db, new)
    async with listening(house):
        await touch(house, "Opportunity", deal, {"NextStep": "heard twice"})
        found = await until(rows(house, 2), seconds=20)
    assert {row.object_name for row in found} == {"opportunity", "Opportunity"}


async def test_a_window_ends_what_is_expected_of_the_object_however_it_is_spelt(
    house: House, deal: str
) -> None:
    """What was missed may have undone our write: its being done again is not our echo."""
    ours = {"NextStep": "Invoiced"}
    org_id = house.sandbox.salesforce["org_id"]
    async with transaction(house.db) as tx:
        await own_writes.expect(tx, org_id, [echoes.update("Opportunity", deal, ours)])
        await windows.record(tx, reader(house), [window("opportunity")])
    assert await house.db.fetchval("SELECT count(*) FROM own_writes") == 0
    async with listening(house):
        await touch(house, "Opportunity", deal, ours)
        await until(rows(house, 1), seconds=20)


async def _corrected(house: House, deal_id: str) -> None:
    await touch(house, "Opportunity", deal_id, {"StageName": "Closed Won"})
    await field_mappings.save(house.db, "opportunity", RIGHT)


async def test_what_waits_while_the_spelling_is_corrected_is_synced(house: House, deal: str) -> None:
    ids = house.integration.integration_id, "opportunity", deal
    await inbox.put(house.db, *ids, cause=Cause.CHANGE)
    await _corrected(house, deal)
    async with working(house):
        await _synced(house, deal)


async def test_a_line_that_waits_while_the_spelling_is_corrected_leads_to_its_parent(
    house: House, deal: str
) -> None:
    line_id = await line_of(house, deal)
    ids = house.integration.integration_id, "opportunitylineitem", line_id
    await inbox.put(house.db, *ids, cause=Cause.CHANGE)
    await _corrected(house, deal)
    async with working(house):
        await _synced(house, deal)


@pytest.mark.parametrize("object_name", ["opportunity", "opportunitylineitem"])
async def test_a_window_that_waits_while_the_spelling_is_corrected_is_read(
    house: House, deal: str, object_name: str
) -> None:
    await opened(house, window(object_name))
    await _corrected(house, deal)
    async with rereading(house):
        (story,) = await read(house)
    assert story.records_read
    with_lines = await house.query("SELECT OpportunityId FROM OpportunityLineItem")
    assert {each["OpportunityId"] for each in with_lines} <= {
        *await waiting(house),
        *await waiting(house, "opportunity"),
    }
