"""Records with much text: fewer go with a call, and fewer are in memory at a time."""

from dataclasses import replace
from typing import Any

import pytest

from daemon.to_salesforce import flights, portions
from daemon.to_salesforce.flights import Flights
from state.entity_models import EntityType
from state.models import RunStatus
from tests.acceptance.house import House
from tests.integration import copying

CALLS = "*/composite/sobjects/*"
MANY = replace(copying.HASTY, in_flight=20)
A_CALL, ALL_CALLS = 10_000, 50_000


@pytest.fixture(autouse=True)
def in_memory(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Limits that some dozens of accounts reach; gives what was in memory whenever a call was begun."""
    monkeypatch.setattr(portions, "MOST_BYTES", A_CALL)
    monkeypatch.setattr(portions, "_FULL_BYTES", A_CALL * 3 // 4)
    monkeypatch.setattr(flights, "_MOST_BYTES", ALL_CALLS)
    seen, begin = list[int](), Flights.begin

    def noting(self: Flights, *given: Any, **more: Any) -> None:
        begin(self, *given, **more)
        seen.append(sum(self._sizes.values()))

    monkeypatch.setattr(Flights, "begin", noting)
    return seen


async def test_all_are_written_by_calls_of_bounded_size(house: House, in_memory: list[int]) -> None:
    ids = await copying.load(house, "Account", copying.rows(600))
    sync = await copying.added(house, EntityType.ACCOUNT)
    run = await copying.once(house, sync, MANY)
    assert (run.status, run.written, run.refused) == (RunStatus.COMPLETE, 600, 0)
    assert set(await copying.copies(house, EntityType.ACCOUNT)) == set(ids)
    made = await house.sandbox.salesforce_control.journal(f"method=PATCH&path={CALLS}")
    assert len(made) == len(in_memory) > 600 // 200
    assert A_CALL < max(in_memory) <= ALL_CALLS
