"""A record that is gone, or meets its criterion no more: what its syncs left in m3ter is not forgotten."""

from collections.abc import Collection
from dataclasses import dataclass

from connectors.errors import RejectedError
from daemon.outcomes import Action, SyncResult
from daemon.to_m3ter import ending, graph, leftovers
from daemon.to_m3ter.leftovers import Remains
from daemon.to_m3ter.wanted import Desk
from state import runs
from state.models import RecordState, SyncStatus
from state.run_models import Run

RUNS = 20  # so many of the latest are asked whether they wrote
_WRITTEN = frozenset({Action.CREATED.value, Action.UPDATED.value, Action.ADOPTED.value})


class HalfMade(RejectedError):  # noqa: N818 - named as its siblings in connectors.errors
    """A sync was begun, the record is not to be synced any more, and something of it is in m3ter."""


@dataclass(frozen=True, slots=True)
class Parting:
    """`record_ids`: of the record and of all lines it ever had; `accounts`: Salesforce ids of those it writes
    to, as far as they are known; `state`: what is remembered of it; `proof`: given where its billing is to
    end with it, and tells what was deleted."""

    desk: Desk
    named: graph.Named
    record_ids: Collection[str]
    accounts: Collection[str]
    state: RecordState | None
    proof: ending.Proof | None = None

    async def not_due(self) -> None:
        """The criterion does not hold.

        Raises HalfMade when a sync was begun before, did not end, and left something; and TransientError or
        AuthenticationError when that cannot be found out now. A sync that ended is left as it is.
        """
        last = next(iter(await self._runs(1)), None)
        has_ended = last is None or (self.state is not None and self.state.last_run_id == last.run_id)
        if has_ended and not await self.desk.ledger.open_intents(self.record_ids):
            return
        remains = await leftovers.remains(self.desk, self.record_ids, self.accounts)
        if remains:
            raise HalfMade(
                f"The {self.named} does not meet the criterion of its field mapping any more, and a sync "
                f"that was begun before is not finished. {remains}",
                instruction="End in m3ter what is not to be billed. When the record meets the criterion "
                "again, its sync takes up what is there.",
            )
        await self._end_interrupted()

    async def gone(self, error: graph.RecordDeleted | graph.RecordMissing) -> SyncResult | None:
        """The record is not in Salesforce: None when no sync of it ever made anything.

        Raises `error` with what is still in force in m3ter; and TransientError or AuthenticationError when
        that cannot be found out now.
        """
        remains = await leftovers.remains(self.desk, self.record_ids, self.accounts)
        if remains.mappings and self.proof is not None and _is_deleted(error):
            return await self._ended(self.proof, remains)
        if remains:
            raise type(error)(
                f"{error.message} {remains}",
                instruction="End in m3ter what is not to be billed, or restore the record in Salesforce.",
                code=error.code,
            )
        was_synced = self.state is not None and self.state.sync_status is not None
        if was_synced or await self._has_written():
            message = (
                f"The {self.named} is gone from Salesforce, and nothing of it is in force in m3ter any more."
            )
            return SyncResult(SyncStatus.COMPLETED, message)
        await self._end_interrupted()
        return None

    async def _ended(self, proof: ending.Proof, remains: Remains) -> SyncResult:
        """Its billing ends when it was deleted; what has no end date, or is not allowed one, is told."""
        since = await ending.proven(proof, remains.mappings)
        ended = await ending.end(self.desk, remains.mappings, since)
        rest = Remains(ended.left, remains.unclear)
        if not rest and all(each.success for each in ended.results):
            message = (
                f"The {self.named} was deleted in Salesforce, and what it billed in m3ter has ended with it."
            )
            return SyncResult(SyncStatus.COMPLETED, message, ended.results)
        told = (leftovers.orphan(str(self.named), each) for each in ended.left)
        message = f"The {self.named} was deleted in Salesforce, and not all that it bills has ended. {rest}"
        return SyncResult(
            SyncStatus.PARTIAL_SUCCESS,
            message.strip(),
            (*ended.results, *told),
            "End in m3ter what is not to be billed, or restore the record in Salesforce.",
        )

    async def _has_written(self) -> bool:
        found = await runs.objects(self.desk.ledger.db, [run.run_id for run in await self._runs(RUNS)])
        return any(each.action in _WRITTEN for objects in found.values() for each in objects)

    async def _runs(self, limit: int) -> list[Run]:
        claim = self.desk.ledger.claim
        return await runs.own(self.desk.ledger.db, claim.integration_id, claim.record_id, limit)

    async def _end_interrupted(self) -> None:
        """A run whose process died with it; no other follows that would end it."""
        claim = self.desk.ledger.claim
        await runs.end_interrupted(self.desk.ledger.db, claim.integration_id, claim.record_id)


def _is_deleted(error: graph.RecordDeleted | graph.RecordMissing) -> bool:
    """Not merged into another, which may be meant to go on with its billing, and not merely out of sight."""
    return isinstance(error, graph.RecordDeleted) and error.merged_into is None
