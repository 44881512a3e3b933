"""Customers in the emulated m3ter, each with one entity of every type, and what Salesforce shows of them."""

import asyncio
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from connectors.sandbox.m3ter import billing
from connectors.sandbox.m3ter.organization import Organization
from daemon.clients import Links
from daemon.to_salesforce.tasks import Tasks
from state import entity_runs, vault
from state.entity_models import EntityRun, EntitySync, EntityType, Namespace, RunCause
from tests.acceptance import house as houses
from tests.acceptance.house import House, Record
from tests.integration import copying

Customer = dict[EntityType, str]
PERIOD = {"startDate": "2026-01-01", "endDate": "2027-01-01"}


def organization(house: House) -> Organization:
    """m3ter itself, of a sandbox in this process."""
    found: Organization = house.sandbox.running.organization  # type: ignore[attr-defined]  # a local one
    return found


async def made(house: House, *codes: str) -> list[Customer]:
    """The ids of each one's account, contract, commitment, bill and balance."""
    return [await _customer(house, code) for code in codes]


async def _customer(house: House, code: str) -> Customer:
    account = {"name": f"Company {code}", "code": code, "emailAddress": f"{code.lower()}@example.com"}
    account_id = (await house.m3ter("POST", "/accounts", account))["id"]
    period = {"accountId": account_id, **PERIOD}
    contract_id = (await house.m3ter("POST", "/contracts", {**period, "name": f"Frame {code}"}))["id"]
    money = {"currency": "USD", "amount": Decimal("1200.55"), "contractId": contract_id}
    commitment_id = (await house.m3ter("POST", "/commitments", {**period, **money}))["id"]
    billed = billing.bill(organization(house), account_id, [billing.line("Calls", "10.33")])
    credited = billing.balance(organization(house), account_id, "99.99", contractId=contract_id)
    return {
        EntityType.ACCOUNT: account_id,
        EntityType.CONTRACT: contract_id,
        EntityType.COMMITMENT: commitment_id,
        EntityType.BILL: billed["id"],
        EntityType.BALANCE: credited["id"],
    }


async def run(house: House, *syncs: EntitySync) -> list[EntityRun]:
    """One more run of each of these, beside one another, in a daemon that runs no other integration.

    They are asked for first, so that nothing is done by the feed instead.
    """
    ids = [
        await entity_runs.ask(house.db, each.integration.integration_id, RunCause.MANUAL) for each in syncs
    ]
    names = {f"entity:{each.integration.name}" for each in syncs}
    kept = vault.load_or_create_key(house.settings.vault_key_path)
    stop = asyncio.Event()

    async def over() -> list[EntityRun]:
        found = [await entity_runs.get(house.db, run_id) for run_id in ids]
        return found if all(each.status in copying.OVER for each in found) else []

    async with Links(house.db, kept, houses.HURRIED) as links, asyncio.TaskGroup() as group:
        for task in await Tasks(house.db, links, copying.HASTY).wanted():
            if task.name in names:
                group.create_task(task.run(stop), name=task.name)
        try:
            runs: list[EntityRun] = await houses.until(over)
        finally:
            stop.set()
    assert {(each.refused, each.error) for each in runs} == {(0, "")}
    return runs


def accounts(some: Iterable[Customer]) -> tuple[str, ...]:
    """Their m3ter account ids."""
    return tuple(each[EntityType.ACCOUNT] for each in some)


def vanish(house: House, kind: EntityType, m3ter_id: str) -> dict[str, Any]:
    """m3ter has the entity no more, and tells nobody; gives it, to come back."""
    store = organization(house).store
    entity = store.get(kind.value, m3ter_id)
    store.remove(kind.value, m3ter_id)
    return entity


async def come_back(house: House, kind: EntityType, entity: dict[str, Any]) -> None:
    """m3ter has it again, as it was."""
    await copying.load(house, kind.value, [entity])


async def state_of(
    house: House, kind: EntityType, m3ter_id: str, namespace: Namespace = Namespace.CUSTOM
) -> str:
    """What a person sees of it in Salesforce: "there", "marked" or "none"."""
    copy: Record | None = (await copying.copies(house, kind, namespace)).get(m3ter_id)
    if copy is None:
        return "none"
    marks = [value for name, value in copy.items() if name.endswith("m3ter_Deleted_At__c")]
    assert len(marks) == 1
    return "marked" if marks[0] else "there"
