"""The daemon keeps all five types in Salesforce: related, to the cent, once, and only what changed again."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from connectors.sandbox.m3ter import billing
from daemon.settings import EntityDataSyncSettings
from daemon.to_m3ter import presets
from state import integrations
from state.database import Pool
from state.entity_models import EntityRun, EntitySync, EntityType
from state.models import RunStatus
from tests.acceptance import house as houses
from tests.acceptance.house import House, Record
from tests.integration import copying
from tests.sandboxes import LocalSandbox

QUIET_FEED = EntityDataSyncSettings(feed_seconds=3_600)


@dataclass(slots=True)
class Kept:
    """The house with an integration for each type, and one m3ter entity of each."""

    house: House
    syncs: dict[EntityType, EntitySync]
    ids: dict[EntityType, str]

    async def runs(self, number: int = 1) -> dict[EntityType, EntityRun]:
        """The latest run of each, once so many have ended."""
        return {kind: await copying.ended(self.house, sync, number) for kind, sync in self.syncs.items()}

    async def again(self) -> dict[EntityType, EntityRun]:
        """One more run of each, by hand."""
        return {kind: await copying.again(self.house, sync) for kind, sync in self.syncs.items()}

    async def copy(self, kind: EntityType) -> Record:
        found: Record = (await copying.copies(self.house, kind))[self.ids[kind]]
        return found


@pytest.fixture
async def kept(
    empty_sandbox: LocalSandbox, db: Pool, database_url: str, tmp_path: Path
) -> AsyncIterator[Kept]:
    opening = houses.built(empty_sandbox, db, database_url, tmp_path, presets.text("opportunity"))
    async with opening as house:
        house.settings = house.settings.model_copy(update={"entity_data_sync": QUIET_FEED})
        await integrations.disable(db, house.integration.name)
        await copying.declare(house)
        ids = await _company(house, empty_sandbox)
        fields = {"tier": "Tier__c"}
        document = {"m3ter_Account__c": {"fields": {"Tier__c": {"type": "string", "length": 40}}}}
        await empty_sandbox.salesforce_control.call("POST", "org/declare", document)
        syncs = {
            kind: await copying.added(house, kind, custom_fields=fields if kind is EntityType.ACCOUNT else {})
            for kind in EntityType
        }
        yield Kept(house, syncs, ids)


async def _company(house: House, sandbox: LocalSandbox) -> dict[EntityType, str]:
    organization = sandbox.running.organization
    account = {
        "name": "Brightwater",
        "code": "BRIGHT",
        "emailAddress": "pay@brightwater.example",
        "currency": "USD",
        "customFields": {"tier": "gold"},
    }
    account_id = (await house.m3ter("POST", "/accounts", account))["id"]
    period = {"accountId": account_id, "startDate": "2026-01-01", "endDate": "2027-01-01"}
    contract_id = (await house.m3ter("POST", "/contracts", {**period, "name": "Frame"}))["id"]
    commitment: dict[str, Any] = {"currency": "USD", "amount": Decimal("1200.55"), "contractId": contract_id}
    commitment_id = (await house.m3ter("POST", "/commitments", {**period, **commitment}))["id"]
    lines = [billing.line("Calls", "10.10"), billing.line("Storage", "0.23")]
    bill = billing.bill(organization, account_id, lines, startDate="2026-10-01", endDate="2026-11-01")
    balance = billing.balance(organization, account_id, "99.99", contractId=contract_id)
    return {
        EntityType.ACCOUNT: account_id,
        EntityType.CONTRACT: contract_id,
        EntityType.COMMITMENT: commitment_id,
        EntityType.BILL: bill["id"],
        EntityType.BALANCE: balance["id"],
    }


async def test_all_five_types_arrive_related_and_to_the_cent(kept: Kept) -> None:
    async with houses.app_running(kept.house):
        runs = await kept.runs()
    came_to = {(run.status, run.written, run.refused) for run in runs.values()}
    assert came_to == {(RunStatus.COMPLETE, 1, 0)}
    copies = {kind: await kept.copy(kind) for kind in EntityType}
    account = copies[EntityType.ACCOUNT]
    assert (account["Name"], account["Code__c"]) == ("Brightwater", "BRIGHT")
    (custom,) = await kept.house.query("SELECT Tier__c FROM m3ter_Account__c")
    assert custom["Tier__c"] == "gold"
    for kind in set(EntityType) - {EntityType.ACCOUNT}:
        assert copies[kind]["m3ter_Account__c"] == account["Id"], kind
    contract = copies[EntityType.CONTRACT]
    assert (contract["End_Date__c"], contract["Last_Day__c"]) == ("2027-01-01", "2026-12-31")
    commitment = copies[EntityType.COMMITMENT]
    assert Decimal(commitment["Amount__c"]) == Decimal("1200.55")
    assert commitment["m3ter_Contract__c"] == contract["Id"]
    bill = copies[EntityType.BILL]
    assert Decimal(bill["Total__c"]) == Decimal("10.33")
    assert (bill["Line_Count__c"], bill["Last_Day__c"]) == (2, "2026-10-31")
    balance = copies[EntityType.BALANCE]
    assert Decimal(balance["Amount__c"]) == Decimal("99.99")
    assert balance["m3ter_Contract__c"] == contract["Id"]


async def test_a_second_run_makes_no_salesforce_call_and_one_change_makes_one(kept: Kept) -> None:
    async with houses.app_running(kept.house):
        await kept.runs()
        await kept.house.sandbox.salesforce_control.clear_journal()
        runs = await kept.again()
        assert {run.differing for run in runs.values()} == {0}
        assert not await copying.calls(kept.house)

        organization = kept.house.sandbox.running.organization  # type: ignore[attr-defined]  # a local one
        billing.rebill(organization, kept.ids[EntityType.BILL], [billing.line("Calls", "12.34")])
        run = await copying.again(kept.house, kept.syncs[EntityType.BILL])
        assert (run.written, run.created) == (1, 0)
        assert sum((await copying.calls(kept.house)).values()) == 1
    assert Decimal((await kept.copy(EntityType.BILL))["Total__c"]) == Decimal("12.34")


async def test_what_is_deleted_in_m3ter_is_marked(kept: Kept) -> None:
    async with houses.app_running(kept.house):
        await kept.runs()
        await kept.house.m3ter("DELETE", f"/commitments/{kept.ids[EntityType.COMMITMENT]}")
        run = await copying.again(kept.house, kept.syncs[EntityType.COMMITMENT])
    assert (run.marked, run.written) == (1, 0)
    assert (await kept.copy(EntityType.COMMITMENT))["m3ter_Deleted_At__c"]
