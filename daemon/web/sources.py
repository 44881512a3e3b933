"""Where the web side reads from: the database once there is one, and what is known without it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from aiohttp import web

from state.database import Db


@dataclass(slots=True)
class Sources:
    """`db` is None until the database has been reached; `trouble` then says why not.

    `is_running` says whether the daemon's parts have been started and not yet told to stop; `full_record_id`
    gives the 18 characters of a Salesforce record id, None for what is none (the web knows no connector).
    """

    db: Callable[[], Db | None]
    trouble: Callable[[], str] = lambda: ""
    is_running: Callable[[], bool] = lambda: True
    full_record_id: Callable[[str], str | None] = lambda given: given if len(given) == 18 else None
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))


SOURCES = web.AppKey("sources", Sources)
