"""A 500, a reset, a time-out, a 429, an expired token at each m3ter call of a sync: the same end."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from daemon.settings import M3terSettings
from daemon.to_m3ter import presets
from state import database
from tests import databases
from tests.acceptance import house as houses
from tests.acceptance.house import House, until
from tests.acceptance.pictures import picture
from tests.sandboxes import local_sandbox

AT_ONCE = 6
OPPORTUNITY = "Harbourline - fleet telemetry API"
CALLS = {"path": "*/organizations/*"}
# Each once, at one call. The answers of the last three are lost after the effect.
FAULTS: dict[str, dict[str, Any]] = {
    "500": {"kind": "status", "status": 500},
    "429": {"kind": "rate_limited"},
    "expired token": {"kind": "expired_session"},
    "reset before the effect": {"kind": "reset_before"},
    "reset after the effect": {"kind": "reset_after"},
    "500 after the effect": {"kind": "status_after", "status": 500},
    "time-out after the effect": {"kind": "hang_after"},
}


@dataclass(frozen=True, slots=True)
class Ground:
    """Where each case is set up."""

    server: str
    template: str
    directory: Path


Edit = Callable[[House, str], Awaitable[None]]


async def win(house: House, record_id: str) -> None:
    await house.salesforce("PATCH", f"/sobjects/Opportunity/{record_id}", {"StageName": "Closed Won"})


async def reprice(house: House, record_id: str) -> None:
    """One composite call, so that one sync sees all of it: every kind of object but the Account changes."""
    lines = await house.query(f"SELECT Id FROM OpportunityLineItem WHERE OpportunityId = '{record_id}'")
    bodies: list[tuple[str, str, dict[str, Any]]] = [
        ("OpportunityLineItem", str(line["Id"]), {"UnitPrice": 0.0077}) for line in lines
    ]
    bodies.append(("Opportunity", record_id, {"Amount": 987654.32, "Name": "Harbourline - renamed"}))
    records = [{"attributes": {"type": kind}, "id": key, **body} for kind, key, body in bodies]
    await house.salesforce("PATCH", "/composite/sobjects", {"allOrNone": True, "records": records})


@asynccontextmanager
async def listening(ground: Ground, name: str) -> AsyncIterator[tuple[House, str]]:
    """A house whose daemon listens, with little patience, and the Opportunity to be changed."""
    place = ground.directory / name
    place.mkdir()
    async with (
        databases.own_database(ground.server, ground.template) as url,
        database.connect(url, min_size=1, max_size=2) as db,
        local_sandbox() as sandbox,
        houses.built(sandbox, db, url, place, presets.text("opportunity")) as house,
    ):
        patience = M3terSettings(
            connect_seconds=1, total_seconds=1, attempts=2, per_second=1_000, probe_seconds=3_600
        )
        house.settings = house.settings.model_copy(update={"m3ter": patience})
        async with houses.daemon(house):
            found = await house.query(f"SELECT Id FROM Opportunity WHERE Name = '{OPPORTUNITY}'")
            yield house, str(found[0]["Id"])


async def settled(house: House, record_id: str, edits: int) -> None:
    """Wait until the record has been completed as often as it was edited, and nothing waits."""
    statement = """
        SELECT NOT EXISTS (SELECT FROM inbox) AND $2 <= (
            SELECT count(*) FROM runs WHERE record_id = $1 AND sync_status = 'Completed')"""
    await until(lambda: house.db.fetchval(statement, record_id, edits), seconds=60)


async def walk(ground: Ground, name: str, edits: list[Edit], fault: dict[str, Any] | None) -> tuple[Any, int]:
    """The picture after these edits, the last of them disturbed, and how many calls the last one took."""
    async with listening(ground, name) as (house, record_id):
        control = house.sandbox.m3ter_control
        for number, edit in enumerate(edits, start=1):
            if number == len(edits):
                await control.clear_journal()
                if fault is not None:
                    await control.call("POST", "faults", {"match": CALLS, "times": 1, **fault})
            await edit(house, record_id)
            try:
                await settled(house, record_id, number)
            except TimeoutError:
                return ["not completed", *picture(house.sandbox)], 0
        calls = await control.journal()
        if fault is not None:
            struck = [each for each in await control.faults() if each["hits"]]
            assert struck, f"{name}: the fault was never met"
        left = await house.db.fetchval("SELECT count(*) FROM intents WHERE status = 'OPEN'")
        assert left == 0, f"{name}: {left} intents left open"
        return picture(house.sandbox), len([each for each in calls if "/organizations/" in each["path"]])


@pytest.mark.parametrize("edits", [[win], [win, reprice]], ids=["creating", "updating"])
async def test_a_fault_at_any_call_ends_as_if_it_had_not_been(
    database_server: str, database_template: str, tmp_path: Path, edits: list[Edit]
) -> None:
    ground = Ground(database_server, database_template, tmp_path)
    expected, calls = await walk(ground, "undisturbed", edits, None)
    assert calls >= 9
    turn = asyncio.Semaphore(AT_ONCE)

    async def one(name: str, number: int) -> tuple[str, Any]:
        async with turn:
            found, _ = await walk(ground, f"{name} at {number}", edits, {**FAULTS[name], "skip": number})
            return f"{name} at call {number}", found

    outcomes = await asyncio.gather(*(one(name, number) for name in FAULTS for number in range(calls)))
    wrong = {case: sorted(set(found) ^ set(expected)) for case, found in outcomes if found != expected}
    assert not wrong, f"not the same end after: {wrong}"
