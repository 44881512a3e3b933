"""What was called outside: one value per HTTP exchange, collected for the run log of whoever asks."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Call:
    """One HTTP exchange. `path` has no query string (SOQL may hold personal data); no headers, no bodies.

    `status` is None when no answer came; `error` is empty when the exchange went well.
    """

    system: str
    method: str
    path: str
    status: int | None
    started_at: datetime
    duration: timedelta
    error: str


_recorded: ContextVar[list[Call] | None] = ContextVar("recorded_calls", default=None)


@contextmanager
def recording() -> Iterator[list[Call]]:
    """Collects the calls made in this context and in the tasks started from it."""
    collected: list[Call] = []
    token = _recorded.set(collected)
    try:
        yield collected
    finally:
        _recorded.reset(token)


def record(call: Call) -> None:
    collected = _recorded.get()
    if collected is not None:
        collected.append(call)
