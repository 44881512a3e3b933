"""Every metric that is served is explained in the documentation, and none besides."""

import re
from pathlib import Path

from daemon.web.sources import Sources
from state.database import Pool
from tests.integration import entity_rows
from tests.integration.web_pages import ready_integration, served, write_history

DOCS = Path(__file__).parents[2] / "docs"


async def test_the_documentation_has_the_metrics_that_are_served(db: Pool) -> None:
    async with served(Sources(lambda: db)) as site:
        await write_history(db, await ready_integration(db))
        await entity_rows.new_sync(db)
        text = (await site.get("/metrics")).text
    named = set(re.findall(r"^# TYPE (\S+)", text, re.MULTILINE))
    pages = "".join((DOCS / page).read_text("utf-8") for page in ("operating.md", "entity-data-sync.md"))
    told = set(re.findall(r"`(m3sync_[a-z_]+)`", pages))
    assert {name for name in named if not name.startswith("m3sync_process_")} == told
