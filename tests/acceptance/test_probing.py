"""A system that is away is noticed although nothing needs it, and seen to come back."""

import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from daemon.to_m3ter import presets
from state import integrations
from state.database import Pool
from state.entity_models import EntityType
from tests.acceptance import house as houses
from tests.acceptance.house import House, until
from tests.integration import copying
from tests.sandboxes import ControlApi, LocalSandbox


@pytest.fixture
async def house(sandbox: LocalSandbox, db: Pool, database_url: str, tmp_path: Path) -> AsyncIterator[House]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    async with houses.built(sandbox, db, database_url, tmp_path, presets.text("opportunity")) as built:
        often = {"probe_seconds": 0.2, "connect_seconds": 1, "total_seconds": 1}
        changes: dict[str, Any] = {
            "http": built.settings.http.model_copy(update={"port": port}),
            "salesforce": built.settings.salesforce.model_copy(update=often),
            "m3ter": built.settings.m3ter.model_copy(update=often),
        }
        built.settings = built.settings.model_copy(update=changes)
        yield built


async def asked(house: House, path: str) -> tuple[int, str]:
    """Status and text; 0 before it serves."""
    try:
        async with house.session.get(f"http://127.0.0.1:{house.settings.http.port}{path}") as answer:
            return answer.status, await answer.text()
    except aiohttp.ClientConnectorError:
        return 0, ""


def control(house: House, system: str) -> ControlApi:
    return house.sandbox.m3ter_control if system == "m3ter" else house.sandbox.salesforce_control


async def _is_missed_and_seen_again(house: House, system: str, kind: str) -> None:
    async def is_ready() -> bool:
        return (await asked(house, "/readyz"))[0] == 200

    async def is_missed() -> bool:
        status, text = await asked(house, "/readyz")
        return status == 503 and f"{system}:{system}" in text

    async with houses.app_running(house):
        await until(is_ready)
        await control(house, system).fault(kind, match={"path": "/*"}, times=None)
        await until(is_missed)
        assert (await asked(house, "/livez"))[0] == 200
        await control(house, system).clear_faults()
        await until(is_ready)


@pytest.mark.parametrize("kind", ["refuse", "black_hole", "status"])
@pytest.mark.parametrize("system", ["m3ter", "salesforce"])
async def test_readyz_names_an_idle_system_that_is_away_and_livez_stays(
    house: House, system: str, kind: str
) -> None:
    await _is_missed_and_seen_again(house, system, kind)


@pytest.mark.parametrize("system", ["m3ter", "salesforce"])
async def test_it_does_so_where_there_is_nothing_but_an_entity_data_sync(house: House, system: str) -> None:
    await integrations.disable(house.db, house.integration.name)
    await copying.declare(house)
    await copying.added(house, EntityType.ACCOUNT)
    await _is_missed_and_seen_again(house, system, "refuse")
