"""The org's daily API calls: what is left beside the reserve, and what is still to be spent; decides only."""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta

from connectors.salesforce.collections import MAX_RECORDS
from connectors.salesforce.rest import ApiUsage

# The limit counts the last 24 hours, so it eases bit by bit; a look costs one call.
LOOK_AGAIN = timedelta(minutes=15)

# One is made, filled, closed, looked at some times, and its three lists of results are read.
_JOB_RECORDS = 10_000
_CALLS_A_JOB = 10


@dataclass(frozen=True, slots=True)
class Budget:
    """`reserve` is the part of the org's limit, in percent, that is never used by us."""

    reserve: int

    def left(self, usage: ApiUsage | None) -> int | None:
        """Calls that may be made now; None while no answer has told how many were."""
        if usage is None or usage.limit <= 0:
            return None
        return usage.limit - math.ceil(usage.limit * self.reserve / 100) - usage.used

    def is_spent(self, usage: ApiUsage | None, in_flight: int = 0) -> bool:
        """Whether one more call may use the reserve; the first answer of all tells, so it goes alone."""
        left = self.left(usage)
        return in_flight > 0 if left is None else left - in_flight <= 0

    def told(self, usage: ApiUsage, now: datetime) -> str:
        """Why the run waits, and until when."""
        again = now + LOOK_AGAIN
        return f"{self.said(usage)}; looked at again at {again:%Y-%m-%d %H:%M} UTC."

    def said(self, usage: ApiUsage) -> str:
        """Why no more calls are made, without a full stop."""
        return (
            f"The org has used {usage.used:,} of its {usage.limit:,} daily API calls and {self.reserve} % "
            "of them are left to others"
        )


def calls_for(records: int) -> int:
    """Collections calls that so many records need."""
    return math.ceil(records / MAX_RECORDS)


def calls_for_jobs(records: int) -> int:
    """About how many calls the Bulk jobs need that take so many records."""
    return math.ceil(records / _JOB_RECORDS) * _CALLS_A_JOB
