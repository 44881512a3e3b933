"""A re-read that is stopped, refused or left by a dead reader keeps its window and goes on at its place."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest

from daemon.retries import Policy
from daemon.to_m3ter import presets
from state import field_mappings, inbox
from state.database import Pool
from state.reread_models import RereadStory
from state.rereads import RereadCause, RereadStatus
from tests.acceptance import house as houses
from tests.acceptance.house import House, until
from tests.integration.rereaders import HASTY, opened, pages, read, rereading, stories, waiting, window
from tests.sandboxes import LocalSandbox

SMALL = replace(HASTY, page_size=3)
QUERIES = {"path": "*/queryAll"}


@pytest.fixture
async def house(sandbox: LocalSandbox, db: Pool, database_url: str, tmp_path: Path) -> AsyncIterator[House]:
    async with houses.built(sandbox, db, database_url, tmp_path, presets.text("opportunity")) as built:
        yield built


async def _count(house: House) -> int:
    return len(await house.query("SELECT Id FROM Opportunity"))


def _asked_for(query: str) -> str:
    """Where the page begins; a kill makes no two of them alike, but for the page that was in hand."""
    return query.partition(" WHERE ")[2].partition(" ORDER BY ")[0]


async def test_a_dead_readers_window_is_taken_over_where_it_was(house: House) -> None:
    control = house.sandbox.salesforce_control
    await control.clear_journal()
    # The count, two pages, and then nothing for ever.
    await control.fault("black_hole", match=QUERIES, skip=3)
    await opened(house, window())
    with pytest.raises(asyncio.CancelledError):
        await _killed(house, 6)
    (before,) = await stories(house)
    assert (before.status, before.records_read) == (RereadStatus.READING, 6)
    asked = await pages(house)
    await control.clear_faults()
    await control.clear_journal()
    async with rereading(house, SMALL):
        (story,) = await read(house)
    again = await pages(house)
    assert story.records_read == await _count(house) == len(await waiting(house))
    assert {_asked_for(each) for each in asked[:2]}.isdisjoint(map(_asked_for, again)), (
        "what was kept is read again"
    )


async def _killed(house: House, count: int) -> None:
    """After so many records, and as by SIGKILL: nothing is put in order."""
    async with rereading(house, replace(SMALL, lease=timedelta(seconds=1))):
        await until(lambda: _has_read(house, count))
        raise asyncio.CancelledError


async def _has_read(house: House, count: int) -> RereadStory | None:
    return next((each for each in await stories(house) if each.records_read >= count), None)


async def test_the_window_survives_trouble_which_is_told_and_waited_out(house: House) -> None:
    await house.sandbox.salesforce_control.fault("status", match=QUERIES, status=500, times=20)
    await opened(house, window())
    async with rereading(house, SMALL):
        ailing = await until(lambda: _ailing(house))
        assert ailing.is_open
        assert "500" in ailing.error or "UNKNOWN" in ailing.error, ailing
        (story,) = await read(house)
    assert (story.error, story.records_read) == (None, await _count(house))


async def _ailing(house: House) -> RereadStory | None:
    return next((each for each in await stories(house) if each.error), None)


async def test_the_pauses_grow_while_nothing_helps(house: House) -> None:
    await house.sandbox.salesforce_control.fault("status", match=QUERIES, status=400)
    patient = replace(SMALL, policy=Policy(first=timedelta(milliseconds=100), longest=timedelta(hours=1)))
    await opened(house, window())
    async with rereading(house, patient):
        due = [(await until(partial(_tried, house, attempts))).due_at for attempts in range(1, 5)]
    # An attempt comes when it is due or later, so each is due at least its own pause after the one before.
    least = [timedelta(milliseconds=milliseconds) for milliseconds in (100, 200, 400)]
    assert all(later - one >= pause for (one, later), pause in zip(pairwise(due), least, strict=True)), due
    assert not await waiting(house)


async def _tried(house: House, attempts: int) -> RereadStory | None:
    found = [each for each in await stories(house) if each.status is RereadStatus.WAITING]
    return next((each for each in found if each.attempts == attempts), None)


async def test_it_stops_without_waiting_for_salesforce_and_lets_go(house: House) -> None:
    await house.sandbox.salesforce_control.fault("black_hole", match=QUERIES, skip=2)
    await opened(house, window())
    async with asyncio.timeout(10), rereading(house, replace(SMALL, lease=timedelta(hours=1))) as stop:
        await until(lambda: _has_read(house, 3))
        stop.set()
    (story,) = await stories(house)
    assert (story.status, story.records_read) == (RereadStatus.WAITING, 3), (
        "the next one need not wait for a lease"
    )
    await house.sandbox.salesforce_control.clear_faults()
    async with rereading(house, SMALL):
        await read(house)
    assert len(await waiting(house)) == await _count(house)


async def test_the_lease_is_prolonged_while_a_page_takes_long(house: House) -> None:
    brief = replace(SMALL, lease=timedelta(milliseconds=300))
    await house.sandbox.salesforce_control.fault("latency", match=QUERIES, seconds=0.35, skip=1, times=2)
    await opened(house, window())
    await house.sandbox.salesforce_control.clear_journal()
    async with rereading(house, brief):
        (story,) = await read(house)
    assert story.records_read == await _count(house)
    asked = await pages(house)
    assert len(asked) == len(set(asked)), "a page was asked for again because its reader had lost the window"


async def test_a_window_of_a_newer_field_mapping_is_left_to_whoever_goes_by_that_one(house: House) -> None:
    async with rereading(house):
        name = str(house.integration.field_mapping_name)
        await field_mappings.save(house.db, name, presets.text("account"))
        await opened(house, window("Account"))
        [left] = await until(lambda: postponed(house))
    assert left.is_open
    async with rereading(house):
        [story] = await read(house)
    assert story.records_read


async def postponed(house: House) -> list[RereadStory]:
    return [each for each in await stories(house) if each.due_at > each.opened_at or not each.is_open]


async def test_a_window_of_an_object_that_is_watched_no_more_is_given_up(house: House) -> None:
    await opened(house, window("Lead"))
    async with rereading(house):
        (story,) = await read(house)
    assert (story.records_read, await inbox.find(house.db)) == (0, [])


async def test_an_initial_synchronization_makes_way_for_other_windows(house: House) -> None:
    control = house.sandbox.salesforce_control
    await control.fault("latency", match=QUERIES, seconds=0.05)
    await opened(house, window(cause=RereadCause.INITIAL, from_at=None))
    async with rereading(house, replace(SMALL, page_size=1)):
        await until(lambda: _has_read(house, 2))
        await opened(house, window("OpportunityLineItem", cause=RereadCause.SILENT))
        await read(house)
    initial, silent = sorted(await stories(house), key=lambda each: each.cause is not RereadCause.INITIAL)
    assert initial.finished_at
    assert silent.finished_at
    assert silent.finished_at < initial.finished_at
