"""What is wrong with a whole system, or with our own database, is not charged to records."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from daemon import prober
from daemon.clients import Links
from daemon.prober import Prober
from daemon.standing import Standing
from daemon.to_m3ter import by_hand, presets
from daemon.to_m3ter.tasks import Connected
from daemon.to_m3ter.worker import Options, Worker
from daemon.to_m3ter.workplace import Workplace
from state import health, inbox, vault
from state.database import Pool
from state.errors import DatabaseUnavailable, LeaseLost
from state.models import Claim, InboxStatus, RunStatus
from tests.acceptance import house as houses
from tests.acceptance.house import House, until
from tests.integration.test_sync_worker import FIRM, SEATS, TELEMETRY, ended, enter, row_of, working
from tests.sandboxes import LocalSandbox

PAGE: dict[str, Any] = {
    "body": "<html><h1>Blocked</h1> by policy 7</html>",
    "headers": {"Content-Type": "text/html"},
}


@pytest.fixture
async def house(sandbox: LocalSandbox, db: Pool, database_url: str, tmp_path: Path) -> AsyncIterator[House]:
    async with houses.built(sandbox, db, database_url, tmp_path, presets.text("opportunity")) as built:
        yield built


@pytest.mark.parametrize("status", [403, 404, 302])
@pytest.mark.parametrize("system", ["salesforce", "m3ter"])
async def test_a_page_in_a_systems_place_drains_no_inbox(house: House, system: str, status: int) -> None:
    """A firewall, a redirect or a gateway answers for a while."""
    ids = [await enter(house, SEATS), await enter(house, TELEMETRY)]
    control = house.sandbox.m3ter_control if system == "m3ter" else house.sandbox.salesforce_control
    where = "*/organizations/*" if system == "m3ter" else "*/services/data/*"
    await control.fault("status", match={"path": where}, status=status, times=None, **PAGE)

    async def ailing() -> list[str]:
        return [each.message for each in await health.all(house.db) if not each.is_well]

    async with working(house):
        await until(lambda: _some_runs(house, ids, 4))
        said = await until(ailing)
        rows = [await row_of(house, record_id) for record_id in ids]
        await control.clear_faults()
        for record_id in ids:
            await until(ended(house, record_id, RunStatus.COMPLETE))
    assert any(f"HTTP {status}: Blocked by policy 7" in each for each in said)
    assert all(row is not None and row.attempts <= 1 for row in rows)
    runs = [run for record_id in ids for run in await house.ended_runs(record_id)]
    assert {run.status for run in runs} == {RunStatus.AWAITING_RETRY, RunStatus.COMPLETE}


async def _some_runs(house: House, ids: list[str], count: int) -> bool:
    return sum([len(await house.ended_runs(record_id)) for record_id in ids]) >= count


async def test_a_firewalls_refusal_of_one_write_is_the_records_own(house: House) -> None:
    bad, good = await enter(house, TELEMETRY, priority=9), await enter(house, SEATS)
    match = {"method": "POST", "path": "*/commitments"}
    await house.sandbox.m3ter_control.fault("status", match=match, times=2, status=403, **PAGE)
    async with working(house):
        await until(ended(house, bad, RunStatus.ERROR))
        await until(ended(house, good, RunStatus.COMPLETE))
    (run,) = await house.ended_runs(bad)
    assert "firewall" in run.instruction
    assert await row_of(house, bad) is None


async def test_a_read_that_is_not_permitted_ends_the_record_and_names_the_permission(house: House) -> None:
    bad = await enter(house, SEATS)
    match = {"method": "GET", "path": "*/pricings"}
    refusal = {"message": "Forbidden"}
    await house.sandbox.m3ter_control.fault("status", match=match, times=None, status=403, body=refusal)
    async with working(house):
        await until(ended(house, bad, RunStatus.ERROR))
    (run,) = await house.ended_runs(bad)
    assert "permission for pricings" in run.instruction
    assert await row_of(house, bad) is None
    assert all(each.is_well for each in await health.all(house.db))


async def test_the_prober_takes_a_page_for_an_outage(house: House) -> None:
    match = {"path": "*/organizations/*"}
    await house.sandbox.m3ter_control.fault("status", match=match, times=None, status=403, **PAGE)
    async with by_itself(house) as worker:
        found = await prober.complaint(worker.place.organization.m3ter.authenticate)
    assert found is not None
    assert "Blocked by policy 7" in found.message


def by_itself(house: House) -> "_Worker":
    return _Worker(house)


class _Worker:
    """A worker of the one integration, whose claims the test makes."""

    def __init__(self, house: House) -> None:
        self._house = house
        kept = vault.load_or_create_key(house.settings.vault_key_path)
        self._links = Links(house.db, kept, houses.HURRIED)

    async def __aenter__(self) -> Worker:
        await self._links.__aenter__()
        chosen = await by_hand.choose(self._house.db, self._links, by_hand.Wish("006000000000001AAA"))
        assert isinstance(chosen, Connected)
        mappings = {chosen.integration.integration_id: chosen.mapping}
        org, organization = chosen.org.client, chosen.organization.client
        place = Workplace(self._house.db, org, organization, mappings, houses.IMPATIENT.policy)
        return Worker(place, Options("by itself"))

    async def __aexit__(self, *error: object) -> None:
        await self._links.__aexit__(None, None, None)


async def claimed(house: House, lease: timedelta) -> Claim:
    ids = [house.integration.integration_id]
    found = await inbox.claim(house.db, worker="by itself", lease=lease, integration_ids=ids)
    assert found is not None
    return found


@pytest.mark.parametrize("answer", ["never", "unavailable"])
async def test_work_stops_before_its_lease_ends_when_the_database_does_not_prolong_it(
    house: House, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    await enter(house, SEATS)
    clock = asyncio.get_running_loop().time

    async def not_prolonged(*_: Any) -> None:
        if answer == "never":
            await asyncio.Event().wait()
        raise DatabaseUnavailable("no answer", "")

    worked = [0.0]

    async def work() -> None:
        while True:
            worked[0] = clock()
            await asyncio.sleep(0.005)  # work that goes on until it is stopped

    monkeypatch.setattr(inbox, "renew", not_prolonged)
    async with by_itself(house) as worker:
        asked = clock()
        claim = await claimed(house, timedelta(seconds=0.6))
        with pytest.raises(LeaseLost):
            await worker._under_lease(claim, work())
    assert 0.3 < worked[0] - asked < 0.6


async def test_a_create_that_comes_too_late_after_its_fence_is_not_sent(house: House) -> None:
    """The first create waits for a token longer than its fence allows."""
    record_id = await enter(house, SEATS)
    control = house.sandbox.m3ter_control
    post = {"method": "POST", "path": "*/contracts"}
    await control.fault("status", match=post, status=403, body={"message": "Unauthorized"}, times=1)
    await control.fault("latency", match={"path": "*/oauth/token"}, seconds=0.3, skip=1, times=1)
    short = replace(FIRM, lease=timedelta(seconds=0.8))
    async with working(house, short):
        await until(ended(house, record_id, RunStatus.COMPLETE))
        sent = await control.journal("method=POST&path=*/contracts")
    first = (await house.ended_runs(record_id))[-1]
    assert first.status is RunStatus.AWAITING_RETRY
    assert "could not be sent in time" in first.message
    assert len(sent) == 2
    assert (await house.census())["Contract"] == 1


async def test_what_another_process_said_of_a_system_does_not_stay_when_it_is_not_so(house: House) -> None:
    credential_id = house.integration.m3ter_credential_id
    assert credential_id is not None
    standing = Standing(house.db, "m3ter:m3ter", credential_id, repeat_after=timedelta(milliseconds=50))
    stop = asyncio.Event()

    async def answers() -> None: ...

    async def is_well() -> bool:
        return any(each.subject == "m3ter:m3ter" and each.is_well for each in await health.all(house.db))

    async with asyncio.TaskGroup() as group:
        group.create_task(Prober(answers, standing, timedelta(milliseconds=20)).run(stop))
        await until(is_well)
        await health.report(house.db, "m3ter:m3ter", False, "It was away for another process.")
        await until(is_well)
        stop.set()


async def test_a_postponed_record_waits_by_the_databases_clock(house: House) -> None:
    """This machine is two hours behind its database."""
    record_id = await enter(house, SEATS)
    await house.db.execute("CREATE SCHEMA ahead")
    await house.db.execute(
        "CREATE FUNCTION ahead.now() RETURNS timestamptz LANGUAGE sql STABLE"
        " AS 'SELECT pg_catalog.now() + interval ''2 hours'''"
    )
    name = await house.db.fetchval("SELECT current_database()")
    await house.db.execute(f'ALTER DATABASE "{name}" SET search_path = ahead, public, pg_catalog')
    await house.db.expire_connections()
    assert await house.db.fetchval("SELECT now() > pg_catalog.now() + interval '1 hour'")
    slow = replace(FIRM, policy=replace(FIRM.policy, first=timedelta(minutes=1)))
    match = {"method": "POST", "path": "*/commitments"}
    await house.sandbox.m3ter_control.fault("status", match=match, times=1, status=500)
    async with working(house, slow):
        await until(ended(house, record_id, RunStatus.AWAITING_RETRY))
        row = await row_of(house, record_id)
    left = row.due_at - await house.db.fetchval("SELECT now()")
    assert timedelta(seconds=20) < left <= timedelta(minutes=1)
    assert (row.status, len(await house.ended_runs(record_id))) == (InboxStatus.WAITING, 1)
