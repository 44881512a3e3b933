"""How many API calls the org made today and how many it may make."""

from collections.abc import Callable
from datetime import datetime, timedelta

DAY = timedelta(hours=24)


class Usage:
    """The daily allowance of API calls, as `Sforce-Limit-Info` and /limits show it."""

    def __init__(self, now: Callable[[], datetime], limit: int = 100_000) -> None:
        self.limit = limit
        self._now = now
        self._used = 0
        self._since = now()

    @property
    def used(self) -> int:
        """Calls in the current window of 24 hours."""
        if self._now() - self._since >= DAY:
            self._used, self._since = 0, self._now()
        return self._used

    def count(self) -> bool:
        """Count one call; false when the allowance was already used up (it is not counted then)."""
        if self.used >= self.limit:
            return False
        self._used += 1
        return True

    def set(self, *, limit: int | None = None, used: int | None = None) -> None:
        """Set the allowance, or how much of it is gone."""
        if limit is not None:
            self.limit = limit
        if used is not None:
            self._used, self._since = used, self._now()

    @property
    def header(self) -> str:
        """The value of `Sforce-Limit-Info`."""
        return f"api-usage={self.used}/{self.limit}"
