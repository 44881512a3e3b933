"""What a sync came to in the words of Sync to m3ter, and all that follows from it in one transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import StrEnum
from typing import Any, assert_never
from uuid import UUID

from state import inbox, own_writes, record_parents, record_states, rereads, runs
from state.database import Db, transaction
from state.models import Claim, RecordState, RunStatus, SyncStatus
from state.run_models import LogLine, Run, RunObject, RunResult


class Action(StrEnum):
    """What was done for one object."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    ADOPTED = "adopted"
    FLAGGED = "flagged"
    NOT_ATTEMPTED = "not attempted"
    FAILED = "failed"


_SUCCESSES = frozenset({Action.CREATED, Action.UPDATED, Action.UNCHANGED, Action.ADOPTED})
_WRITTEN = frozenset({Action.CREATED, Action.UPDATED, Action.ADOPTED, Action.FAILED})
# m3ter's names of its collections, as its messages have them
_COLLECTIONS = {
    "Account": "accounts",
    "Contract": "contracts",
    "Commitment": "commitments",
    "Plan": "plans",
    "Pricing": "pricings",
    "AccountPlan": "accountplans",
}


@dataclass(frozen=True, slots=True)
class ObjectResult:
    """What became of one m3ter object; `changes` are field -> (before, after) of an update."""

    object_name: str
    salesforce_id: str
    action: Action
    message: str
    m3ter_id: str | None = None
    instruction: str = ""
    changes: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)

    @property
    def success(self) -> bool:
        return self.action in _SUCCESSES

    def __str__(self) -> str:
        return (
            f"Object: {self.object_name}, Success: {_truth(self.success)}, "
            f"Message: {self.message}, Salesforce ID: {self.salesforce_id}"
        )


@dataclass(frozen=True, slots=True)
class SyncResult:
    """What one record's sync came to; `instruction` says what a person can do about a failure."""

    sync_status: SyncStatus
    message: str
    object_results: tuple[ObjectResult, ...] = ()
    instruction: str = ""

    @property
    def success(self) -> bool:
        return self.sync_status is SyncStatus.COMPLETED

    @property
    def concatenated_results(self) -> str:
        return "\n".join(str(result) for result in self.object_results)


def written(object_name: str, salesforce_id: str, action: Action, m3ter_id: str) -> ObjectResult:
    """The object is in m3ter as the record wants it."""
    return ObjectResult(object_name, salesforce_id, action, f"m3ter Identifier: {m3ter_id}", m3ter_id)


def with_changes(result: ObjectResult, changes: Mapping[str, tuple[Any, Any]]) -> ObjectResult:
    return replace(result, changes=changes)


def flagged(object_name: str, salesforce_id: str, m3ter_id: str | None = None) -> ObjectResult:
    """Its mapping says not to sync it; `m3ter_id` is known when it exists in m3ter all the same."""
    collection = _COLLECTIONS[object_name]
    message = f"The object {collection} for the record {salesforce_id} was flagged to not sync."
    return ObjectResult(object_name, salesforce_id, Action.FLAGGED, message, m3ter_id)


def not_attempted(object_name: str, salesforce_id: str, needed: str, because: Action) -> ObjectResult:
    """An object that it depends on is not in m3ter."""
    why = {
        Action.FLAGGED: f"the {needed} it belongs to was flagged to not sync and is not in m3ter",
        Action.NOT_ATTEMPTED: f"the {needed} it belongs to was not attempted either",
    }.get(because, f"the {needed} it belongs to failed")
    message = f"The {object_name} was not attempted, because {why}."
    return ObjectResult(object_name, salesforce_id, Action.NOT_ATTEMPTED, message)


def refused(object_name: str, salesforce_id: str, message: str, instruction: str = "") -> ObjectResult:
    """m3ter, or the record itself, does not allow it; `message` is the system's own."""
    return ObjectResult(object_name, salesforce_id, Action.FAILED, message, instruction=instruction)


def finished(results: Sequence[ObjectResult]) -> SyncResult:
    """Every object was looked at: Completed when all succeeded, Partial Success when any did not."""
    message = "Sync process completed successfully"
    failures = [result for result in results if not result.success]
    if not failures:
        return SyncResult(SyncStatus.COMPLETED, message, tuple(results))
    instruction = next((result.instruction for result in failures if result.instruction), "")
    return SyncResult(SyncStatus.PARTIAL_SUCCESS, message, tuple(results), instruction)


def failed(reason: str, instruction: str = "", results: Sequence[ObjectResult] = ()) -> SyncResult:
    """The sync could not be carried out; `results` are the objects that had been looked at before."""
    return SyncResult(SyncStatus.FAILED, f"Sync process failed: {reason}", tuple(results), instruction)


