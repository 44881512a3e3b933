"""How values are worded: durations, moments, changes, calls, and what a run came to."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest

from connectors.errors import SyncError
from daemon.web import wording
from state.models import RunStatus, SyncStatus
from state.run_models import LogLine, Run

NOW = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("duration", "words"),
    [
        (timedelta(milliseconds=340), "340 ms"),
        (timedelta(seconds=4.24), "4.2 s"),
        (timedelta(seconds=725), "12 min 5 s"),
        (timedelta(hours=3, minutes=10), "3 h 10 min"),
        (timedelta(hours=3), "3 h"),
        (timedelta(days=2, hours=4, minutes=59), "2 d 4 h"),
    ],
)
def test_a_duration_has_the_two_units_that_matter(duration: timedelta, words: str) -> None:
    assert wording.lasting(duration) == words


@pytest.mark.parametrize(
    ("message", "instruction", "line"),
    [
        ("m3ter: Forbidden", "Give it the permission.", "m3ter: Forbidden. Give it the permission."),
        ("It is away.", "Wait.", "It is away. Wait."),
        ("m3ter: Boom", "", "m3ter: Boom"),
        ("", "Wait.", "Wait."),
    ],
)
def test_what_a_system_says_without_a_stop_gets_one_before_what_to_do(
    message: str, instruction: str, line: str
) -> None:
    assert wording.advised(message, instruction) == line
    if message:
        assert str(SyncError(message, instruction=instruction)) == line


@pytest.mark.parametrize(
    ("at", "words"),
    [
        (NOW, "just now"),
        (NOW - timedelta(seconds=59), "59 s ago"),
        (NOW - timedelta(minutes=61), "1 h ago"),
        (NOW - timedelta(days=3), "3 d ago"),
        (NOW + timedelta(minutes=5), "in 5 min"),
    ],
)
def test_a_moment_is_told_from_now(at: datetime, words: str) -> None:
    assert wording.since(at, NOW) == words


@pytest.mark.parametrize(
    ("status", "sync_status", "word"),
    [
        (RunStatus.COMPLETE, SyncStatus.COMPLETED, "Completed"),
        (RunStatus.ERROR, SyncStatus.PARTIAL_SUCCESS, "Partial Success"),
        (RunStatus.ERROR, SyncStatus.FAILED, "Failed"),
        (RunStatus.AWAITING_RETRY, SyncStatus.FAILED, "AWAITING_RETRY"),
        (RunStatus.STARTED, None, "STARTED"),
    ],
)
def test_a_run_that_is_tried_again_has_not_come_to_its_end(
    status: RunStatus, sync_status: SyncStatus | None, word: str
) -> None:
    ids = UUID(int=1), UUID(int=2)
    run = Run(
        *ids,
        "agreements",
        "Opportunity",
        "006",
        "change",
        1,
        status,
        sync_status,
        None,
        "",
        "",
        None,
        NOW,
        None,
        None,
    )
    assert wording.came_to(run) == word


def test_a_call_is_one_line_without_the_organization() -> None:
    detail = {"system": "m3ter", "method": "GET", "path": "/organizations/o-1/accounts/a", "milliseconds": 12}
    answered = LogLine("call", NOW, {**detail, "status": 200, "error": ""})
    lost = LogLine("call", NOW, {**detail, "status": None, "error": "no answer came"})
    assert wording.log_text(answered) == "m3ter GET /accounts/a 200, 12 ms"
    assert wording.log_text(lost) == "m3ter GET /accounts/a no answer, 12 ms: no answer came"


def test_json_has_times_in_utc_durations_in_seconds_and_money_exact() -> None:
    plain = wording.plain(
        {"at": NOW, "lag": timedelta(milliseconds=1500), "amount": Decimal("0.10"), "ids": (UUID(int=1),)}
    )
    assert plain == {
        "at": "2026-11-21T08:00:00Z",
        "lag": 1.5,
        "amount": Decimal("0.10"),
        "ids": ["00000000-0000-0000-0000-000000000001"],
    }
    assert str(plain["amount"]) == "0.10"
    assert wording.change_text([None, Decimal("0.10")]) == "- -> 0.10"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        ("TransientError", "may be repeated"),
        ("RejectedError DUPLICATE_VALUE", "refused DUPLICATE_VALUE"),
        ("cancelled", "cancelled"),
    ],
)
def test_a_call_that_failed_is_told_without_names_of_the_source(error: str, words: str) -> None:
    detail = {"system": "m3ter", "method": "PUT", "path": "/plans/1", "milliseconds": 3, "error": error}
    assert wording.log_text(LogLine("call", NOW, detail)) == f"m3ter PUT /plans/1 no answer, 3 ms: {words}"
