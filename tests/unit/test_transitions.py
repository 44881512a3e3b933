"""The tables of transitions: every status is reached and left as they say."""

from enum import StrEnum
from typing import Any

import pytest

from state.models import (
    INBOX_TRANSITIONS,
    INTENT_TRANSITIONS,
    RUN_TRANSITIONS,
    InboxStatus,
    IntentStatus,
    RunStatus,
    may_become,
)


@pytest.mark.parametrize(
    ("transitions", "statuses"),
    [
        (RUN_TRANSITIONS, RunStatus),
        (INBOX_TRANSITIONS, InboxStatus),
        (INTENT_TRANSITIONS, IntentStatus),
    ],
)
def test_every_status_says_what_may_follow_it(transitions: dict[Any, Any], statuses: type[StrEnum]) -> None:
    assert set(transitions) == set(statuses)


def test_a_run_that_ended_stays_as_it_ended() -> None:
    ended = set(RunStatus) - {RunStatus.WAITING, RunStatus.STARTED}
    assert all(not RUN_TRANSITIONS[status] for status in ended)
    assert may_become(RUN_TRANSITIONS, RunStatus.COMPLETE) == ["STARTED"]


def test_a_waiting_record_cannot_be_set_aside_without_having_been_tried() -> None:
    assert may_become(INBOX_TRANSITIONS, InboxStatus.SET_ASIDE) == ["CLAIMED"]
