"""Every request to m3ter is as m3ter's own description says, in every acceptance test of this process."""

from pathlib import Path

from daemon.to_m3ter import presets
from state.database import Pool
from state.models import SyncStatus
from tests import openapi
from tests.acceptance import house as houses
from tests.acceptance.conftest import Watch
from tests.sandboxes import LocalSandbox

WRITTEN = {
    *("POST accounts", "POST contracts", "POST commitments", "POST plans", "POST pricings"),
    *("POST accountplans", "POST externalmappings"),
}


async def test_a_whole_sync_sends_only_what_m3ter_describes(
    sandbox: LocalSandbox, db: Pool, database_url: str, tmp_path: Path, m3ter_traffic: Watch
) -> None:
    async with houses.built(sandbox, db, database_url, tmp_path, presets.text("opportunity")) as house:
        found = await house.query("SELECT Id FROM Opportunity WHERE StageName = 'Closed Won' LIMIT 1")
        result = await house.sync(found[0]["Id"])
        assert result.sync_status is SyncStatus.COMPLETED
        sent = {
            write.replace(f"/organizations/{sandbox.m3ter['org_id']}/", "") for write in await house.writes()
        }
    assert sent == WRITTEN
    assert m3ter_traffic.seen > 20
    assert m3ter_traffic.breaches == []


async def test_a_request_that_m3ter_does_not_describe_is_noticed(
    sandbox: LocalSandbox, m3ter_traffic: Watch
) -> None:
    openapi.path()
    url = f"{sandbox.m3ter['url']}/organizations/{sandbox.m3ter['org_id']}/accounts?sinceYesterday=1"
    async with sandbox.m3ter_control.session.get(url) as answer:
        assert answer.status == 403
    assert [breach for breach in m3ter_traffic.breaches if "sinceYesterday" in breach]
    m3ter_traffic.breaches.clear()
