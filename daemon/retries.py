"""What follows from a failed sync: try again later, set the record aside, or leave it; a pure decision."""

import random
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from connectors.errors import AuthenticationError, RateLimited, SyncError, TransientError


class Next(StrEnum):
    """What becomes of the record in the inbox."""

    END = "end"  # repeating cannot help: the run ends, a later change or a person tries again
    POSTPONE = "postpone"
    SET_ASIDE = "set aside"  # tried often enough: shown as an issue that a person can retry


class Blame(StrEnum):
    """Whose fault it was, which decides whether the worker goes on with other records at once."""

    RECORD = "record"
    SYSTEM = "system"  # unreachable, refuses the credential, or asks us to slow down


@dataclass(frozen=True, slots=True)
class Policy:
    """How patient we are; `settle`: how long the far side may need to finish a call whose answer was lost."""

    first: timedelta = timedelta(seconds=5)
    longest: timedelta = timedelta(minutes=5)
    longest_outage: timedelta = timedelta(minutes=5)
    settle: timedelta = timedelta(minutes=1)
    max_attempts: int = 10


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do next; `delay` counts from now and is nothing for END and SET_ASIDE."""

    next: Next
    blame: Blame
    delay: timedelta = timedelta(0)


def back_off(tries: int, policy: Policy, spread: float | None = None) -> timedelta:
    """The wait after the nth try: doubling from `first` up to `longest`, between half and whole of it.

    `spread` between 0 and 1 takes the place of chance.
    """
    whole = min(policy.first * 2.0 ** min(max(tries, 1) - 1, 30), policy.longest)
    chance = random.random() if spread is None else spread  # noqa: S311 - jitter is no secret
    return whole * (0.5 + 0.5 * chance)


def pause(outages: int, policy: Policy, spread: float | None = None) -> timedelta:
    """The wait while a system is away: however patient we are with a record, it is looked for soon again."""
    return min(back_off(outages, policy, spread), policy.longest_outage)


def decide(
    error: SyncError, *, attempts: int, outages: int, policy: Policy, spread: float | None = None
) -> Decision:
    """What follows from `error` on the record's nth attempt, when the system failed `outages` times in a row.

    A system that is away or refuses us is not the record's fault: it never uses up the record's attempts.
    """
    match error:
        case RateLimited():
            wait = error.retry_after or pause(outages, policy, spread)
            return Decision(Next.POSTPONE, Blame.SYSTEM, wait)
        case AuthenticationError():
            return Decision(Next.POSTPONE, Blame.SYSTEM, pause(outages, policy, spread))
        case TransientError(unreachable=True):
            return Decision(
                Next.POSTPONE, Blame.SYSTEM, _settled(error, pause(outages, policy, spread), policy)
            )
        case TransientError() if attempts >= policy.max_attempts:
            return Decision(Next.SET_ASIDE, Blame.RECORD)
        case TransientError():
            wait = max(back_off(attempts, policy, spread), error.retry_after or timedelta(0))
            return Decision(Next.POSTPONE, Blame.RECORD, _settled(error, wait, policy))
        case _:
            return Decision(Next.END, Blame.RECORD)


def _settled(error: TransientError, wait: timedelta, policy: Policy) -> timedelta:
    """After a lost answer the far side must have come to rest before it is read (README, promise 3)."""
    return max(wait, policy.settle) if error.may_have_happened else wait
