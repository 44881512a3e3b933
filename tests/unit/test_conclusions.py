"""What stays with a record that is given up, and what a person is told to do about it."""

from datetime import timedelta

import pytest

from connectors.errors import RejectedError, SyncError, TransientError
from daemon.outcomes import Postpone, SetAside
from daemon.retries import Blame, Decision, Next, Policy
from daemon.to_m3ter import conclusions
from daemon.to_m3ter.mapping.errors import MappingInvalid

RECORD = "006000000000001AAA"
LOCKED = TransientError("unable to lock row", instruction="It is tried again.")
HIDDEN = RejectedError("No such column", instruction="Give the integration user read access.")
GIVEN_UP = Decision(Next.SET_ASIDE, Blame.RECORD)
LATER = Decision(Next.POSTPONE, Blame.RECORD, timedelta(minutes=1))


@pytest.mark.parametrize(
    ("error", "kept", "advice"),
    [
        (LOCKED, "unable to lock row", f"Mend what the message names, then `m3sync sync {RECORD}`."),
        (HIDDEN, "No such column. Give the integration user read access.", HIDDEN.instruction),
    ],
)
def test_a_record_set_aside_is_not_said_to_be_tried_again(error: SyncError, kept: str, advice: str) -> None:
    assert conclusions.then(GIVEN_UP, error, Policy()) == SetAside(kept)
    assert conclusions.advice(GIVEN_UP, error, RECORD) == advice


def test_a_record_that_is_tried_again_keeps_the_advice() -> None:
    then = conclusions.then(LATER, LOCKED, Policy())
    assert isinstance(then, Postpone)
    assert then.error == "unable to lock row. It is tried again."
    assert conclusions.advice(LATER, LOCKED, RECORD) == "It is tried again."


def test_a_field_mapping_without_a_place_is_told_without_a_colon_before_it() -> None:
    assert MappingInvalid("It is empty.").reason == "It is empty."
    assert MappingInvalid("Field required.", where="parent").reason == "parent: Field required."
