"""How windows that are read again show: status, issues, lag, a story, metrics, panel, command line."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from prometheus_client.parser import text_string_to_metric_families

from daemon.cli import explain, status
from daemon.web import rereading
from daemon.web.sources import Sources
from state import checkpoints, inbox, insights, integrations, rereads
from state.checkpoints import Reader
from state.database import Pool
from state.insight_models import CurrentStatus, FirstSynchronization, IssueKind
from state.models import Cause, Integration
from state.rereads import RereadCause, Window
from tests.integration import reread_scenes
from tests.integration.reread_scenes import FROM, UNTIL, WORDS
from tests.integration.state_rows import connected_elsewhere, new_integration, record_id
from tests.integration.web_pages import Site, ready_integration, served

INITIAL = Window("Opportunity", RereadCause.INITIAL)


@pytest.fixture
async def agreements(db: Pool) -> Integration:
    return await ready_integration(db)


@pytest.fixture
async def site(db: Pool) -> AsyncIterator[Site]:
    async with served(Sources(lambda: db)) as found:
        yield found


async def told(db: Pool) -> list[str]:
    (found,) = await insights.statuses(db)
    return [f"{rereading.window(each)}: {rereading.progress(each)}" for each in found.rereads]


async def test_the_status_tells_open_windows_first_and_what_each_came_to(
    db: Pool, agreements: Integration
) -> None:
    await reread_scenes.all_of_them(db, agreements.integration_id)
    span = "2026-11-18 10:00 to 2026-11-21 09:00 UTC"
    assert await told(db) == [
        "Opportunity, initial, everything until 2026-11-21 09:00 UTC: 8,000 of 52,310 read, 2 to sync",
        f"OpportunityLineItem, overflow, {span}: 0 read, failed 4 times: {WORDS}",
        f"Opportunity, replay refused, {span}: 1,204 read, 17 to sync, 3 differed",
        f"Opportunity, silent, {span}: 12 read, 0 differed",
    ]


async def test_every_open_window_is_told_however_many_there_are_and_only_the_latest_others(
    db: Pool, agreements: Integration
) -> None:
    key = agreements.integration_id
    for number in range(8):
        done = Window(f"Done{number}__c", RereadCause.GAP, "", "/data/X", FROM, UNTIL)
        await reread_scenes.page(db, await reread_scenes.window(db, key, done), read=1)
    async with db.acquire() as session:
        await session.execute("UPDATE rereads SET status = 'READ', finished_at = now(), lease_token = NULL")
        windows = [Window(f"Open{number}__c", RereadCause.GAP) for number in range(8)]
        async with session.transaction():
            await rereads.open_windows(session, key, "00D000000000001EAA", windows)
    lines = await told(db)
    assert [line[:4] for line in lines] == ["Open"] * 8 + ["Done"] * 5
    assert lines[0].endswith(": waits for its turn")


async def test_an_open_window_is_no_issue_until_it_failed_several_times(
    db: Pool, agreements: Integration
) -> None:
    key = agreements.integration_id
    await reread_scenes.failing(db, key, times=1)
    (found,) = await insights.statuses(db)
    assert (found.issues, found.issue_count, found.current) == ((), 0, CurrentStatus.WAITING)
    await reread_scenes.failing(db, key, times=2)
    (found,) = await insights.statuses(db)
    (issue,) = found.issues
    assert (issue.kind, issue.subject, found.issue_count) == (
        IssueKind.REREAD,
        "re-read of OpportunityLineItem",
        1,
    )
    assert issue.message == WORDS
    assert issue.instruction.startswith("Grant the user read access. It is tried again by itself at ")


async def test_a_failing_window_concerns_its_own_integration_only(db: Pool, agreements: Integration) -> None:
    await new_integration(db, "Others")
    await reread_scenes.failing(db, agreements.integration_id)
    mine, others = await insights.statuses(db)
    assert (len(mine.issues), others.issues, others.rereads) == (1, (), ())


async def test_the_first_synchronization_is_in_progress_while_an_initial_one_is_read_or_synced(
    db: Pool, agreements: Integration
) -> None:
    async def first() -> FirstSynchronization:
        (found,) = await insights.statuses(db)
        return found.first_synchronization

    reread = await reread_scenes.window(db, agreements.integration_id, INITIAL)
    assert await first() is FirstSynchronization.IN_PROGRESS
    reread = await reread_scenes.page(db, reread, 1)
    async with db.acquire() as session, session.transaction():
        await rereads.finish(session, reread)
    assert await first() is FirstSynchronization.IN_PROGRESS
    await db.execute("DELETE FROM inbox")
    assert await first() is FirstSynchronization.NOT_STARTED


async def test_records_of_an_initial_synchronization_are_no_lag_and_others_are(
    db: Pool, agreements: Integration
) -> None:
    key = agreements.integration_id
    await reread_scenes.page(db, await reread_scenes.window(db, key, INITIAL), 1, 2)
    await db.execute("UPDATE inbox SET first_changed_at = now() - interval '1 hour'")
    (found,) = await insights.statuses(db)
    assert (found.lag, found.inbox.waiting) == (None, 2)
    assert (await insights.figures(db)).lag == {"Agreements": timedelta(0)}
    await inbox.put(db, key, "Opportunity", record_id(1), cause=Cause.CHANGE)
    (found,) = await insights.statuses(db)
    assert found.lag is not None


async def test_metrics_count_windows_by_cause_records_and_what_is_open(
    db: Pool, agreements: Integration, site: Site
) -> None:
    await reread_scenes.all_of_them(db, agreements.integration_id)
    families = {each.name: each for each in text_string_to_metric_families((await site.get("/metrics")).text)}

    def samples(name: str, label: str) -> dict[str, float]:
        return {each.labels[label]: each.value for each in families[name].samples}

    assert samples("m3sync_windows", "cause") == {
        "initial": 1,
        "overflow": 1,
        "replay refused": 1,
        "silent": 1,
    }
    assert samples("m3sync_reread_records", "what") == {"read": 9216, "put": 19, "differed": 3}
    assert samples("m3sync_open_windows", "integration") == {"Agreements": 2}


async def test_the_panel_and_the_api_tell_windows_and_text_of_salesforce_is_only_text(
    db: Pool, agreements: Integration, site: Site
) -> None:
    await reread_scenes.all_of_them(db, agreements.integration_id)
    front = (await site.get("/")).text
    assert "1,204 read, 17 to sync, 3 differed" in front
    assert "<strong>re-read of OpportunityLineItem</strong>" in front
    assert "&lt;b&gt;at all&lt;/b&gt;" in front
    assert "<b>" not in front
    record = (await site.get(f"/records/{record_id(101)}")).text
    assert "read again: Opportunity, replay refused, 2026-11-18 10:00 to 2026-11-21 09:00 UTC" in record
    assert '"left": 17' in (await site.get("/api/v1/status")).text.replace('"left":17', '"left": 17')
    assert '"replay refused"' in (await site.get(f"/api/v1/explain/{record_id(101)}")).text


async def test_the_command_line_tells_windows_within_eighty_columns(
    db: Pool, agreements: Integration, capsys: pytest.CaptureFixture[str]
) -> None:
    await reread_scenes.all_of_them(db, agreements.integration_id)
    for each in await insights.statuses(db):
        status.show(each)
    shown = capsys.readouterr().out
    assert "    Opportunity, replay refused, 2026-11-18 10:00 to 2026-11-21 09:00 UTC:\n" in shown
    assert "      1,204 read, 17 to sync, 3 differed\n" in shown
    explain.tell(await insights.explain(db, record_id(101)))
    assert "read again: Opportunity, replay refused" in capsys.readouterr().out


async def test_a_look_up_that_is_put_off_says_until_when_and_nothing_waits_for_it(
    db: Pool, agreements: Integration
) -> None:
    later = Window("Opportunity", RereadCause.LOOK_UP, from_at=FROM, delay=timedelta(hours=5))
    async with db.acquire() as session, session.transaction():
        await rereads.open_windows(session, agreements.integration_id, "00D000000000001EAA", [later])
    (line,) = await told(db)
    assert line.startswith("Opportunity, look-up of known records: waits until 20")
    (found,) = await insights.statuses(db)
    assert found.current is CurrentStatus.IN_STEP


async def test_a_window_of_an_org_that_is_connected_no_more_says_so_and_nothing_waits_for_it(
    db: Pool, agreements: Integration
) -> None:
    key = agreements.integration_id
    held = await reread_scenes.window(db, key, INITIAL, total=7)
    await db.execute("UPDATE rereads SET lease_until = now()")  # by a daemon that was ended
    former, other = Reader(key, held.org_id), Reader(key, "00D000000000002EAA")
    await checkpoints.begin(db, former, ["/data/X"])
    assert (await told(db))[0].endswith(": 0 of 7 read")

    await connected_elsewhere(db, agreements)
    await checkpoints.begin(db, other, ["/data/X"])
    assert (await told(db))[0].endswith(": 0 read, waits until its org 00D000000000001EAA is connected again")
    (found,) = await insights.statuses(db)
    assert (found.current, found.first_synchronization, found.issues) == (
        CurrentStatus.IN_STEP,
        FirstSynchronization.NOT_STARTED,
        (),
    )

    back = agreements.salesforce_credential_id
    await integrations.connect(db, key, salesforce_credential_id=back)
    assert (await told(db))[0].endswith(": 0 of 7 read")
