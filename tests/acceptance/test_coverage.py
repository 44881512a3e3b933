"""The whole daemon, switched on and off: nothing from before, nothing missed; work beside it is watched."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from daemon.to_m3ter import presets
from state import health, integrations, retention
from state.database import Pool
from tests.acceptance import house as houses
from tests.acceptance.house import House, until
from tests.sandboxes import LocalSandbox


@pytest.fixture
async def house(sandbox: LocalSandbox, db: Pool, database_url: str, tmp_path: Path) -> AsyncIterator[House]:
    async with houses.built(sandbox, db, database_url, tmp_path, presets.text("opportunity")) as built:
        yield built


async def deals(house: House) -> list[str]:
    found = await house.query(
        "SELECT Id FROM Opportunity WHERE StageName != 'Closed Won' ORDER BY Name LIMIT 2"
    )
    return [str(each["Id"]) for each in found]


async def win(house: House, deal: str) -> None:
    await house.salesforce("PATCH", f"/sobjects/Opportunity/{deal}", {"StageName": "Closed Won"})


async def test_deals_won_while_it_was_off_are_synced_and_those_from_before_it_went_live_never(
    house: House,
) -> None:
    by_hand, meanwhile = await deals(house)
    await win(house, by_hand)  # and entered in m3ter by hand
    # As if that had been some time before it was enabled, which is told by the database's clock.
    await house.sandbox.salesforce_control.advance_clock(timedelta(minutes=10).total_seconds())
    async with houses.daemon(house):
        pass  # it has read its windows
    await integrations.disable(house.db, house.integration.name)
    await win(house, meanwhile)
    await integrations.enable(house.db, house.integration.name)
    made = []
    for _ in range(2):
        async with houses.daemon(house):
            await until(lambda: house.ended_runs(meanwhile))
            await until(lambda: house.db.fetchval("SELECT bool_and(status = 'READ') FROM rereads"))
        made.append(await house.census())
    assert await house.ended_runs(by_hand) == []
    assert made[0] == made[1], "a record that is read again is not billed twice"


async def test_work_beside_the_streams_that_fails_is_told_and_begun_again(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, told = retention.prune, list[str]()

    async def failing(db: Pool) -> object:
        if not told:
            told.append("failed")
            raise RuntimeError("a fault of ours")
        told.append("done")
        return await real(db)

    async def reports() -> list[str]:
        return [each.message for each in await health.all(house.db) if each.subject == "part:forgetting"]

    monkeypatch.setattr(retention, "prune", failing)
    async with houses.daemon(house):
        assert "a fault of ours" in (await until(reports))[0]
        await until(lambda: _is_in("done", told))


async def _is_in(what: str, told: list[str]) -> bool:
    return what in told
