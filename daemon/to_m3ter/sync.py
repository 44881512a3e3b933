"""One Sync to m3ter: the objects of one record graph in their order, each depending on the earlier."""

from collections.abc import Collection
from dataclasses import dataclass, field

from connectors.errors import MissingMappingError, RateLimited, RejectedError, TransientError
from connectors.salesforce.models import Record
from daemon import outcomes
from daemon.outcomes import Action, ObjectResult, SyncResult
from daemon.to_m3ter import ending, leftovers, objects
from daemon.to_m3ter.ledger import Target
from daemon.to_m3ter.mapping import desired, sources
from daemon.to_m3ter.mapping.document import Mapping
from daemon.to_m3ter.mapping.sources import ObjectKey, Source
from daemon.to_m3ter.wanted import Desk, Wanted


@dataclass(slots=True)
class Sync:
    """The sync of one record. `results` tells how far it came, whatever ends it; `former_lines` are the ids
    of lines that it had when it was read before; `proof` tells which of those were deleted."""

    desk: Desk
    mapping: Mapping
    proof: ending.Proof
    former_lines: Collection[str] = ()
    results: list[ObjectResult] = field(default_factory=list)
    _ids: dict[ObjectKey, str] = field(default_factory=dict)
    _actions: dict[ObjectKey, Action] = field(default_factory=dict)

    async def run(self, record: Record) -> SyncResult:
        """Completed or Partial Success.

        Raises TransientError or AuthenticationError when it must be tried later, and MappingValueError when
        it cannot be told from the record what to sync.
        """
        for source in sources.sources(self.mapping, record):
            result = await self._one(source)
            self.results.append(result)
            self._actions[source.key] = result.action
            if result.m3ter_id:
                self._ids[source.key] = result.m3ter_id
        read = {line.object for name, line in self.mapping.lines.items() if name in record}
        title = f"{self.mapping.parent} {record['Id']}"
        orphans = await leftovers.of_lines(self.desk, read, self.former_lines)
        if orphans and self.mapping.on_delete == "end billing":
            since = await ending.proven(self.proof, orphans)
            ended = await ending.end(self.desk, orphans, since)
            self.results.extend(ended.results)
            orphans = list(ended.left)
        self.results.extend(leftovers.orphan(title, each) for each in orphans)
        return outcomes.finished(self.results)

    async def _one(self, source: Source) -> ObjectResult:
        if source.is_flagged:
            return outcomes.flagged(source.kind, source.salesforce_id, await self._existing(source))
        missing = next((key for key in source.depends_on if key not in self._ids), None)
        if missing is not None:
            because = self._actions.get(missing, Action.FAILED)
            return outcomes.not_attempted(source.kind, source.salesforce_id, missing.kind, because)
        try:
            done = await self._brought(source)
        except (MissingMappingError, RejectedError) as error:
            return outcomes.refused(source.kind, source.salesforce_id, error.message, error.instruction)
        except TransientError as error:
            if not error.unreachable and not isinstance(error, RateLimited):  # these are about no object
                error.message = (
                    f"{source.kind} of {source.salesforce_object} {source.salesforce_id}: {error.message}"
                )
            raise
        written = outcomes.written(source.kind, source.salesforce_id, done.action, done.m3ter_id)
        return outcomes.with_changes(written, done.changes)

    async def _brought(self, source: Source) -> objects.Brought:
        wanted = await self._wanted(source)
        try:
            return await objects.bring(self.desk, wanted)
        except RejectedError:
            # Perhaps a product or template that was found by its code has been deleted since.
            await self.desk.catalogue.doubt(desired.needs(self.mapping, source).lookups)
            again = await self._wanted(source)
            if again.desired == wanted.desired:
                raise
        return await objects.bring(self.desk, again)

    async def _existing(self, source: Source) -> str | None:
        """The id of a flagged object that is in m3ter all the same: dependents take it."""
        try:
            located = await objects.locate(self.desk, await self._wanted(source))
        except (MissingMappingError, RejectedError) as error:
            # It is not to be synced, so what is wrong with it is no failure of this sync.
            self.desk.note(f"Whether the {source.kind} of {source.title} is in m3ter: {error.message}")
            return None
        return None if isinstance(located, objects.Absent) else located.known.m3ter_id

    async def _wanted(self, source: Source) -> Wanted:
        needed = desired.needs(self.mapping, source)
        found = await self.desk.catalogue.resolve(needed.lookups)
        resolved = desired.Resolved(
            found, {key: self._ids[key] for key in needed.objects if key in self._ids}
        )
        body = desired.desired(self.mapping, source, resolved)
        return Wanted(Target(source.kind, source.salesforce_object, source.salesforce_id), body)
