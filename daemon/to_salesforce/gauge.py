"""Watches the org's daily API calls for a run, and waits while only the reserve is left."""

from dataclasses import dataclass
from datetime import UTC, datetime

import structlog

from connectors.salesforce.rest import ApiUsage
from daemon.to_salesforce import budget
from daemon.to_salesforce.budget import Budget
from daemon.to_salesforce.place import Place
from daemon.to_salesforce.turn import Turn, patiently
from state import health

log = structlog.get_logger(__name__)


_INSTRUCTION = "Lower [entity_data_sync] api_reserve_percent, or find out who uses the others."


class ReserveReached(Exception):  # noqa: N818 - reads as what it says
    """What cannot wait for API calls ends instead."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.instruction = f"Try again later. {_INSTRUCTION}"


@dataclass(slots=True)
class Gauge:
    """Of one run of one integration."""

    place: Place

    @property
    def _budget(self) -> Budget:
        return Budget(self.place.manner.reserve)

    @property
    def _subject(self) -> str:
        return f"entity budget:{self.place.name}"

    def is_spent(self, in_flight: int = 0) -> bool:
        """Whether another call would be one of the reserve."""
        return self._budget.is_spent(self.place.org.salesforce.usage, in_flight)

    def check(self) -> None:
        """Raises ReserveReached: for who does not wait."""
        usage = self.place.org.salesforce.usage
        if usage is not None and self.is_spent():
            raise ReserveReached(f"{self._budget.said(usage)}.")

    async def wait(self, turn: Turn) -> None:
        """Until there are calls left beside the reserve; said once, and when it is looked at again.

        Raises Stopped."""
        was_told = False
        try:
            while (usage := self.place.org.salesforce.usage) is not None and self.is_spent():
                message = self._budget.told(usage, datetime.now(UTC))
                if not was_told:
                    log.warning("run waits for API calls", integration=self.place.name, reason=message)
                was_told = True
                await health.report(self.place.db, self._subject, False, message, _INSTRUCTION)
                await turn.pause(budget.LOOK_AGAIN)
                await self._look(turn)
        finally:
            if was_told:
                await self.forget()
        if was_told:
            log.info("run goes on: there are API calls again", integration=self.place.name)

    async def forget(self) -> None:
        """Nobody waits: of a run that was killed while it did, its word is still there."""
        await health.forget(self.place.db, self._subject)

    async def _look(self, turn: Turn) -> None:
        org = self.place.org
        told = await patiently(turn, org.standing, self.place.manner.policy, org.salesforce.limits)
        daily = told.get("DailyApiRequests") or {}
        if {"Max", "Remaining"} <= daily.keys():
            limit = int(daily["Max"])
            org.salesforce.usage = ApiUsage(limit - int(daily["Remaining"]), limit)
