"""Sends the copies of one call and keeps what became of each; finds the one over which a call fails."""

import asyncio
from collections.abc import Sequence
from typing import assert_never

import structlog

from connectors.errors import RejectedError, SyncError, TransientError
from connectors.salesforce.rows import UNANSWERED, RowResult
from daemon.to_salesforce import sending, verdicts
from daemon.to_salesforce.flights import Choked, Flights, Grounded
from daemon.to_salesforce.place import Place
from daemon.to_salesforce.sending import Sender
from daemon.to_salesforce.suspects import Suspects
from daemon.to_salesforce.turn import Turn
from daemon.to_salesforce.verdicts import Outcome
from state import entity_copies, entity_runs
from state.database import transaction
from state.entity_models import CopyAction, Waiting

log = structlog.get_logger(__name__)

_FEW = 10  # records that are refused alike prove nothing about all others


class Delivery:
    """Of one run; one search at a time, lest a trouble of all records make each flight send them singly."""

    def __init__(self, place: Place, turn_: Turn, flights: Flights) -> None:
        self._place = place
        self._turn = turn_
        self._flights = flights
        self._sender = Sender(place)
        self._searching = asyncio.Lock()
        self._taken_at = dict[CopyAction, float]()  # when the latest of those calls began that were taken
        self._suspects = set[str]()  # of calls that failed once, while Salesforce answered another

    async def send(self, rows: Sequence[Waiting], *, is_last: bool) -> list[Waiting]:
        """At most 200 of one action; gives those to be tried apart from the others, none when `is_last`.

        Raises Grounded; RejectedError for what concerns every record.
        """
        ids = {row.m3ter_id for row in rows}
        answer = await self._call(rows)
        failed_at = _now()
        if isinstance(answer, TransientError) and not self._suspects & ids:
            self._suspects |= ids  # what passes is waited for first
            await self._flights.ground(answer)
        if isinstance(answer, SyncError):
            async with self._searching:
                if self._flights.left_alone:  # as the search before this one has found
                    raise Grounded
                return await self._search(rows, answer, failed_at, is_last=is_last)
        return await self.keep(rows, answer, is_last=is_last)

    async def _call(self, rows: Sequence[Waiting]) -> list[RowResult] | SyncError:
        """What Salesforce said of each, or why it did not look at them: perhaps for one of them only."""
        try:
            async with self._flights.slot():
                begun_at = _now()
                results = await self._sender.collection(rows)
                action = rows[0].action
                self._taken_at[action] = max(begun_at, self._taken_at.get(action, begun_at))
                return results
        except Choked as choked:
            return choked.error
        except RejectedError as error:
            if sending.concerns_all(error):
                raise
            return error

    async def _search(
        self, rows: Sequence[Waiting], error: SyncError, failed_at: float, *, is_last: bool
    ) -> list[Waiting]:
        """Send what failed again in halves, until what is to blame is alone; what is kept stays so.

        It ends when Salesforce fails over what comes after the first such record as well and has taken
        nothing yet: then all records fare alike, and for a refusal none of them is blamed, but of a few:
        they may be all that is left of others which were taken.
        """
        again, suspects = list[Waiting](), Suspects()
        has_found, has_passed, is_clear = False, False, len(rows) <= _FEW
        answer: list[RowResult] | SyncError = error
        part: Sequence[Waiting] | None = rows
        while part is not None:
            has_passed = has_passed or isinstance(answer, list)
            is_clear = is_clear or has_passed or suspects.differs(answer) or self._took(rows, failed_at)
            if is_clear:
                await self._blame(suspects.blamed())
            match answer:
                case list():
                    again += await self.keep(part, answer, is_last=is_last or len(part) == 1)
                case RejectedError() if not is_clear:
                    has_found = has_found or len(part) == 1
                    if not suspects.doubt(part, answer):
                        raise answer
                case TransientError() if has_found and not has_passed:
                    await self._flights.ground(answer)
                case SyncError() if len(part) == 1:
                    has_found = True
                    await self._blame([(part[0], answer)])
                case SyncError():
                    suspects.halve(part)
                case unreachable:
                    assert_never(unreachable)
            part = suspects.next()
            answer = await self._call(part) if part is not None else []
        await self._blame(suspects.blamed())
        return again

    async def _blame(self, found: Sequence[tuple[Waiting, SyncError]]) -> None:
        if found:
            await self.keep([row for row, _ in found], [_alone(error) for _, error in found], is_last=True)

    def _took(self, rows: Sequence[Waiting], since: float) -> bool:
        """Whether Salesforce has taken a call like this one that began later."""
        return self._taken_at.get(rows[0].action, since) > since

    async def keep(
        self, rows: Sequence[Waiting], results: Sequence[RowResult], *, is_last: bool = False
    ) -> list[Waiting]:
        """What became of the rows of one call, durable together; gives those to be tried apart."""
        policy, integration_id = self._place.manner.policy, self._place.integration_id
        outcome: Outcome = verdicts.of(rows, results, policy, is_last=is_last)
        async with transaction(self._place.db) as tx:
            await entity_runs.fence(tx, self._turn.claim)
            await entity_copies.hold(tx, integration_id, [row.m3ter_id for row in rows])
            await entity_copies.written(tx, integration_id, outcome.written)
            await entity_copies.refused(tx, integration_id, outcome.refused)
            await entity_copies.postponed(tx, integration_id, outcome.postponed)
            await entity_runs.add(tx, self._turn.claim, self._turn.counts(**outcome.count(rows)))
        self._suspects.difference_update(row.m3ter_id for row in rows)
        for each in outcome.refused:
            log.warning(
                "record refused", integration=self._place.name, m3ter_id=each.m3ter_id, reason=each.message
            )
        return outcome.again


def _now() -> float:
    return asyncio.get_running_loop().time()


def _alone(error: SyncError) -> RowResult:
    """What Salesforce made of a call with this one record."""
    if isinstance(error, RejectedError):
        return RowResult("", False, False, error.code, error.message, error.fields)
    said = f"Salesforce fails over this record, and answers other calls: {error.message}"
    return RowResult("", False, False, UNANSWERED, said)
