"""Thousands of accounts and bills: copied, looked at again, then a few changed; in small memory."""

from collections.abc import Mapping
from typing import Any

from state.entity_models import EntityType
from state.models import RunStatus
from tests.acceptance import scaled
from tests.acceptance.scaled import Round
from tests.bench import stage
from tests.bench.memory import LIMIT

ACCOUNTS = 3_000
CHANGED = {EntityType.ACCOUNT: 201, EntityType.BILL: 450}
A_PAGE = 100
LISTS = {EntityType.ACCOUNT: "m3ter list accounts", EntityType.BILL: "m3ter list bills"}
MAPPINGS = {"m3ter list externalmappings": 1}  # which standard Accounts there are: of these customers none


async def test_what_differs_costs_a_call_per_200_and_what_does_not_none(database_server: str) -> None:
    async with (
        scaled.company(database_server, ACCOUNTS) as company,
        stage.running(company.m3sync) as daemon,
    ):
        first = await company.round(daemon, 1)
        unchanged = await company.round(daemon, 2)
        company.change(CHANGED)
        changed = await company.round(daemon, 3)
        peak = daemon.peak
    _check(first, company.count, company.count)
    _check(unchanged, company.count, {})
    _check(changed, company.count, CHANGED)
    assert peak < LIMIT.bound


def _check(done: Round, count: Mapping[EntityType, int], differing: Mapping[EntityType, int]) -> None:
    """Salesforce's own journal, the runs' counts and their tables of calls tell the same."""
    for kind, run in done.runs.items():
        wanted = differing.get(kind, 0)
        calls = scaled.calls_for(wanted)
        assert (run.status, run.entities_read) == (RunStatus.COMPLETE, count[kind]), run
        assert (run.differing, run.written, run.refused) == (wanted, wanted, 0), run
        assert _asked(done, kind) == calls
        table = {name: number for name, number in run.calls.items() if not name.endswith(" token")}
        sent = {"Salesforce collections": calls} if calls else {}
        beside = MAPPINGS if kind is EntityType.ACCOUNT else {}
        assert table == {LISTS[kind]: count[kind] // A_PAGE, **beside, **sent}
    assert sum(done.salesforce.values()) == sum(scaled.calls_for(number) for number in differing.values())


def _asked(done: Round, kind: EntityType) -> Any:
    path = f"/composite/sobjects/m3ter_{kind.value}__c/m3ter_Id__c"
    return done.salesforce[f"PATCH {path}"]
