"""Salesforce refuses whole calls: for one of their records, or for what no record is to blame for."""

from dataclasses import replace
from typing import Any

import pytest

from connectors.errors import RejectedError
from daemon.to_salesforce import sending
from state import entity_copies
from state.entity_models import CopyStatus, EntitySync, EntityType
from state.models import RunStatus
from tests.acceptance import house as houses
from tests.acceptance.house import House, until
from tests.integration import copying

CALLS = "*/composite/sobjects/*"
NOT_ENABLED = [{"errorCode": "FUNCTIONALITY_NOT_ENABLED", "message": "Not for this user."}]


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """A call that fails is not repeated by itself, so that calls can be counted."""
    limits = replace(houses.HURRIED.salesforce, attempts=1)
    monkeypatch.setattr(houses, "HURRIED", replace(houses.HURRIED, salesforce=limits))


async def refusing(house: House, *, holding: str = "", status: int = 403, body: Any = NOT_ENABLED) -> None:
    """Salesforce refuses each call, or each that holds this, as a whole."""
    match = {"path": CALLS} | ({"body": f"*{holding}*"} if holding else {})
    await house.sandbox.salesforce_control.fault("status", match=match, status=status, body=body)


async def calls(house: House) -> int:
    return len(await house.sandbox.salesforce_control.journal(f"method=PATCH&path={CALLS}"))


async def refused(house: House, sync: EntitySync) -> set[str]:
    found = await entity_copies.issues(house.db, sync.integration.integration_id)
    return {each.m3ter_id for each in found if each.status is CopyStatus.REFUSED}


@pytest.mark.parametrize("number", [11, 200, 201, 1_000])
async def test_a_refusal_of_all_alike_ends_the_run_and_blames_no_record(house: House, number: int) -> None:
    await copying.load(house, "Account", copying.rows(number))
    await refusing(house)
    sync = await copying.added(house, EntityType.ACCOUNT)
    run = await copying.once(house, sync, replace(copying.HASTY, in_flight=1))
    assert (run.status, run.written, run.refused) == (RunStatus.ERROR, 0, 0)
    assert "Not for this user." in run.error
    assert await calls(house) <= 24
    assert not await refused(house, sync)

    await house.sandbox.salesforce_control.clear_faults()
    run = await copying.once(house, sync)
    assert (run.status, run.written, run.refused) == (RunStatus.COMPLETE, number, 0)


@pytest.mark.parametrize(
    ("number", "bad"),
    [
        (1, [0]),
        (2, [0, 1]),
        (10, [*range(10)]),
        (3, [0]),
        (3, [2]),
        (7, [0, 6]),
        (200, [0, 1, 2, 3]),
        (200, [0, 199]),
    ],
)
async def test_records_that_are_to_blame_are_told_from_the_others(
    house: House, number: int, bad: list[int]
) -> None:
    ids = await copying.load(house, "Account", copying.rows(number))
    for each in bad:
        await refusing(house, holding=ids[each])
    sync = await copying.added(house, EntityType.ACCOUNT)
    run = await copying.once(house, sync)
    assert (run.status, run.written) == (RunStatus.COMPLETE, number - len(bad))
    assert await refused(house, sync) == {ids[each] for each in bad}


async def test_records_that_are_refused_for_different_reasons_are_to_blame(house: House) -> None:
    ids = await copying.load(house, "Account", copying.rows(2))
    await refusing(house, holding=ids[0])
    await refusing(
        house, holding=ids[1], status=400, body=[{"errorCode": "JSON_PARSER_ERROR", "message": "x"}]
    )
    sync = await copying.added(house, EntityType.ACCOUNT)
    run = await copying.once(house, sync)
    assert run.status is RunStatus.COMPLETE
    assert await refused(house, sync) == set(ids)


async def test_a_refusal_that_others_outlive_is_of_the_records(house: House) -> None:
    """A full call of which every record is bad, while one that begins later is taken."""
    ids = await copying.load(house, "Account", copying.rows(600))
    bad = "crowd 00[23]"  # the newest come first, and the first call of all is made alone
    salesforce, m3ter = house.sandbox.salesforce_control, house.sandbox.m3ter_control
    match = {"path": CALLS, "body": f"*{bad}*"}
    search = await salesforce.fault("hang_before", match=match, skip=2, times=1)
    await refusing(house, holding=bad)
    await m3ter.fault("hang_before", match={"path": "*/accounts"}, skip=4)

    async def is_searching() -> bool:
        return any(each["holding"] for each in await salesforce.faults())

    async def is_taken() -> bool:
        found = await salesforce.journal(f"method=PATCH&path={CALLS}")
        return len([each for each in found if each["status"] == 200]) == 2

    sync = await copying.added(house, EntityType.ACCOUNT)
    async with copying.copying(house, replace(copying.HASTY, in_flight=2)):
        await until(is_searching)
        await m3ter.clear_faults()
        await until(is_taken)
        await salesforce.clear_faults(search["id"])
        run = await copying.ended(house, sync)
    assert (run.status, run.written, run.refused) == (RunStatus.COMPLETE, 400, 200)
    assert await refused(house, sync) <= set(ids[200:400])


def test_a_retired_version_of_the_interface_concerns_every_record() -> None:
    assert sending.concerns_all(RejectedError("retired", status=410, code="UNSUPPORTED_API_VERSION"))
    assert not sending.concerns_all(RejectedError("no", status=400, code="JSON_PARSER_ERROR"))
