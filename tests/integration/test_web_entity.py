"""Entity data syncs on the panel, in the JSON API and in the metrics."""

import json
import shlex
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest
from markupsafe import escape

from daemon.web.sources import Sources
from state import database, entity_copies, entity_runs
from state.database import Pool
from state.entity_models import Counts, EntitySyncSettings, EntityType, Namespace, Refused, Written
from state.models import RunStatus
from tests.integration import entity_rows
from tests.integration.web_pages import HOSTILE, Site, served

ID = "2f1b6d7e-90a4-4c0e-8f3a-5d2c7b1e9a6{}"
NAME = "Bills & 'more'"
RECORD = "a0BS900000000010AA"


@pytest.fixture
async def site(db: Pool) -> AsyncIterator[Site]:
    async with served(Sources(lambda: db)) as found:
        yield found


async def has_run(db: Pool) -> UUID:
    """A run of three: one written, one refused in hostile words, one that waits; gives the run."""
    settings = EntitySyncSettings(
        EntityType.COMMITMENT, Namespace.CUSTOM, restricted_account_ids=(ID.format(9),)
    )
    integration_id = await entity_rows.new_sync(db, NAME, settings)
    claim = await entity_rows.claimed(db, integration_id)
    await entity_rows.want(db, integration_id, *(entity_rows.entity(ID.format(n)) for n in range(3)))
    async with database.transaction(db) as tx:
        await entity_copies.written(tx, integration_id, [Written(ID.format(0), "d1", RECORD, True)])
        no = Refused(ID.format(1), "d1", "FIELD_CUSTOM_VALIDATION_EXCEPTION", HOSTILE, ("Total__c",))
        await entity_copies.refused(tx, integration_id, [no])
        calls = {"m3ter list commitments": 1, "Salesforce collections": 1234}
        await entity_runs.add(
            tx, claim, Counts(entities_read=3, differing=3, written=1, created=1, refused=1, calls=calls)
        )
    await entity_runs.end(db, claim, RunStatus.COMPLETE)
    return claim.run_id


async def test_before_its_first_run_it_says_so(site: Site, db: Pool) -> None:
    await entity_rows.new_sync(db, NAME)
    page = (await site.get("/")).text
    assert "not started" in page
    assert "none yet" in page
    (found,) = (await _json(site, "/api/v1/status"))["entity_data_syncs"]
    assert (found["first_synchronization"], found["current"], found["last_run"]) == (
        *("not started", "disabled"),
        None,
    )


async def test_the_front_page_tells_the_last_run_and_what_was_refused(site: Site, db: Pool) -> None:
    run_id = await has_run(db)
    answer = await site.get("/")
    assert answer.status == 200
    assert HOSTILE not in answer.text
    for text in (
        "Entity Data Sync: Commitment (Prepayment), to Custom Objects",
        "3 read, 3 differed, 1 written, 1 created, 1 refused",
        "1 waiting, 1 refused",
        "FIELD_CUSTOM_VALIDATION_EXCEPTION: &lt;script&gt;",
        "[Total__c]",
        "A validation rule of the org refuses it",
        f"all; never {ID.format(9)}",
        f'href="/entity-runs/{run_id}"',
        # Pasted into a shell it names the integration, and nothing else.
        f"m3sync integrations retry {escape(shlex.quote(NAME))}",
    ):
        assert text in answer.text, text


async def test_a_run_has_a_page_with_its_counts_and_calls(site: Site, db: Pool) -> None:
    run_id = await has_run(db)
    page = (await site.get(f"/entity-runs/{run_id}")).text
    assert "Salesforce collections" in page
    assert "1,234" in page
    (run,) = (await _json(site, "/api/v1/entity-runs?limit=5"))["entity_runs"]
    assert run == await _json(site, f"/api/v1/entity-runs/{run_id}")
    assert (run["status"], run["calls"]["Salesforce collections"]) == ("COMPLETE", 1234)
    assert not {"lease_until", "claimed_by", "cursor"} & set(run)
    for path in (f"/entity-runs/{ID.format(0)}", "/api/v1/entity-runs?integration=none"):
        assert (await site.get(path)).status == 404
    assert (await site.get("/entity-runs/x")).status == 400


async def test_healthz_tells_of_them_too(site: Site, db: Pool) -> None:
    await has_run(db)
    (found,) = (await _json(site, "/healthz"))["entity_data_syncs"]
    assert (found["name"], found["flow"], found["issue_count"]) == (NAME, "Entity Data Sync", 1)
    assert (found["backlog"]["waiting"], found["backlog"]["refused"]) == (1, 1)
    assert found["last_synchronized_at"].endswith("Z")
    assert (found["current"], found["entity_type"], found["namespace"]) == (
        *("disabled", "Commitment"),
        "Custom Objects",
    )


async def test_a_m3ter_entity_and_its_record_have_one_story(site: Site, db: Pool) -> None:
    await has_run(db)
    for given in (ID.format(0), ID.format(0).upper(), RECORD):
        (copy,) = (await _json(site, f"/api/v1/explain/{given}"))["copies"]
        assert (copy["status"], copy["salesforce_id"]) == ("WRITTEN", RECORD)
    refused = await _json(site, f"/api/v1/explain/{ID.format(1)}")
    assert "m3sync integrations retry" in refused["next"][0]
    page = await site.get(f"/records/{ID.format(1)}")
    assert (page.status, HOSTILE in page.text, "[Total__c]" in page.text) == (200, False, True)
    assert (await site.get(f"/api/v1/explain/{ID.format(7)}")).status == 404


async def test_the_metrics_count_what_outlives_the_runs(site: Site, db: Pool) -> None:
    await has_run(db)
    await db.execute("DELETE FROM entity_runs")
    text = (await site.get("/metrics")).text
    label = f'integration="{NAME}"'
    for line in (
        f'm3sync_entity_records_total{{{label},what="read"}} 3.0',
        f'm3sync_entity_calls_total{{{label},kind="Salesforce collections"}} 1234.0',
        f'm3sync_entity_copies{{{label},status="refused"}} 1.0',
        f'm3sync_entity_copies{{{label},status="waiting"}} 1.0',
        f'm3sync_runs_total{{{label},status="COMPLETE"}} 1.0',
        f"m3sync_entity_run_under_way{{{label}}} 0.0",
    ):
        assert line in text, line


async def _json(site: Site, path: str) -> dict[str, Any]:
    answer = await site.get(path)
    assert answer.status == 200, answer
    found: dict[str, Any] = json.loads(answer.text)
    return found
