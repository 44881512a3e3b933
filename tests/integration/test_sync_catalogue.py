"""The catalogue is read once, looked at again for what it did not have, and never guesses."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from connectors.errors import RejectedError
from connectors.m3ter import rest
from connectors.m3ter.models import EntityKind, M3terCredential
from daemon.catalogue import Catalogue, Freshness
from daemon.clients import Links
from daemon.outcomes import SyncResult
from daemon.to_m3ter import by_hand, presets
from daemon.to_m3ter.mapping.desired import Lookup
from daemon.to_m3ter.tasks import Connected
from state import vault
from state.database import Pool
from tests.acceptance import house as houses
from tests.acceptance.house import House
from tests.sandboxes import LocalSandbox

IMPATIENT = replace(houses.HURRIED, freshness=Freshness(miss=timedelta(0)))


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def catalogue(sandbox: LocalSandbox, clock: Clock) -> AsyncIterator[Catalogue]:
    freshness = Freshness(longest=timedelta(seconds=600), miss=timedelta(seconds=5))
    async with rest.open(M3terCredential.model_validate(sandbox.m3ter)) as m3ter:
        yield Catalogue(m3ter, freshness, clock)


async def reads(sandbox: LocalSandbox) -> int:
    return len(await sandbox.m3ter_control.journal("method=GET"))


async def a_product(sandbox: LocalSandbox, code: str) -> dict[str, Any]:
    body = {"kind": "Product", "body": {"code": code, "name": code}}
    created: dict[str, Any] = (await sandbox.m3ter_control.call("POST", "create", body))["entity"]
    return created


async def test_what_is_known_is_not_asked_again_until_it_is_old(
    sandbox: LocalSandbox, catalogue: Catalogue, clock: Clock
) -> None:
    for _ in range(3):
        found = await catalogue.find(EntityKind.PRODUCT, "SEATS")
        assert found is not None
    assert await reads(sandbox) == 1
    clock.now = 601
    await catalogue.find(EntityKind.PRODUCT, "SEATS")
    assert await reads(sandbox) == 2


async def test_a_missing_code_is_looked_for_again_but_not_at_every_turn(
    sandbox: LocalSandbox, catalogue: Catalogue, clock: Clock
) -> None:
    assert await catalogue.find(EntityKind.PRODUCT, "NEW") is None
    product = await a_product(sandbox, "NEW")
    clock.now = 4
    assert await catalogue.find(EntityKind.PRODUCT, "NEW") is None
    assert await reads(sandbox) == 1
    clock.now = 6
    found = await catalogue.find(EntityKind.PRODUCT, "NEW")
    assert found is not None
    assert found["id"] == product["id"]


async def test_the_product_of_a_plan_template_is_known(catalogue: Catalogue) -> None:
    template = await catalogue.find(EntityKind.PLAN_TEMPLATE, "SEATS")
    product = await catalogue.find(EntityKind.PRODUCT, "SEATS")
    assert template is not None
    assert product is not None
    assert await catalogue.product_of_template(template["id"]) == product["id"]


async def test_a_code_that_two_entities_carry_is_refused(sandbox: LocalSandbox, catalogue: Catalogue) -> None:
    product = await a_product(sandbox, "TWICE")
    twin = {**product, "id": "00000000-0000-4000-8000-000000000001"}
    await sandbox.m3ter_control.call("POST", "load", {"kind": "Product", "rows": [twin]})
    with pytest.raises(RejectedError, match="several Products with the code 'TWICE'"):
        await catalogue.find(EntityKind.PRODUCT, "TWICE")


async def test_whether_an_object_may_be_mapped_is_asked_once(
    sandbox: LocalSandbox, catalogue: Catalogue
) -> None:
    assert await catalogue.may_map("Account", "Opportunity")
    assert not await catalogue.may_map("Nonsense", "Opportunity")
    assert await reads(sandbox) == 1


async def test_what_is_doubted_is_read_anew_unless_it_was_just_read(
    sandbox: LocalSandbox, catalogue: Catalogue, clock: Clock
) -> None:
    lookup = Lookup("Product", "NEW")
    first = await a_product(sandbox, "NEW")
    assert await catalogue.resolve((lookup,)) == {lookup: first["id"]}
    await _replaced(sandbox, first)
    await catalogue.doubt((lookup,))
    assert await catalogue.resolve((lookup,)) == {lookup: first["id"]}
    clock.now = 6
    await catalogue.doubt((lookup,))
    assert await catalogue.resolve((lookup,)) not in ({}, {lookup: first["id"]})


async def _replaced(sandbox: LocalSandbox, product: dict[str, Any]) -> None:
    """Deleted, and made anew with the same code."""
    sandbox.running.organization.delete("Product", product["id"])
    await a_product(sandbox, product["code"])


@pytest.mark.parametrize("is_replaced", [True, False])
async def test_a_template_deleted_since_it_was_read_is_looked_up_once_more_when_a_create_is_rejected(
    sandbox: LocalSandbox, db: Pool, database_url: str, tmp_path: Path, is_replaced: bool
) -> None:
    text = presets.text("opportunity")
    async with (
        houses.built(sandbox, db, database_url, tmp_path, text) as house,
        Links(db, vault.load_or_create_key(house.settings.vault_key_path), IMPATIENT) as links,
    ):
        assert (await attempt(house, links, "Harbourline - fleet telemetry API")).success
        old = next(each for each in await house.all("plantemplates") if each["code"] == "SEATS")
        await house.m3ter("DELETE", f"/plantemplates/{old['id']}")
        if is_replaced:
            kept = ("productId", "name", "code", "currency", "standingCharge", "billFrequency")
            await house.m3ter("POST", "/plantemplates", {name: old[name] for name in kept})
        result = await attempt(house, links, "Quillmark - editorial seats")
        plan = next(each for each in result.object_results if each.object_name == "Plan")
        if is_replaced:
            assert (result.sync_status, plan.action) == ("Completed", "created")
        else:
            assert "m3ter has no PlanTemplate with the code 'SEATS'" in plan.message


async def attempt(house: House, links: Links, name: str) -> SyncResult:
    record_id = (await house.query(f"SELECT Id FROM Opportunity WHERE Name = '{name}'"))[0]["Id"]
    chosen = await by_hand.choose(house.db, links, by_hand.Wish(record_id))
    assert isinstance(chosen, Connected)
    return await by_hand.sync(house.db, houses.IMPATIENT, chosen, record_id)
