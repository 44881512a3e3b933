"""A credential that is refused ends the run as AUTH_FAILED; accepted again, it is begun anew by itself."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from daemon.clients import Links
from daemon.prober import Prober
from state import credentials, entity_insights, entity_runs, health, vault
from state.entity_models import EntityRun, EntitySync, EntityType
from state.insight_models import CurrentStatus
from state.models import RunStatus
from tests.acceptance import house as houses
from tests.acceptance.house import House, until
from tests.integration import copying
from tests.sandboxes import ControlApi

BRIEFLY = replace(copying.HASTY, lease=timedelta(seconds=1))
REFUSAL = {"error": "invalid_client", "error_description": "app is not known here"}


async def refused(house: House, system: str) -> ControlApi:
    control = house.sandbox.m3ter_control if system == "m3ter" else house.sandbox.salesforce_control
    what: dict[str, Any] = {"status": 401, "body": REFUSAL, "times": None}
    await control.fault("status", match={"path": "*/oauth*/token"}, **what)
    return control


async def asked_again(house: House, system: str) -> None:
    """What the daemon does now and then: it asks whether the system is there."""
    key = vault.load_or_create_key(house.settings.vault_key_path)
    kept = await credentials.show(house.db, system)
    async with Links(house.db, key, houses.HURRIED) as links:
        if system == "m3ter":
            organization = (await links.organization(kept.credential_id)).client
            prober = Prober(organization.m3ter.authenticate, organization.standing, timedelta(0))
        else:
            org = (await links.org(kept.credential_id)).client
            prober = Prober(org.salesforce.limits, org.standing, timedelta(0))
        await prober.question()
        await prober.standing.well()


async def status(house: House, sync: EntitySync) -> CurrentStatus:
    return (await entity_insights.status(house.db, sync.integration.name)).current


@pytest.mark.parametrize("system", ["salesforce", "m3ter"])
async def test_a_refused_credential_ends_the_run_and_it_begins_anew_when_accepted(
    house: House, system: str
) -> None:
    ids = await copying.load(house, "Account", copying.rows(3))
    sync = await copying.added(house, EntityType.ACCOUNT)
    control = await refused(house, system)
    async with copying.copying(house, BRIEFLY):

        async def is_told() -> bool:
            return any(not each.is_well for each in await health.all(house.db))

        await until(is_told)
        assert await status(house, sync) is CurrentStatus.NOT_AUTHORIZED
        run = await copying.ended(house, sync)
        assert run.status is RunStatus.AUTH_FAILED
        assert run.error.startswith(f"The credential {system} is not accepted: ")
        assert "begins anew by itself" in run.instruction
        assert await status(house, sync) is CurrentStatus.NOT_AUTHORIZED
        assert [each.run_id for each in await _runs(house, sync)] == [run.run_id]

        await control.clear_faults()
        for each in ("salesforce", "m3ter"):
            await asked_again(house, each)
        after = await copying.ended(house, sync, 2)
    assert (after.status, after.cause, after.created) == (RunStatus.COMPLETE, run.cause, 3)
    assert set(await copying.copies(house, EntityType.ACCOUNT)) == set(ids)


async def _runs(house: House, sync: EntitySync) -> list[EntityRun]:
    return await entity_runs.list_runs(house.db, sync.integration.integration_id)


async def test_a_credential_refused_for_a_moment_only_delays_the_run(house: House) -> None:
    await copying.load(house, "Account", copying.rows(3))
    sync = await copying.added(house, EntityType.ACCOUNT)
    fault: dict[str, Any] = {"status": 401, "body": REFUSAL, "times": 2}
    await house.sandbox.salesforce_control.fault("status", match={"path": "*/oauth*/token"}, **fault)
    run = await copying.once(house, sync, copying.HASTY)
    assert (run.status, run.created) == (RunStatus.COMPLETE, 3)
    assert len(await _runs(house, sync)) == 1
