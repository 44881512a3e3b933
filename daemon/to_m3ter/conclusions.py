"""What an attempt came to: the run's status, what becomes of the inbox row, what is remembered."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from connectors.calls import Call
from connectors.errors import AuthenticationError, RateLimited, SyncError, TransientError
from daemon.outcomes import Complete, Outcome, Postpone, RunEnd, SetAside, SyncResult, Then
from daemon.retries import Blame, Decision, Next, Policy
from state import next_steps
from state.insight_models import IssueKind
from state.models import RecordState, RunStatus, SyncStatus
from state.run_models import LogLine


@dataclass(frozen=True, slots=True)
class Conclusion:
    """What an attempt came to and what failed; `result` is None when there was nothing to sync."""

    outcome: Outcome
    result: SyncResult | None = None
    error: SyncError | None = None
    decision: Decision | None = None

    @property
    def blames_system(self) -> bool:
        return self.decision is not None and self.decision.blame is Blame.SYSTEM


def next_state(before: RecordState, holds: bool | None, end: RunEnd | None) -> RecordState:
    """What is remembered of the record; `holds` is None when it could not be read."""
    held = before.criterion_held if holds is None else holds
    if end is None:
        return replace(before, criterion_held=held)
    came_through = end.result.sync_status is not SyncStatus.FAILED
    now = datetime.now(UTC)
    return replace(
        before,
        criterion_held=held,
        sync_status=end.result.sync_status,
        last_run_id=end.run_id,
        first_synced_at=before.first_synced_at or (now if came_through else None),
        last_synced_at=now if came_through else before.last_synced_at,
    )


def then(decision: Decision, error: SyncError, policy: Policy) -> Then:
    """What becomes of the inbox row."""
    is_lost = isinstance(error, TransientError) and error.may_have_happened
    settle = policy.settle if is_lost else timedelta(0)
    match decision.next:
        case Next.END:
            return Complete()
        case Next.SET_ASIDE:
            return SetAside(_last_words(error), settle)
        case Next.POSTPONE:
            return Postpone(decision.delay, str(error), decision.blame is Blame.RECORD, settle)


def advice(decision: Decision, error: SyncError, record_id: str) -> str:
    """What a person can do; that it is tried again is no longer true of the last attempt."""
    if decision.next is Next.SET_ASIDE and isinstance(error, TransientError):
        return next_steps.instruction(IssueKind.SET_ASIDE, record_id, None)
    return error.instruction


def _last_words(error: SyncError) -> str:
    """What stays with a record set aside: what a passing failure advises is to wait, and that is over."""
    return error.message if isinstance(error, TransientError) else str(error)


def status(decision: Decision, error: SyncError) -> RunStatus:
    """The run of an attempt that failed."""
    if decision.next is not Next.POSTPONE:
        return RunStatus.ERROR
    if isinstance(error, RateLimited):
        return RunStatus.RATE_LIMIT_RETRY
    return RunStatus.AUTH_FAILED if isinstance(error, AuthenticationError) else RunStatus.AWAITING_RETRY


def call_line(call: Call) -> LogLine:
    """One HTTP exchange as a line of the run log."""
    detail = {
        "system": call.system,
        "method": call.method,
        "path": call.path,
        "status": call.status,
        "milliseconds": round(call.duration.total_seconds() * 1000),
        "error": call.error,
    }
    return LogLine("call", call.started_at, detail)
