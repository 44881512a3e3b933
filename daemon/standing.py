"""How an outside system stands with us: told to health and to the log once when it changes."""

import time
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

import structlog

from connectors.errors import AuthenticationError, SyncError
from state import credentials, health
from state.database import Db
from state.errors import DatabaseUnavailable

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Standing:
    """One system reached with one credential; `subject` is its row of health ("m3ter:<credential name>")."""

    db: Db
    subject: str
    credential_id: UUID
    # Other processes report the same system: what was said last need not be what health has by now.
    repeat_after: timedelta = timedelta(seconds=5)
    _is_well: bool | None = field(default=None)
    _said_at: float = 0.0
    _failures: int = 0

    async def well(self, message: str = "") -> None:
        """It answered as it should."""
        if self._is_well and time.monotonic() - self._said_at < self.repeat_after.total_seconds():
            return
        if self._is_well is False:
            log.info("outage ended", system=self.subject, failures=self._failures)
        self._failures = 0
        try:
            await health.report(self.db, self.subject, is_well=True, message=message)
            await credentials.mark_authorized(self.db, self.credential_id)
        except DatabaseUnavailable as error:
            log.debug("health not kept", system=self.subject, reason=error.reason)
            self._is_well = None  # said again next time
        else:
            self._is_well, self._said_at = True, time.monotonic()

    async def unwell(self, error: SyncError) -> None:
        """It is away, refuses the credential, or asks us to slow down."""
        self._failures += 1
        if self._is_well is not False:
            log.warning(
                "outage began", system=self.subject, reason=error.message, instruction=error.instruction
            )
        self._is_well = False
        try:
            await health.report(self.db, self.subject, False, error.message, error.instruction)
            if isinstance(error, AuthenticationError):
                await credentials.mark_refused(self.db, self.credential_id, error.message)
        except DatabaseUnavailable as unavailable:
            log.debug("health not kept", system=self.subject, reason=unavailable.reason)
