"""The catalogue is read once, looked at again for what it did not have, and never guesses."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from connectors.errors import RejectedError
from connectors.m3ter import rest
from connectors.m3ter.models import EntityKind, M3terCredential
from daemon.to_m3ter.catalogue import Catalogue, Freshness
from tests.sandboxes import LocalSandbox


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
