"""The web side over HTTP: who is answered, what is said while parts are away, what pages and JSON hold."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from prometheus_client.parser import text_string_to_metric_families

from connectors.salesforce import ids
from daemon.configuration import ConfigurationError
from daemon.web import judging
from daemon.web.sources import Sources
from state import database, health
from state.database import Pool
from state.models import Integration
from tests.integration.state_rows import record_id
from tests.integration.web_pages import HOSTILE, OPPORTUNITY, Site, ready_integration, served, write_history

UNKNOWN = "7886799b-fc81-458a-b0a3-17fa1d24c560"  # the same in every process that collects the tests


@pytest.fixture
async def site(db: Pool) -> AsyncIterator[Site]:
    async with served(Sources(lambda: db)) as found:
        yield found


@pytest.fixture
async def integration(db: Pool, site: Site) -> Integration:  # noqa: ARG001 - reports only count once the site is up
    return await ready_integration(db)


@pytest.mark.usefixtures("integration")
async def test_it_lives_and_is_ready_once_everything_is_well(site: Site) -> None:
    assert (await site.get("/livez")).status == 200
    ready = await site.get("/readyz")
    assert (ready.status, ready.text) == (200, "ready\n")


async def test_without_any_integration_it_is_ready(site: Site) -> None:
    assert (await site.get("/readyz")).status == 200


@pytest.mark.parametrize("system", ["salesforce", "m3ter", "stream"])
async def test_it_is_not_ready_while_a_system_is_away_and_recovers(
    site: Site, db: Pool, integration: Integration, system: str
) -> None:
    name = {
        "salesforce": integration.salesforce_credential_name,
        "m3ter": integration.m3ter_credential_name,
        "stream": integration.name,
    }[system]
    await health.report(db, f"{system}:{name}", False, "It refuses connections.", "Look at the network.")
    away = await site.get("/readyz")
    assert away.status == 503
    assert f"{system}:{name}: It refuses connections. Look at the network." in away.text
    assert (await site.get("/livez")).status == 200
    await health.report(db, f"{system}:{name}", True)
    assert (await site.get("/readyz")).status == 200


async def test_a_stream_that_only_an_earlier_process_heard_is_not_ready(db: Pool) -> None:
    found = await ready_integration(db)
    async with served(Sources(lambda: db)) as site:
        answer = await site.get("/readyz")
    assert answer.status == 503
    assert f"stream:{found.name}: It is not listening" in answer.text


@pytest.mark.usefixtures("integration")
@pytest.mark.parametrize("subject", ["m3ter:forgotten", "entity budget:forgotten"])
async def test_what_nothing_uses_makes_nobody_wait(site: Site, db: Pool, subject: str) -> None:
    await health.report(db, subject, False, "It is gone.")
    assert (await site.get("/readyz")).status == 200


async def test_without_a_database_it_lives_and_names_the_cause_everywhere() -> None:
    async with served(Sources(lambda: None, lambda: "PostgreSQL at db refuses connections.")) as site:
        assert (await site.get("/livez")).status == 200
        for path in ("/readyz", "/healthz", "/api/v1/status", "/api/v1/runs", "/"):
            answer = await site.get(path)
            assert answer.status == 503, path
            assert "PostgreSQL at db refuses connections." in answer.text
        metrics = await site.get("/metrics")
        assert metrics.status == 200
        assert "m3sync_ready 0.0" in metrics.text


async def test_while_stopping_it_is_not_ready(db: Pool) -> None:
    async with served(Sources(lambda: db, lambda: "It is stopping.", lambda: False)) as site:
        answer = await site.get("/readyz")
    assert (answer.status, answer.text) == (503, "daemon: It is stopping.\n")


async def test_healthz_says_lag_last_sync_and_what_is_wrong(
    site: Site, db: Pool, integration: Integration
) -> None:
    await write_history(db, integration)
    answer = await site.get("/healthz")
    found = json.loads(answer.text)
    assert answer.status == 200
    assert (found["is_live"], found["is_ready"], found["causes"]) == (True, True, [])
    (summary,) = found["integrations"]
    assert summary["name"] == "Agreements"
    assert summary["last_synchronized_at"].endswith("Z")
    assert summary["lag_seconds"] is None
    assert (summary["issue_count"], summary["current"]) == (2, "issues")
    (status,) = json.loads((await site.get("/api/v1/status")).text)["integrations"]
    assert (status["lag_seconds"], "lag" in status, status["current"]) == (None, False, "issues")
    assert '<span class="pill bad">2 issues</span>' in (await site.get("/")).text


async def test_metrics_are_prometheus_text_under_one_prefix(
    site: Site, db: Pool, integration: Integration
) -> None:
    await write_history(db, integration)
    answer = await site.get("/metrics")
    families = {each.name: each for each in text_string_to_metric_families(answer.text)}
    assert all(name.startswith("m3sync_") for name in families)
    totals = {each.labels["status"]: each.value for each in families["m3sync_runs"].samples}
    assert totals["COMPLETE"] == 1
    assert totals["ERROR"] == 2
    assert families["m3sync_ready"].samples[0].value == 1
    assert "m3sync_process_resident_memory_bytes" in families


async def test_the_api_gives_runs_one_run_and_a_records_story(
    site: Site, db: Pool, integration: Integration
) -> None:
    made = await write_history(db, integration)
    runs = json.loads((await site.get("/api/v1/runs?failed=true&limit=10")).text)["runs"]
    assert [each["run"]["sync_status"] for each in runs] == ["Failed", "Partial Success"]
    run = json.loads((await site.get(f"/api/v1/runs/{made['Completed']}")).text)
    assert run["objects"][0]["object_name"] == "Account"
    assert run["log"][0]["detail"]["milliseconds"] == 12
    story = json.loads((await site.get(f"/api/v1/explain/{OPPORTUNITY}")).text)
    assert story["events"][0]["changed_fields"] == ["StageName", "Amount"]
    status = json.loads((await site.get("/api/v1/status")).text)
    assert status["integrations"][0]["integration"]["name"] == "Agreements"


async def test_runs_are_chosen_by_record_and_integration(db: Pool) -> None:
    async with served(Sources(lambda: db, full_record_id=ids.to_id18)) as site:
        integration = await ready_integration(db)
        await write_history(db, integration)
        for chosen, count in (
            (f"record={OPPORTUNITY}", 1),
            (f"record={OPPORTUNITY[:15]}", 1),
            (f"record={record_id(99)[:15]}", 0),
            ("integration=Agreements", 3),
            (f"integration={integration.integration_id}", 3),
        ):
            answer = await site.get(f"/api/v1/runs?{chosen}")
            assert (answer.status, len(json.loads(answer.text)["runs"])) == (200, count), chosen


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/v1/runs?limit=0", 400),
        ("/api/v1/runs?record=nonsense", 400),
        ("/api/v1/runs?integration=none", 404),
        ("/api/v1/runs?limit=many", 400),
        ("/api/v1/runs?failed=perhaps", 400),
        ("/api/v1/runs/nonsense", 400),
        (f"/api/v1/runs/{UNKNOWN}", 404),
        ("/api/v1/explain/nonsense", 400),
        (f"/api/v1/explain/{record_id(99)}", 404),
        (f"/runs/{UNKNOWN}", 404),
        ("/runs/nonsense", 400),
        (f"/records/{record_id(99)}", 404),
        ("/nowhere", 404),
    ],
)
async def test_what_is_not_there_is_said_so(site: Site, path: str, status: int) -> None:
    assert (await site.get(path)).status == status


async def test_an_address_that_leads_nowhere_is_told_in_the_manner_of_its_place(site: Site) -> None:
    lost = await site.get("/api/v1/nope")
    assert lost.status == 404
    assert json.loads(lost.text)["error"]["reason"] == "There is nothing at this address."
    page = await site.get("/nowhere")
    assert "There is nothing at this address." in page.text
    assert "panel.css" in page.text
    assert [("Server" in each.headers) for each in (lost, page, await site.get("/livez"))] == [False] * 3


async def test_the_panel_shows_the_six_items_and_the_runs(
    site: Site, db: Pool, integration: Integration
) -> None:
    await write_history(db, integration)
    page = (await site.get("/")).text
    for item in (
        "First synchronization status",
        "Current synchronization status",
        "Synchronization issues",
        "Date of last synchronization",
        "Automatic synchronization",
        "Force synchronization",
        "m3sync sync ID",
        "Completed",
        "Partial Success",
        "Failed",
        "Commitment would overlap with existing Commitment",
    ):
        assert item in page, item


async def test_hostile_text_of_a_record_is_only_text(site: Site, db: Pool, integration: Integration) -> None:
    made = await write_history(db, integration)
    for path in ("/", f"/runs/{made['Failed']}", f"/records/{record_id(3)}"):
        page = (await site.get(path)).text
        assert HOSTILE not in page
        assert "<script" not in page
        assert "<img" not in page
        assert "&lt;script&gt;" in page
        assert "{{ 7 * 7 }}" in page
        assert "\u202e" not in page
        assert "\x1b" not in page


async def test_every_answer_is_closed_off_and_not_kept(site: Site) -> None:
    for path in ("/", "/livez", "/metrics", "/panel.css", "/api/v1/status", "/nowhere", "/runs/nonsense"):
        headers = (await site.get(path)).headers
        assert headers["Content-Security-Policy"].startswith("default-src 'none'"), path
        assert "script-src" not in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example:80", "10.0.0.1"]
)
async def test_a_foreign_host_name_is_refused(site: Site, host: str) -> None:
    for path in ("/", "/livez", "/api/v1/status"):
        answer = await site.get(path, Host=host)
        assert answer.status == 421
        assert "http.hosts" in answer.text


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:8320", "127.0.0.1:1", "[::1]:8320", "panel.example"]
)
async def test_the_loopback_and_configured_names_are_answered(db: Pool, host: str) -> None:
    async with served(Sources(lambda: db), hosts=("panel.example",)) as site:
        assert (await site.get("/livez", Host=host)).status == 200


async def test_it_only_reads(site: Site) -> None:
    for path in ("/", "/api/v1/runs", "/livez"):
        async with site.session.post(site.address + path) as answer:
            assert answer.status == 405


async def test_a_port_in_use_is_said_so(site: Site, db: Pool) -> None:
    port = int(site.address.rpartition(":")[2])
    with pytest.raises(ConfigurationError, match=r"is taken by another program\. Set http\.port"):
        async with served(Sources(lambda: db), port=port):
            pass


async def test_a_database_that_hangs_keeps_nobody_waiting_and_is_named(
    db: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every connection that the pages could use is stuck in the server, as when its disk hangs."""
    monkeypatch.setattr(judging, "PATIENCE", timedelta(milliseconds=200))
    async with served(Sources(lambda: db)) as site, database.transaction(db) as tx:
        await ready_integration(db)
        await database.execute(tx, "LOCK TABLE health, integrations")
        assert (await site.get("/livez")).status == 200
        for path in ("/readyz", "/healthz", "/", "/api/v1/status"):
            async with asyncio.timeout(5):
                answer = await site.get(path)
            assert answer.status == 503
            assert "The database did not answer in 0 s." in answer.text
    await asyncio.gather(*judging._left_behind, return_exceptions=True)
