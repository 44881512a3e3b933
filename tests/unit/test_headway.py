"""How far a long piece of work is, in words: what is read and done, how fast, how long it will take."""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import pytest

from daemon.cli import entity_following, following, headway
from daemon.cli.following import Totals
from daemon.cli.headway import Headway
from state.entity_models import EntityRun, EntityType, RunCause
from state.models import RunStatus

AT_FIRST = Headway(read=100, to_read=1_100, done=10, to_do=None, text="", is_over=False)
TOTALS = Totals(
    read=300,
    total=1_000,
    put=200,
    synced=150,
    waiting=40,
    postponed=0,
    set_aside=10,
    differences=7,
    is_read=False,
)
RUN = EntityRun(
    run_id=UUID(int=1),
    integration_id=UUID(int=2),
    integration_name="bills",
    entity_type=EntityType.BILL,
    cause=RunCause.MANUAL,
    status=RunStatus.STARTED,
    requested_at=datetime(2026, 11, 21, tzinfo=UTC),
    started_at=None,
    completed_at=None,
    cursor=None,
    is_scanned=False,
    pages=6,
    entities_read=1_200,
    differing=900,
    written=700,
    created=0,
    refused=60,
    marked=30,
    deleted=10,
    unchanged=0,
    calls={},
    error="",
    instruction="",
    lease_until=None,
    claimed_by=None,
)


@pytest.mark.parametrize(
    ("now", "said"),
    [
        (replace(AT_FIRST, read=600), "; 100/s, 5.0 s left"),
        (replace(AT_FIRST, read=600, to_read=None), ""),
        (replace(AT_FIRST, read=1_100, done=60, to_do=160), "; 10/s, 10.0 s left"),
        (replace(AT_FIRST, read=1_100, done=160, to_do=160), ""),
        (replace(AT_FIRST, read=600, is_over=True), ""),
        (AT_FIRST, ""),
    ],
    ids=["reading", "of unknown length", "doing", "done", "over", "nothing moved"],
)
def test_the_pace_is_that_of_what_goes_on(now: Headway, said: str) -> None:
    assert headway.pace(AT_FIRST, now, 5) == said


def test_nobody_foretells_anything_in_the_first_second() -> None:
    assert headway.pace(AT_FIRST, replace(AT_FIRST, read=600), 0.9) == ""


def test_what_is_to_be_synced_is_known_once_all_is_read() -> None:
    reading, read = following.headway(TOTALS), following.headway(replace(TOTALS, is_read=True))
    assert (reading.text, reading.to_do) == ("read 300 of 1,000; synced 150 of 200", None)
    assert (read.text, read.to_read) == ("read 300; synced 150 of 200", 300)
    assert (read.done, read.to_do) == (160, 200)


def test_what_is_to_be_written_is_known_once_all_is_read() -> None:
    reading = entity_following.headway(RUN, 100, 5_000)
    read = entity_following.headway(replace(RUN, is_scanned=True), 100, 5_000)
    assert (reading.text, reading.to_do) == ("read 1,200 of 5,000; written 800", None)
    assert (read.text, read.to_do) == ("read 1,200; written 800 of 900", 900)


def test_a_run_that_finds_more_than_the_last_one_reads_as_many_as_it_has() -> None:
    assert entity_following.headway(RUN, 0, 1_000).to_read == 1_200
    assert entity_following.headway(RUN, 0, None).text == "read 1,200; written 800"


def test_a_run_that_waits_for_the_service_says_so_and_one_that_ended_is_over() -> None:
    waits = entity_following.headway(replace(RUN, status=RunStatus.WAITING), 0, None)
    failed = entity_following.headway(replace(RUN, status=RunStatus.ERROR), 0, None)
    assert (waits.text, waits.is_over) == ("waits for the service to begin", False)
    assert failed.is_over
