"""A failed sync is tried again, set aside or ended, as its error says."""

from datetime import timedelta

import pytest

from connectors.errors import (
    AuthenticationError,
    MissingMappingError,
    NotFoundError,
    RateLimited,
    RejectedError,
    SyncError,
    TransientError,
)
from daemon import retries
from daemon.retries import Blame, Decision, Next, Policy

POLICY = Policy(
    first=timedelta(seconds=5), longest=timedelta(minutes=5), settle=timedelta(seconds=7), max_attempts=3
)


def decide(error: SyncError, attempts: int = 1, outages: int = 1) -> Decision:
    return retries.decide(error, attempts=attempts, outages=outages, policy=POLICY, spread=1.0)


def transient(*, lost: bool = False, unreachable: bool = False) -> TransientError:
    error = TransientError("m3ter answered 500")
    error.may_have_happened = lost
    error.unreachable = unreachable
    return error


@pytest.mark.parametrize(
    "error", [RejectedError("no"), NotFoundError("gone"), MissingMappingError("no code"), SyncError("?")]
)
def test_what_cannot_be_helped_by_repeating_ends_at_once(error: SyncError) -> None:
    assert decide(error) == Decision(Next.END, Blame.RECORD)


def test_the_wait_doubles_from_five_seconds_to_five_minutes() -> None:
    waits = [retries.back_off(tries, POLICY, 1.0).total_seconds() for tries in (1, 2, 3, 6, 7, 8, 500)]
    assert waits == [5, 10, 20, 160, 300, 300, 300]


def test_jitter_takes_away_up_to_half_of_the_wait() -> None:
    assert retries.back_off(1, POLICY, 0.0) == timedelta(seconds=2.5)
    assert all(
        timedelta(seconds=2.5) <= retries.back_off(1, POLICY) <= timedelta(seconds=5) for _ in range(200)
    )


def test_a_failing_record_is_set_aside_after_its_last_attempt_and_not_before() -> None:
    assert decide(transient(), attempts=2).next is Next.POSTPONE
    assert decide(transient(), attempts=3) == Decision(Next.SET_ASIDE, Blame.RECORD)


def test_a_lost_answer_waits_until_the_far_side_has_settled() -> None:
    assert decide(transient(lost=True)).delay == timedelta(seconds=7)
    assert decide(transient(lost=True, unreachable=True)).delay == timedelta(seconds=7)
    assert decide(transient(lost=True), attempts=2).delay == timedelta(seconds=10)


def test_an_unreachable_system_never_uses_up_the_records_attempts() -> None:
    decision = decide(transient(unreachable=True), attempts=500, outages=4)
    assert decision == Decision(Next.POSTPONE, Blame.SYSTEM, timedelta(seconds=40))


def test_an_outage_is_looked_at_again_sooner_than_a_patient_policy_retries_a_record() -> None:
    patient = Policy(longest=timedelta(hours=1))
    error = transient(unreachable=True)
    decision = retries.decide(error, attempts=1, outages=50, policy=patient, spread=1.0)
    assert decision.delay == timedelta(minutes=5)
    assert retries.back_off(50, patient, 1.0) == timedelta(hours=1)


def test_a_refused_credential_waits_longer_each_time_and_blames_no_record() -> None:
    decision = decide(AuthenticationError("bad key"), attempts=500, outages=2)
    assert decision == Decision(Next.POSTPONE, Blame.SYSTEM, timedelta(seconds=10))


def test_a_rate_limit_waits_as_long_as_the_system_says() -> None:
    limited = RateLimited("Too many requests")
    assert decide(limited).delay == timedelta(seconds=5)
    limited.retry_after = timedelta(seconds=1)
    assert decide(limited, attempts=500) == Decision(Next.POSTPONE, Blame.SYSTEM, timedelta(seconds=1))


def test_a_record_waits_at_least_as_long_as_the_system_asked() -> None:
    error = transient()
    error.retry_after = timedelta(seconds=90)
    assert decide(error).delay == timedelta(seconds=90)
