"""What a run would change, record by record and field by field, against live Salesforce; writes nothing."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from daemon.to_salesforce import budget, lanes, linking, live
from daemon.to_salesforce.comparing import Mapper
from daemon.to_salesforce.live import Live
from daemon.to_salesforce.mapping.errors import RecordUnfit
from daemon.to_salesforce.place import Place
from state import entity_copies
from state.entity_models import Removal

CREATE, UPDATE, UNFIT = "create", "update", "cannot be written"


@dataclass(frozen=True, slots=True)
class Difference:
    """What would become of one record. `fields`: name -> (live, wanted); parents as Relation.Key__c.

    `action` is create, update, mark, delete or "cannot be written", which `problem` explains.
    """

    m3ter_id: str
    salesforce_id: str | None
    action: str
    fields: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)
    problem: str = ""


@dataclass(slots=True)
class Cost:
    """Grows while the differences are read. The dry run itself spent `m3ter_calls` and `reading_calls`; a run
    would spend `writing_calls`. `calls_left` is what the reserve leaves of the day's, None if unknown."""

    m3ter_calls: int = 0
    reading_calls: int = 0
    entities: int = 0
    upserts: int = 0
    removals: int = 0
    bulk_threshold: int = 0
    calls_left: int | None = None

    @property
    def writing_calls(self) -> int:
        return budget.calls_for(self.upserts) + budget.calls_for(self.removals)

    @property
    def uses_bulk(self) -> bool:
        return self.upserts >= self.bulk_threshold > 0


async def dry_run(place: Place, cost: Cost) -> AsyncIterator[Difference]:
    """Raises the SyncError family when a system does not answer."""
    cost.bulk_threshold = place.manner.bulk_threshold
    reader = live.Reader(place)
    met: set[str] = set()
    async for entities in _pages(place, cost):
        allowed = [entity for entity in entities if lanes.is_allowed(place.settings, entity)]
        left = [str(entity["id"]) for entity in entities if not lanes.is_allowed(place.settings, entity)]
        met |= {str(entity["id"]) for entity in entities}
        async for difference in _compared(place, reader, allowed):
            cost.upserts += difference.action in (CREATE, UPDATE)
            yield difference
        async for difference in _removed(place, await reader.own(left), place.settings.on_leaving):
            cost.removals += 1
            yield difference
        cost.entities += len(allowed)
        cost.reading_calls = reader.calls
    async for records in reader.all():
        gone = {key: record for key, record in records.items() if key not in met}
        async for difference in _removed(place, gone, place.settings.on_deletion):
            cost.removals += 1
            yield difference
        cost.reading_calls = reader.calls
    cost.calls_left = budget.Budget(place.manner.reserve).left(place.org.salesforce.usage)


async def _pages(place: Place, cost: Cost) -> AsyncIterator[Sequence[dict[str, Any]]]:
    for lane in lanes.of(place.settings):
        token: str | None = None
        while True:
            page = await place.organization.m3ter.page(place.kind, token, **lane.filters)
            cost.m3ter_calls += 1
            yield page.entities
            token = page.next_token
            if token is None:
                break


async def _compared(
    place: Place, reader: live.Reader, entities: Sequence[dict[str, Any]]
) -> AsyncIterator[Difference]:
    mapper = Mapper.of(place.target, place.settings.custom_fields)
    links = await linking.of(place.db, place, entities)
    found = await reader.by_keys([str(entity["id"]) for entity in entities])
    for entity in entities:
        key = str(entity["id"])
        record = found.get(key)
        try:
            wanted = mapper.wanted(entity, links).payload
        except RecordUnfit as error:
            yield Difference(key, record.record_id if record else None, UNFIT, problem=str(error))
            continue
        fields = live.differences(place.target, wanted, record)
        if record is None:
            yield Difference(key, None, CREATE, fields)
        elif fields:
            yield Difference(key, record.record_id, UPDATE, fields)


async def _removed(place: Place, records: Mapping[str, Live], removal: Removal) -> AsyncIterator[Difference]:
    """Those that are marked already, and those that are kept, here or by another integration, are none."""
    mark = place.target.mark_field
    shared = await entity_copies.kept_elsewhere(place.db, place.integration_id, list(records))
    for key, record in records.items():
        if key in shared:
            continue
        if removal is Removal.DELETE:
            yield Difference(key, record.record_id, removal.value)
        elif removal is Removal.MARK and mark and record.fields.get(mark) is None:
            yield Difference(key, record.record_id, removal.value, {mark: (None, "the time of the run")})
