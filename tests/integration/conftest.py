"""What tests of one store or one direction share; a test module with a house of its own keeps that."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from daemon.clients import Patience
from daemon.to_m3ter import presets
from state.database import Pool
from tests.acceptance import house as houses
from tests.acceptance.house import House
from tests.integration import copying
from tests.sandboxes import LocalSandbox

DEAL = "Quillmark - editorial seats"


@pytest.fixture
async def house(
    empty_sandbox: LocalSandbox, db: Pool, database_url: str, tmp_path: Path
) -> AsyncIterator[House]:
    """An org and an organization with nothing in them but the custom objects that copies are kept in."""
    opening = houses.built(empty_sandbox, db, database_url, tmp_path, presets.text("opportunity"))
    async with opening as built:
        await copying.declare(built)
        yield built


@pytest.fixture
async def deal(house: House) -> str:
    """An open Opportunity of the demo company, ready to be won."""
    found = await house.query(f"SELECT Id FROM Opportunity WHERE Name = '{DEAL}'")
    return str(found[0]["Id"])


@pytest.fixture
def brief(monkeypatch: pytest.MonkeyPatch) -> None:
    """What does not answer within a second is given up: for tests in which an answer never comes."""
    monkeypatch.setattr(houses, "HURRIED", Patience(salesforce=houses.BRIEF, m3ter=houses.BRIEF))
