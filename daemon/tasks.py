"""A long-running task, as the flows name what they want to run; who can run, and in which process."""

import asyncio
import os
import socket
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field

import structlog

from state import health
from state.database import Db

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Task:
    """A long-running task; it must be started anew when its fingerprint changes."""

    name: str
    fingerprint: str
    run: Callable[[asyncio.Event], Coroutine[None, None, None]]


@dataclass(slots=True)
class Fitness:
    """Which integrations can run: health has what keeps one from it, the log when that begins and ends."""

    db: Db
    _ailing: dict[str, bool] = field(default_factory=dict)

    async def well(self, integration: str) -> None:
        """The integration of this name can run."""
        subject = _subject(integration)
        if self._ailing.get(subject) is False:
            return
        # Also what an earlier daemon said of it is over.
        await health.forget(self.db, subject)
        if self._ailing.get(subject):
            log.info("integration runs again", integration=integration)
        self._ailing[subject] = False

    async def unwell(self, integration: str, reason: str, instruction: str) -> None:
        """It cannot run, for this reason."""
        subject = _subject(integration)
        if not self._ailing.get(subject):
            log.error("integration cannot run", subject=subject, reason=reason, instruction=instruction)
        self._ailing[subject] = True
        await health.report(self.db, subject, False, reason, instruction)


def _subject(integration: str) -> str:
    return f"integration:{integration}"


def here() -> str:
    """This process, among all that share the database."""
    return f"{socket.gethostname()}/{os.getpid()}"
