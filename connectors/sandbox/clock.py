"""The sandbox's clock: real time plus what was asked to be skipped."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta


class Clock:
    """One clock for both systems, so that tokens, sessions and retention age together."""

    def __init__(self, ahead: timedelta = timedelta()) -> None:
        self._ahead = ahead
        self._listeners: list[Callable[[], None]] = []

    def on_advance(self, listener: Callable[[], None]) -> None:
        """Call `listener` whenever time was skipped, so that what waits for a time looks again."""
        self._listeners.append(listener)

    @property
    def ahead(self) -> timedelta:
        """How far this clock runs ahead of real time."""
        return self._ahead

    def now(self) -> datetime:
        """The sandbox's time, in UTC."""
        return datetime.now(UTC) + self._ahead

    def advance(self, by: timedelta) -> datetime:
        """Skip `by` (never backwards) and return the new time; raises ValueError on a negative duration."""
        if by < timedelta():
            raise ValueError("The sandbox's clock only goes forward.")
        self._ahead += by
        for listener in self._listeners:
            listener()
        return self.now()
