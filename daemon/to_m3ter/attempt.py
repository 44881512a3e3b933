"""One attempt at one claimed record: read it, hold its account, see whether it is due, sync, conclude."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TypeGuard
from uuid import UUID

import structlog

from connectors.calls import Call
from connectors.errors import RateLimited, RejectedError, SyncError, TransientError
from connectors.salesforce.models import Record, to_id18
from daemon import outcomes, prober, retries
from daemon.outcomes import Complete, Outcome, Postpone, Redirect, RunEnd, SyncResult, Then
from daemon.retries import Blame, Decision, Next
from daemon.to_m3ter import brake, conclusions, due, graph, in_the_way
from daemon.to_m3ter.conclusions import Conclusion
from daemon.to_m3ter.ledger import Ledger, Target
from daemon.to_m3ter.mapping import document, sources
from daemon.to_m3ter.mapping.errors import MappingInvalid
from daemon.to_m3ter.parting import Parting
from daemon.to_m3ter.sync import Sync
from daemon.to_m3ter.wanted import Desk
from daemon.to_m3ter.workplace import Workplace
from state import inbox, record_parents, record_states, runs
from state.database import transaction
from state.errors import StateError
from state.models import Cause, Claim, RecordState, RunStatus
from state.run_models import LogLine, NewRun

log = structlog.get_logger(__name__)

# How soon a record is looked at again whose account another record holds.
BUSY = timedelta(seconds=1)
# A record's account may change between two looks at it; more often than this it is left for later.
LOOKS = 3
SALESFORCE_KEY, M3TER_KEY = "salesforce:", "m3ter:"


@dataclass(slots=True)
class Attempt:
    """`keys` are the leases of the record's account, known from earlier attempts; `outages` the system
    failures in a row before this attempt; `calls` fills up with what is called outside."""

    place: Workplace
    claim: Claim
    calls: list[Call]
    keys: frozenset[str] = frozenset()
    outages: int = 0
    _held: frozenset[str] = frozenset()
    _holds: bool | None = None
    _is_gone: bool = False
    _org_id: str = ""
    _state: RecordState | None = None
    _run_id: UUID | None = None
    _sync: Sync | None = None
    _parents: tuple[tuple[str, str], ...] = ()
    _lines: set[str] = field(default_factory=set)
    _notes: list[LogLine] = field(default_factory=list)

    async def run(self) -> Conclusion:
        """Raises LeaseLost and DatabaseUnavailable only; every other failure is part of the conclusion."""
        try:
            return await self._run()
        except SyncError as error:
            return await self._failed(error)
        except MappingInvalid as error:
            return await self._failed(RejectedError(error.reason, instruction=error.instruction))
        except StateError:
            raise
        except Exception as error:
            # One bad record must stop only itself, even when the fault is ours.
            log.exception("unexpected failure", record_id=self.claim.record_id)
            unexpected = TransientError(
                f"This is a fault of m3sync, {type(error).__name__}: {error}",
                instruction="Report it with the log line of this moment.",
            )
            return await self._failed(unexpected)

    @property
    def _is_parent(self) -> bool:
        return self._mapping.watched_as(self.claim.object_name) == self._mapping.parent

    @property
    def _mapping(self) -> document.Mapping:
        return self.place.mappings[self.claim.integration_id]

    async def _run(self) -> Conclusion:
        if self.claim.attempts > self.place.policy.max_attempts + 1:
            return await self._give_up()
        if not self._is_parent:
            return await self._lead_to_parent()
        if (paused := await brake.applied(self.place.db, self.claim, self.place.brake)) is not None:
            return Conclusion(Outcome(paused))
        self._org_id = await self.place.org.org_id()
        self._state = await record_states.get(self.place.db, self.claim.integration_id, self.claim.record_id)
        self._lines = await record_parents.lines_of(
            self.place.db, self.claim.integration_id, self.claim.record_id
        )
        try:
            record = await self._read_held()
        except (graph.RecordDeleted, graph.RecordMissing) as error:
            return await self._gone(error)
        if record is None:
            busy = Postpone(BUSY, "Another record of the same account is being synced.", counts=False)
            return Conclusion(Outcome(busy))
        self._holds = sources.criterion_holds(self._mapping, record)
        self._parents = tuple(self._lines_of(record))
        if not await self._is_due():
            if not self._holds:
                await self._parting().not_due()
            return Conclusion(await self._outcome(Complete(), None))
        return await self._synced(record)

    async def _synced(self, record: Record) -> Conclusion:
        await self._begin_run()
        lines = {line for line, _ in self._parents}
        if lines - self._lines:
            # Durable before anything is made of them: by them it is found if this does not end.
            claim, parents = self.claim, self._parents
            async with transaction(self.place.db) as tx:
                await record_parents.remember(tx, claim.integration_id, parents, claim.claimed_at)
        self._sync = Sync(self._desk(), self._mapping, self._proof, self._lines - lines)
        return await self._done(await self._sync.run(record))

    async def _done(self, result: SyncResult) -> Conclusion:
        own = {self.claim.record_id, *self._lines, *(line for line, _ in self._parents)}
        if (error := await in_the_way.found(self._ledger(), result, own)) is not None:
            return await self._concluded(error, self._decided(error), result)
        status = RunStatus.COMPLETE if result.success else RunStatus.ERROR
        return Conclusion(await self._outcome(Complete(), (status, result)), result)

    async def _give_up(self) -> Conclusion:
        """Attempts that end in an error are judged at their end; these never had one."""
        error = RejectedError(
            f"m3sync ended {self.claim.attempts - 1} times while {self.claim.object_name} "
            f"{self.claim.record_id} was in hand, and its sync did not come to an end.",
            instruction="See the log of m3sync (or of the system: out of memory?) at these times, then try "
            "again.",
        )
        return await self._concluded(error, Decision(Next.SET_ASIDE, Blame.RECORD))

    async def _gone(self, error: graph.RecordDeleted | graph.RecordMissing) -> Conclusion:
        result = await self._parting().gone(error)
        self._is_gone = True
        if result is not None:
            return await self._done(result)
        if self.claim.cause is Cause.MANUAL:
            raise graph.never_synced(error)
        if self._state is None:  # nothing is remembered of a record that was never looked at
            return Conclusion(Outcome(Complete()))
        return Conclusion(await self._outcome(Complete(), None))

    def _parting(self) -> Parting:
        named = graph.Named(self.claim.object_name, self.claim.record_id)
        ids = {named.record_id, *self._lines}
        accounts = {key.removeprefix(SALESFORCE_KEY) for key in self.keys if key.startswith(SALESFORCE_KEY)}
        proof = self._proof if self._mapping.on_delete == "end billing" else None
        return Parting(self._desk(), named, ids, accounts - ids, self._state, proof)

    async def _proof(self, object_name: str, record_ids: Collection[str]) -> Mapping[str, datetime]:
        return await graph.deleted(self.place.org.salesforce, object_name, record_ids)

    async def _lead_to_parent(self) -> Conclusion:
        """A line whose parent was not known when its change was heard: that change is noted nowhere else."""
        line = graph.Named(self.claim.object_name, self.claim.record_id)
        field_name = self._mapping.line_field(line.object_name)
        parent = field_name and await graph.parent_of(self.place.org.salesforce, line, field_name)
        if not parent:
            log.info("line without a parent", object_name=line.object_name, record_id=line.record_id)
            return Conclusion(Outcome(Complete()))
        pairs = ((line.record_id, parent),)
        return Conclusion(Outcome(Redirect(self._mapping.parent, parent), parents=pairs))

    async def _read_held(self) -> Record | None:
        """The record as it is while its account is held; None when another record holds the account.

        What was read before the account was held may be older than what its last holder wrote: read again.
        """
        for _ in range(LOOKS):
            if not await self._hold():
                return None
            held = self._held
            record = await graph.read(self.place.org.salesforce, self._mapping, self.claim.record_id)
            self.keys = await self._account_keys(record)
            if not await self._hold():
                return None
            if all(key in held or key.startswith(M3TER_KEY) for key in self.keys):
                return record
        return None

    async def _hold(self) -> bool:
        if self.keys <= self._held:
            return True
        is_held = await inbox.hold_accounts(self.place.db, self.claim, sorted(self.keys))
        self._held |= self.keys if is_held else frozenset()
        return is_held

    async def _account_keys(self, record: Record) -> frozenset[str]:
        """The accounts this record writes to: by Salesforce id, and by m3ter id where it is known."""
        keys: set[str] = set()
        for source in sources.sources(self._mapping, record):
            if source.kind == "Account" and not source.is_absent:
                keys.add(f"{SALESFORCE_KEY}{source.salesforce_id}")
                known = await self._ledger().known(
                    Target(source.kind, source.salesforce_object, source.salesforce_id)
                )
                if known is not None:
                    keys.add(f"{M3TER_KEY}{known.m3ter_id}")
        return frozenset(keys)

    async def _is_due(self) -> bool:
        criterion, holds = self._mapping.criterion, bool(self._holds)
        return await due.is_due(self.place.db, self.claim, criterion, holds=holds, state=self._state)

    def _lines_of(self, record: Record) -> list[tuple[str, str]]:
        lines = [line for name in self._mapping.lines for line in record.get(name) or ()]
        return [(to_id18(line["Id"]), self.claim.record_id) for line in lines]

    def _ledger(self) -> Ledger:
        return Ledger(self.place.db, self.claim, self.place.organization.m3ter.org_id)

    def _desk(self) -> Desk:
        organization = self.place.organization
        return Desk(organization.m3ter, organization.catalogue, self._ledger(), self._note)

    def _note(self, text: str) -> None:
        self._notes.append(LogLine("note", datetime.now(UTC), {"text": text}))

    async def _begin_run(self) -> UUID:
        if self._run_id is None:
            claim = self.claim
            self._run_id = await runs.start(
                self.place.db,
                NewRun(
                    integration_id=claim.integration_id,
                    object_name=claim.object_name,
                    record_id=claim.record_id,
                    cause=claim.cause.value,
                    attempt=claim.attempts,
                    changed_at=claim.first_changed_at,
                ),
            )
        return self._run_id

    async def _failed(self, error: SyncError) -> Conclusion:
        if _may_be_an_outage(error):
            error.unreachable = await self._is_system_away()
        decision = self._decided(error)
        if decision.next is Next.END and not self._is_parent:
            # Nothing is remembered of a line by itself: its change stays in the inbox, for a person to see.
            decision = replace(decision, next=Next.SET_ASIDE)
        return await self._concluded(error, decision)

    def _decided(self, error: SyncError) -> Decision:
        made = self.claim.attempts
        return retries.decide(error, attempts=made, outages=self.outages + 1, policy=self.place.policy)

    async def _concluded(
        self, error: SyncError, decision: Decision, result: SyncResult | None = None
    ) -> Conclusion:
        if result is None:
            results = self._sync.results if self._sync else ()
            advice = conclusions.advice(decision, error, self.claim.record_id)
            result = outcomes.failed(error.message, advice, results)
        outcome = await self._outcome(
            conclusions.then(decision, error, self.place.policy),
            (conclusions.status(decision, error), result),
        )
        return Conclusion(outcome, result, error, decision)

    async def _is_system_away(self) -> bool:
        """Whether the system fails at a harmless question too: then it is not the record's fault."""
        asks_m3ter = bool(self.calls) and self.calls[-1].system == "m3ter"
        salesforce, m3ter = self.place.org.salesforce, self.place.organization.m3ter
        question = m3ter.authenticate if asks_m3ter else salesforce.limits
        return await prober.complaint(question) is not None

    async def _outcome(self, then: Then, end: tuple[RunStatus, SyncResult] | None) -> Outcome:
        run_end = None
        if end is not None:
            run_id = await self._begin_run()
            lines = sorted(
                [*self._notes, *map(conclusions.call_line, self.calls)], key=lambda line: line.logged_at
            )
            run_end = RunEnd(run_id, *end, tuple(lines))
        state = None
        if isinstance(then, Complete):
            # A sync that is to be tried again leaves what is remembered of the record as it was.
            unknown = RecordState(self.claim.integration_id, self.claim.record_id, criterion_held=False)
            state = conclusions.next_state(self._state or unknown, self._holds, run_end)
            state = replace(state, org_id=self._org_id, is_gone=self._is_gone)
        return Outcome(then, run_end, state, parents=self._parents)


def _may_be_an_outage(error: SyncError) -> TypeGuard[TransientError]:
    """Whether it takes a question to tell a system that is away from a record that it chokes on."""
    return isinstance(error, TransientError) and not isinstance(error, RateLimited) and not error.unreachable
