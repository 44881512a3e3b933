"""What a run would change, record by record and field by field, against live Salesforce; writes nothing."""

import math
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from daemon.to_salesforce import (
    belonging,
    budget,
    comparing,
    describing,
    gone_accounts,
    keeping,
    lanes,
    linking,
    listing,
    live,
    standard,
)
from daemon.to_salesforce.comparing import Mapper
from daemon.to_salesforce.gauge import Gauge
from daemon.to_salesforce.live import Live
from daemon.to_salesforce.mapping.derivations import Links
from daemon.to_salesforce.mapping.errors import RecordUnfit
from daemon.to_salesforce.place import Place
from state import entity_copies, entity_drift
from state.entity_drift import Drift, Held
from state.entity_models import CopyStatus, EntityType, Removal

CREATE, UPDATE, MARK, DELETE = "create", "update", Removal.MARK.value, Removal.DELETE.value
UNFIT, REFUSED, DRIFTED = "cannot be written", "refused", "drifted"

_COPIES = 2_000  # looked through at a time for those that m3ter's lists did not show
_IDS_A_CALL = 100


@dataclass(frozen=True, slots=True)
class Difference:
    """What would become of one record. `fields`: name -> (live, wanted); parents as Relation.Key__c.

    `action` is create, update, mark or delete, which a run does; "cannot be written" or "refused", which
    `problem` explains; or drifted, edited or deleted in Salesforce, which no run undoes unless it restores:
    `drift`.
    """

    m3ter_id: str
    salesforce_id: str | None
    action: str
    fields: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)
    problem: str = ""
    drift: Drift | None = None


@dataclass(slots=True)
class Cost:
    """Grows while the differences are read. The dry run itself spent `m3ter_calls` and `reading_calls`; a run
    would spend `writing_calls`. `calls_left` is what the reserve leaves of the day's, None if unknown."""

    m3ter_calls: int = 0
    reading_calls: int = 0
    entities: int = 0
    upserts: int = 0
    marks: int = 0
    deletions: int = 0
    look_ups: int = 0
    bulk_threshold: int = 0
    calls_left: int | None = None

    @property
    def writing_calls(self) -> int:
        """Of Bulk jobs about so many."""
        calls = budget.calls_for_jobs if self.uses_bulk else budget.calls_for
        removals = budget.calls_for(self.marks) + budget.calls_for(self.deletions)
        return calls(self.upserts) + removals + self.look_ups

    @property
    def uses_bulk(self) -> bool:
        return self.upserts >= self.bulk_threshold > 0

    def count(self, action: str) -> None:
        self.upserts += action in (CREATE, UPDATE)
        self.marks += action == MARK
        self.deletions += action == DELETE


async def forecast(place: Place) -> tuple[int, int]:
    """How many copies there are, and about how many Salesforce calls it takes to compare them."""
    copies = await entity_drift.count(place.db, place.integration_id)
    return copies, math.ceil(copies / live.Reader(place).keys_a_query)


async def dry_run(place: Place, cost: Cost, *, is_restoring: bool = False) -> AsyncIterator[Difference]:
    """With `is_restoring` what has drifted is to be written too.

    Raises ReserveReached, and the SyncError family when a system does not answer.
    """
    cost.bulk_threshold = place.manner.bulk_threshold
    look = _Look(place, cost, is_restoring=is_restoring)
    try:
        async for difference in look.differences():
            cost.count(difference.action)
            yield difference
    finally:
        cost.reading_calls = look.reader.calls
        cost.calls_left = budget.Budget(place.manner.reserve).left(place.org.salesforce.usage)


