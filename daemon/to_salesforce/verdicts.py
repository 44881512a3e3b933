"""What becomes of each record of a call from what Salesforce said of it; decides only."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from connectors.salesforce import rows
from connectors.salesforce.rows import RowResult, Verdict
from daemon import retries
from daemon.retries import Policy
from state.entity_models import CopyAction, Postponed, Refused, Waiting, Written

# Limits of the org ease by the hour.
_LIMIT = timedelta(minutes=15)
# The clock of those that wait for a parent ticks no faster.
_TICK = timedelta(milliseconds=1)
# A record that was deleted in Salesforce needs no mark, and is deleted already.
_GONE = frozenset({"ENTITY_IS_DELETED", "INVALID_CROSS_REFERENCE_KEY", "NOT_FOUND"})


@dataclass(slots=True)
class Outcome:
    """The records of one call, by what became of them; `again` are to be tried apart from the others."""

    written: list[Written] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    postponed: list[Postponed] = field(default_factory=list)
    again: list[Waiting] = field(default_factory=list)

    def add(self, other: "Outcome") -> None:
        self.written += other.written
        self.refused += other.refused
        self.postponed += other.postponed
        self.again += other.again

    def count(self, rows_sent: Sequence[Waiting]) -> dict[str, int]:
        """For the run's counts."""
        actions = {row.m3ter_id: row.action for row in rows_sent}
        done = [actions[each.m3ter_id] for each in self.written]
        return {
            "written": sum(action is CopyAction.UPSERT for action in done),
            "marked": sum(action is CopyAction.MARK for action in done),
            "deleted": sum(action is CopyAction.DELETE for action in done),
            "created": sum(each.was_created for each in self.written),
            "refused": len(self.refused),
        }


def of(sent: Sequence[Waiting], results: Sequence[RowResult], policy: Policy, *, is_last: bool) -> Outcome:
    """`is_last`: these were sent apart from others, so that a refusal stands."""
    outcome = Outcome()
    for row, result in zip(sent, results, strict=True):
        _judge(row, result, policy, outcome, is_last=is_last)
    return outcome


def _judge(row: Waiting, result: RowResult, policy: Policy, outcome: Outcome, *, is_last: bool) -> None:
    # Waiting for a parent uses up no attempt: all its children come at once, and lock each other out.
    tries = 1 if row.is_orphan else row.attempts + 1
    if row.action is not CopyAction.UPSERT and result.code in _GONE:
        result = RowResult(row.salesforce_id or "", success=True)
    match rows.classify(result):
        case Verdict.OK:
            record_id = result.record_id or row.salesforce_id or ""
            outcome.written.append(Written(row.m3ter_id, row.digest, record_id, result.was_created))
        case Verdict.REFUSED if not is_last:
            outcome.again.append(row)
        case Verdict.REFUSED:
            outcome.refused.append(_refused(row, result))
        case Verdict.PARENT_MISSING:  # however long its parent may be in coming
            # Without chance, as those that wait for a parent are tried together.
            delay = max(retries.back_off(row.attempts + 1, policy, spread=1), _TICK)
            outcome.postponed.append(_postponed(row, result, delay, is_orphan=True))
        case _ if tries >= policy.max_attempts:
            outcome.refused.append(_refused(row, result))
        case Verdict.RETRY_LATER:
            outcome.postponed.append(_postponed(row, result, _LIMIT))
        case Verdict.RETRY:
            outcome.postponed.append(_postponed(row, result, retries.back_off(tries, policy)))


def _refused(row: Waiting, result: RowResult) -> Refused:
    return Refused(row.m3ter_id, row.digest, result.code, result.message, result.fields)


def _postponed(row: Waiting, result: RowResult, delay: timedelta, *, is_orphan: bool = False) -> Postponed:
    return Postponed(row.m3ter_id, row.digest, delay, result.code, result.message, is_orphan)