def too_many_records(count: int) -> SyncResult:
    return failed(
        f"Sync to m3ter takes one record at a time, and {count} were given. Nothing was synced.",
        "Call it once for each record.",
    )


def no_record() -> SyncResult:
    return failed("No Salesforce record id was given.", "Give the id of one record, 15 or 18 characters.")


def _truth(value: bool) -> str:
    return "true" if value else "false"


@dataclass(frozen=True, slots=True)
class Complete:
    """The record is done with, unless it changed meanwhile."""


@dataclass(frozen=True, slots=True)
class Postpone:
    """Once more after `delay`; an attempt that failed for no fault of the record does not count.

    `settle`: how long not even another change makes it due, because a call whose answer was lost may still
    take effect. Both are spans, not moments: only the database's clock says when they are over.
    """

    delay: timedelta
    error: str
    counts: bool
    settle: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True)
class SetAside:
    """Until a person or another change brings it back; not before `settle` is over (see Postpone)."""

    error: str
    settle: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True)
class Redirect:
    """It was a line: the record it belongs to takes its place in the inbox."""

    parent_object: str
    parent_id: str


Then = Complete | Postpone | SetAside | Redirect


@dataclass(frozen=True, slots=True)
class RunEnd:
    """How the run of an attempt ends."""

    run_id: UUID
    status: RunStatus
    result: SyncResult
    log: tuple[LogLine, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an attempt came to. No `end`: there was nothing to sync, and no run."""

    then: Then
    end: RunEnd | None = None
    state: RecordState | None = None
    parents: tuple[tuple[str, str], ...] = ()  # line id, parent id


async def record(db: Db, claim: Claim, outcome: Outcome) -> None:
    """Everything that follows from one attempt, in ONE transaction. Raises LeaseLost: nothing is recorded."""
    async with transaction(db) as tx:
        if outcome.end is not None:
            await runs.finish(tx, outcome.end.run_id, _run_result(outcome.end, outcome.then))
            synced = {each.salesforce_id for each in outcome.end.result.object_results}
            await own_writes.settle(tx, synced | {claim.record_id})
        if outcome.state is not None:
            await record_states.put(tx, outcome.state)
        if outcome.parents:
            await record_parents.remember(tx, claim.integration_id, outcome.parents, claim.claimed_at)
        if claim.reread_id is not None and outcome.end is not None and _differed(outcome.end, outcome.then):
            await rereads.add_difference(tx, claim.reread_id, claim.integration_id, claim.record_id)
        match outcome.then:
            case Complete():
                await inbox.complete(tx, claim)
            case Postpone():
                later = inbox.Later(outcome.then.delay, outcome.then.settle, outcome.then.counts)
                await inbox.postpone(tx, claim, later, outcome.then.error)
            case SetAside(error, settle):
                await inbox.set_aside(tx, claim, error, settle)
            case Redirect(parent_object, parent_id):
                await inbox.redirect(tx, claim, parent_object, parent_id)
            case _:
                assert_never(outcome.then)


def _differed(end: RunEnd, then: Then) -> bool:
    """Whether the record was not in step: something was written, or it failed by its own fault."""
    if any(item.action in _WRITTEN for item in end.result.object_results):
        return True
    is_tried_again = isinstance(then, Postpone) and not then.counts
    return end.result.sync_status is SyncStatus.FAILED and not is_tried_again


def _run_result(end: RunEnd, then: Then) -> RunResult:
    result = end.result
    return RunResult(
        status=end.status,
        success=result.success,
        message=result.message,
        instruction=result.instruction,
        sync_status=result.sync_status,
        next_attempt_in=then.delay if isinstance(then, Postpone) else None,
        objects=tuple(_run_object(item) for item in result.object_results),
        log=end.log,
    )


def _run_object(result: ObjectResult) -> RunObject:
    return RunObject(
        object_name=result.object_name,
        salesforce_id=result.salesforce_id,
        action=result.action.value,
        success=result.success,
        message=result.message,
        m3ter_id=result.m3ter_id,
        changes={name: list(pair) for name, pair in result.changes.items()},
    )


def of_run(run: Run, objects: Sequence[RunObject]) -> SyncResult:
    """The result of a run as it was recorded."""
    results = tuple(
        ObjectResult(item.object_name, item.salesforce_id, Action(item.action), item.message, item.m3ter_id)
        for item in objects
    )
    return SyncResult(run.sync_status or SyncStatus.FAILED, run.message, results, run.instruction)
