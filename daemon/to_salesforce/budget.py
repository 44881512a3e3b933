"""The org's daily API calls: what is left beside the reserve, and what is still to be spent; decides only."""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta

from connectors.salesforce.collections import MAX_RECORDS
from connectors.salesforce.rest import ApiUsage

# The limit counts the last 24 hours, so it eases bit by bit; a look costs one call.
LOOK_AGAIN = timedelta(minutes=15)


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
        return (
            f"The org has used {usage.used:,} of its {usage.limit:,} daily API calls and {self.reserve} % "
            f"of them are left to others; looked at again at {again:%Y-%m-%d %H:%M} UTC."
        )


def calls_for(records: int) -> int:
    """Collections calls that so many records need."""
    return math.ceil(records / MAX_RECORDS)
