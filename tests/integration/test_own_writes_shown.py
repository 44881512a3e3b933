"""Echoes for several integrations, of new records, and how people and metrics see them."""

from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest

from connectors.salesforce.models import to_id18
from daemon import echoes
from daemon.to_m3ter import presets
from state import field_mappings, inbox, insights, integrations, own_writes, retention
from state.database import Pool, transaction
from state.models import NewIntegration
from tests.acceptance import house as houses
from tests.acceptance.house import House, until
from tests.integration.listening import rows, touch
from tests.integration.test_own_writes import (
    OURS,
    are_heard,
    expect,
    hearing,
    totals,
    verdicts,
    write,
    writer,
)
from tests.sandboxes import LocalSandbox


@pytest.fixture
async def house(sandbox: LocalSandbox, db: Pool, database_url: str, tmp_path: Path) -> AsyncIterator[House]:
    async with houses.built(sandbox, db, database_url, tmp_path, presets.text("opportunity")) as built:
        yield built


@pytest.fixture
async def accounts(
    sandbox: LocalSandbox, db: Pool, database_url: str, tmp_path: Path
) -> AsyncIterator[House]:
    async with houses.built(sandbox, db, database_url, tmp_path, presets.text("account")) as built:
        yield built


async def test_an_echo_is_one_for_every_integration_that_hears_it(house: House) -> None:
    one = house.integration
    mapping = await field_mappings.get(house.db, str(one.field_mapping_id))
    twin = await integrations.add(
        house.db,
        NewIntegration(
            "twin",
            one.flow,
            mapping.field_mapping_id,
            one.salesforce_credential_id,
            one.m3ter_credential_id,
            enabled=True,
        ),
    )
    first, second = [each["Id"] for each in await house.query("SELECT Id FROM Opportunity LIMIT 2")]
    async with hearing(house):
        await write(house, first, OURS)
        await touch(house, "Opportunity", second, {"Description": "theirs"})
        await until(rows(house, 2))
    found = await inbox.find(house.db)
    assert {(row.integration_id, row.record_id) for row in found} == {
        (each, second) for each in (one.integration_id, twin.integration_id)
    }
    assert (await totals(house))["echo"] == 1
    counted = await house.db.fetchval("SELECT sum(total)::int FROM totals WHERE label = 'echo'")
    assert counted == 2


@pytest.mark.parametrize(("extra", "verdict"), [({}, "echo"), ({"Site": "by a flow"}, "near miss")])
async def test_a_record_that_we_created_is_known_by_its_key(
    accounts: House, extra: dict[str, str], verdict: str
) -> None:
    fields = {"Name": "Made from m3ter", "ERP_Id__c": "m-1"}
    async with hearing(accounts):
        await expect(accounts, echoes.creation("Account", fields, "ERP_Id__c"))
        async with writer(accounts) as salesforce:
            saved = await salesforce.create("Account", {**fields, **extra})
        made = to_id18(saved.record_id)
        await until(partial(are_heard, accounts, 1, made))
    assert await verdicts(accounts, made) == [verdict]
    assert bool(await inbox.find(accounts.db, record_id=made)) is (verdict == "near miss")


async def test_status_story_and_figures_tell_of_echoes(house: House) -> None:
    record_id = (await house.query("SELECT Id FROM Opportunity LIMIT 1"))[0]["Id"]
    async with hearing(house):
        await write(house, record_id, OURS)
        await until(partial(are_heard, house, 1, record_id))
    story = await insights.explain(house.db, record_id)
    assert [each.own_write for each in story.events] == ["echo"]
    (status,) = await insights.statuses(house.db)
    assert (status.echoes, status.near_misses) == (1, 0)
    assert (await insights.figures(house.db)).echoes == {("agreements", "echo"): 1}


async def test_expectations_are_forgotten_a_day_after_they_expired(house: House) -> None:
    await expect(house, echoes.update("Opportunity", "006S90000010005IAA", OURS))
    assert (await retention.prune(house.db))["own_writes"] == 0
    await house.db.execute("UPDATE own_writes SET expires_at = now() - interval '25 hours'")
    assert (await retention.prune(house.db))["own_writes"] == 1


async def test_telling_nothing_is_nothing(house: House) -> None:
    async with transaction(house.db) as tx:
        assert await own_writes.expect(tx, house.sandbox.salesforce["org_id"], []) == []
