"""The page of a run: what its calls came to, in words."""

from dataclasses import replace
from datetime import UTC, datetime

from daemon.web.sources import Sources
from state import database, runs
from state.database import Pool
from state.run_models import LogLine, NewRun
from tests.integration.state_rows import new_integration, record_id
from tests.integration.web_pages import FAILED, served


async def test_a_call_that_failed_is_told_without_names_of_the_source(db: Pool) -> None:
    key, now = (await new_integration(db)).integration_id, datetime.now(UTC)
    call = {"system": "m3ter", "method": "POST", "path": "/accounts", "status": 409, "milliseconds": 3}
    detail = {**call, "error": "RejectedError DUPLICATE_VALUE"}
    run_id = await runs.start(db, NewRun(key, "Opportunity", record_id(1), "change", 1, now))
    async with database.transaction(db) as tx:
        await runs.finish(tx, run_id, replace(FAILED, log=(LogLine("call", now, detail),)))
    async with served(Sources(lambda: db)) as site:
        page = (await site.get(f"/runs/{run_id}")).text
    assert "<br>refused DUPLICATE_VALUE</td>" in page
    assert "RejectedError" not in page