class _Look:
    """One dry run."""

    def __init__(self, place: Place, cost: Cost, *, is_restoring: bool) -> None:
        self._place = place
        self._cost = cost
        self._is_restoring = is_restoring
        self._mapper = Mapper.of(place.target, place.settings.custom_fields)
        self._is_elsewhere = False
        self.reader = live.Reader(place, Gauge(place).check)

    async def differences(self) -> AsyncIterator[Difference]:
        """What m3ter says of standard Accounts is read first, and remembered, as by a run. Copies in another
        org, or of another m3ter, count for nothing: a run forgets them."""
        self._is_elsewhere = await belonging.is_elsewhere(self._place)
        self._mapper = await describing.mapper(self._place)
        self._cost.m3ter_calls += await standard.refresh(self._place)
        self.reader.calls += await gone_accounts.look_again(self._place, self.reader.may_call)
        met: set[str] = set()
        async for entities in self._pages():
            met |= {keeping.id_of(entity) for entity in entities}
            async for difference in self._judged(entities):
                yield difference
        if not self._is_elsewhere:
            async for difference in self._unmet(met):
                yield difference

    async def _pages(self) -> AsyncIterator[Sequence[dict[str, Any]]]:
        """All that m3ter lists, in parts of which each is compared with one query."""
        place, some, at_once = self._place, list[dict[str, Any]](), self.reader.keys_a_query
        for lane in lanes.of(place.settings):
            token: str | None = None
            while True:
                page = await listing.page(place, token, lane.filters)
                self._cost.m3ter_calls += 1
                some += page.entities
                while len(some) >= at_once:
                    yield some[:at_once]
                    some = some[at_once:]
                token = page.next_token
                if token is None:
                    break
        if some:
            yield some

    async def _judged(self, entities: Sequence[dict[str, Any]]) -> AsyncIterator[Difference]:
        """As a run does with what it has read (`keeping.keep`)."""
        place = self._place
        ids = [keeping.id_of(entity) for entity in entities]
        held = {} if self._is_elsewhere else await entity_drift.held(place.db, place.integration_id, ids)
        allowed = [entity for entity in entities if lanes.is_allowed(place.settings, entity)]
        async for difference in self._compared(allowed, held):
            yield difference
        kept = {keeping.id_of(entity) for entity in allowed}
        left = [copy for key, copy in held.items() if key not in kept]
        async for difference in self._let_go(left, place.settings.on_leaving):
            yield difference
        self._cost.entities += len(allowed)

    async def _compared(
        self, entities: Sequence[dict[str, Any]], held: Mapping[str, Held]
    ) -> AsyncIterator[Difference]:
        links = _as_if_enabled(self._place, await linking.of(self._place.db, self._place, entities))
        known = {key: copy.known for key, copy in held.items()}
        sifted = comparing.sift(self._mapper, entities, known, links)
        differing = {each.m3ter_id for each in sifted.wanted}
        unfit = {each.m3ter_id for each, _ in sifted.unfit}
        doubtful: dict[str, Mapping[str, Any]] = {}
        for entity in entities:
            key, copy = keeping.id_of(entity), held.get(keeping.id_of(entity))
            try:
                wanted = self._mapper.wanted(entity, links).payload
            except RecordUnfit as error:
                yield _refused(copy) if copy and key not in unfit else _unfit(key, copy, error)
                continue
            if key in differing or copy is None or copy.known.status is CopyStatus.WAITING:
                doubtful[key] = wanted
            elif copy.known.status is CopyStatus.REFUSED:
                yield _refused(copy)
            elif comparing.version_of(entity) >= copy.known.version:  # a list may be behind the feed
                doubtful[key] = wanted
        found = await self.reader.by_keys(list(doubtful))
        for key, wanted in doubtful.items():
            copy = held.get(key)
            is_done = copy is not None and key not in differing and copy.known.status is CopyStatus.WRITTEN
            difference = self._seen(key, wanted, found.get(key), copy if is_done else None)
            if difference:
                yield difference

    def _seen(
        self, key: str, wanted: Mapping[str, Any], record: Live | None, written: Held | None
    ) -> Difference | None:
        """`written`: the copy of which a run believes that it is there as wanted; None: the run writes it."""
        fields = live.differences(self._place.target, wanted, record)
        record_id = record.record_id if record else None
        action = UPDATE if record else CREATE
        if written is None:
            return Difference(key, record_id, action, fields)
        if record is not None and not fields:
            return None
        drift = Drift(written, record_id)
        if self._is_restoring:
            return Difference(key, record_id, action, fields, drift=drift)
        problem = "" if record else "Its record was deleted in Salesforce."
        return Difference(key, record_id, DRIFTED, fields if record else {}, problem, drift)

    async def _unmet(self, met: set[str]) -> AsyncIterator[Difference]:
        """As a run ends its scan (`unmet.settle`): copies that no list showed are looked up by their ids."""
        place, removal, after = self._place, self._place.settings.on_deletion, ""
        while copies := await entity_drift.after(place.db, place.integration_id, after, _COPIES):
            after = copies[-1].m3ter_id
            rest = [copy for copy in copies if copy.m3ter_id not in met]
            gone = [copy for copy in rest if copy.action.value == removal.value]
            doubtful = [copy for copy in rest if copy.action.value != removal.value]
            for at in range(0, len(doubtful), _IDS_A_CALL):
                some = doubtful[at : at + _IDS_A_CALL]
                there = await keeping.look_up(place, [copy.m3ter_id for copy in some])
                self._cost.m3ter_calls += 1
                async for difference in self._judged(there):
                    yield difference
                ids = {keeping.id_of(entity) for entity in there}
                gone += [copy for copy in some if copy.m3ter_id not in ids]
            async for difference in self._let_go(gone, removal):
                yield difference

    async def _let_go(self, copies: Sequence[Held], removal: Removal) -> AsyncIterator[Difference]:
        """Those that are kept, here or by another integration, and those that never came, are none."""
        if removal is Removal.KEEP or not copies:
            return
        place, marked = self._place, dict[str, Held]()
        shared = await entity_copies.kept_elsewhere(
            place.db, place.integration_id, [copy.m3ter_id for copy in copies]
        )
        ours = [copy for copy in copies if copy.m3ter_id not in shared]
        going = list[Held]()
        for copy in ours:
            is_begun = copy.action.value == removal.value
            if is_begun and copy.known.status is CopyStatus.REFUSED:
                yield _refused(copy)
            elif is_begun and copy.known.status is CopyStatus.WRITTEN:
                marked[copy.m3ter_id] = copy
            else:
                going.append(copy)
        for key, record_id in (await self._places(going)).items():
            yield self._removal(key, record_id, removal.value)
        for key, record_id in (await self.reader.unmarked(list(marked))).items():
            yield self._removal(
                key, record_id, MARK if self._is_restoring else DRIFTED, Drift(marked[key], record_id)
            )

    async def _places(self, copies: Sequence[Held]) -> dict[str, str]:
        """Their records; where nobody knows whether one came to Salesforce it is looked up, as by a run."""
        places = {copy.m3ter_id: copy.salesforce_id for copy in copies if copy.salesforce_id}
        unplaced = [copy.m3ter_id for copy in copies if not copy.salesforce_id]
        self._cost.look_ups += math.ceil(len(unplaced) / _IDS_A_CALL)
        return places | await self.reader.ids(unplaced)

    def _removal(self, key: str, record_id: str, action: str, drift: Drift | None = None) -> Difference:
        mark = self._place.target.mark_field
        fields = {mark: (None, "the time of the run")} if mark and action != DELETE else {}
        problem = "Its mark was taken away in Salesforce." if action == DRIFTED else ""
        return Difference(key, record_id, action, fields, problem, drift)


def _refused(copy: Held) -> Difference:
    return Difference(copy.m3ter_id, copy.salesforce_id, REFUSED, problem=copy.message)


def _unfit(key: str, copy: Held | None, error: RecordUnfit) -> Difference:
    return Difference(key, copy.salesforce_id if copy else None, UNFIT, problem=str(error))


def _as_if_enabled(place: Place, links: Links) -> Links:
    """As a run finds it, which is after it is switched on: Accounts are parents of Accounts."""
    if place.sync.integration.enabled or place.settings.entity_type is not EntityType.ACCOUNT:
        return links
    types = {each for each in links.uncopied_types if each != place.target.entity_type}
    ids = {each for each in links.uncopied_ids if not lanes.is_allowed(place.settings, {"id": each})}
    return replace(links, uncopied_types=types, uncopied_ids=ids)
