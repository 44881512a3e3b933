"""The one read service for panel, API, command line and metrics; it writes nothing."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from state import (
    database,
    entity_copies,
    external_mappings,
    health,
    inbox,
    integrations,
    intents,
    next_steps,
    rereads,
    runs,
    sql,
)
from state.database import Db, Row
from state.insight_models import (
    CurrentStatus,
    Figures,
    FirstSynchronization,
    HeardEvent,
    InboxDepth,
    Issue,
    IssueKind,
    RunFilter,
    RunStory,
    Status,
    Story,
)
from state.models import Health, Integration, RecordState, SyncStatus
from state.reread_models import RereadCause, RereadStory
from state.run_models import Run

_SQL = sql.load("insights")
_STORY_EVENTS = 50
_REREADS_SHOWN = 5
_FAILING = 3  # attempts without headway, after which a window that cannot be read needs a person


async def statuses(db: Db, *, issues: int = 20) -> list[Status]:
    """The synchronization information of every integration to m3ter, by name, with its foremost issues."""
    depths = {row["integration_id"]: row for row in await database.fetch(db, _SQL["depths"])}
    syncs = {row["integration_id"]: row for row in await database.fetch(db, _SQL["syncs"])}
    windows = {row["integration_id"]: row for row in await database.fetch(db, _SQL["windows"])}
    ailing = [part for part in await health.all(db) if not part.is_well]
    found = []
    for each in await integrations.to_m3ter(db):
        records = await database.fetch(db, _SQL["issues"], each.integration_id, issues)
        parts = [_part_issue(part) for part in ailing if _concerns(part, each)]
        again = await _rereads(db, each.integration_id, windows.get(each.integration_id))
        known = _Known(depths.get(each.integration_id), syncs.get(each.integration_id), tuple(again))
        found.append(_status(each, known, parts, records))
    return found


async def _rereads(db: Db, integration_id: UUID, windows: Row | None) -> list[RereadStory]:
    """Every open window, and some of the latest besides."""
    still_open = windows["open_windows"] if windows else 0
    return await rereads.latest(db, integration_id, still_open + _REREADS_SHOWN)


@dataclass(frozen=True, slots=True)
class _Known:
    """What is known of one integration; None: no row in the inbox, or the integration is just being made."""

    depth: Row | None
    syncs: Row | None
    rereads: tuple[RereadStory, ...]


def _status(integration: Integration, known: _Known, parts: list[Issue], records: list[Row]) -> Status:
    parts = [*parts, *(_reread_issue(each) for each in known.rereads if _is_failing(each))]
    waiting = _depth(known.depth)
    issue_count = len(parts) + (records[0]["issue_count"] if records else 0)
    return Status(
        integration=integration,
        first_synchronization=_first(known),
        first_synchronized_at=known.syncs["first_at"] if known.syncs else None,
        current=_current(integration, known, issue_count),
        issues=(*parts, *(_record_issue(row) for row in records)),
        issue_count=issue_count,
        last_synchronized_at=known.syncs["last_at"] if known.syncs else None,
        is_automatic=integration.enabled,
        lag=_lag(waiting),
        inbox=waiting,
        rereads=known.rereads,
        echoes=known.syncs["echoes"] if known.syncs else 0,
        near_misses=known.syncs["near_misses"] if known.syncs else 0,
    )


def _first(known: _Known) -> FirstSynchronization:
    is_read = not any(each.is_under_way and each.cause is RereadCause.INITIAL for each in known.rereads)
    if not is_read or (known.depth is not None and known.depth["has_initial"]):
        return FirstSynchronization.IN_PROGRESS
    has_synced = known.syncs is not None and known.syncs["first_at"]
    return FirstSynchronization.DONE if has_synced else FirstSynchronization.NOT_STARTED


def _current(integration: Integration, known: _Known, issue_count: int) -> CurrentStatus:
    depth = _depth(known.depth)
    if depth.claimed:
        return CurrentStatus.SYNCING
    if not integration.enabled:
        return CurrentStatus.DISABLED
    if not integration.authorized:
        return CurrentStatus.NOT_AUTHORIZED
    if depth.waiting or any(each.is_under_way for each in known.rereads):
        return CurrentStatus.WAITING
    return CurrentStatus.ISSUES if issue_count or depth.set_aside else CurrentStatus.IN_STEP


def _depth(row: Row | None) -> InboxDepth:
    if row is None:
        return InboxDepth()
    return InboxDepth(row["waiting"], row["due"], row["claimed"], row["set_aside"], row["oldest_changed_at"])


def _lag(depth: InboxDepth) -> timedelta | None:
    if depth.oldest_changed_at is None:
        return None
    return max(datetime.now(UTC) - depth.oldest_changed_at, timedelta(0))


def _concerns(part: Health, integration: Integration) -> bool:
    """A part is named after a credential, an integration ('stream:<name>:<channel>'), or serves all."""
    _, separator, named = part.subject.partition(":")
    names = (
        integration.name,
        integration.salesforce_credential_name,
        integration.m3ter_credential_name,
    )
    return not separator or any(f"{named}:".startswith(f"{name}:") for name in names if name)


def _part_issue(part: Health) -> Issue:
    return Issue(IssueKind.PART, part.subject, part.message, part.instruction, part.since)


def _is_failing(each: RereadStory) -> bool:
    return each.is_under_way and each.error is not None and each.attempts >= _FAILING


def _reread_issue(each: RereadStory) -> Issue:
    again = next_steps.reread_instruction(each)
    return Issue(IssueKind.REREAD, f"re-read of {each.object_name}", each.error or "", again, each.opened_at)


def _record_issue(row: Row) -> Issue:
    kind = IssueKind(row["kind"])
    instruction = row["instruction"] or next_steps.instruction(kind, row["subject"], row["due_at"])
    return Issue(
        *(kind, row["subject"], row["message"], instruction, row["since"], row["run_id"], row["inbox_id"])
    )


async def latest_runs(db: Db, wanted: RunFilter | None = None) -> list[RunStory]:
    """The latest runs with their object results, newest first."""
    by = wanted or RunFilter()
    found = await runs.latest(
        db, integration=by.integration, record_id=by.record_id, failed=by.failed, limit=by.limit
    )
    return await _stories(db, found, with_log=False)


async def run(db: Db, run_id: UUID) -> RunStory:
    """One run with its object results and its log; raises NotFound."""
    return (await _stories(db, [await runs.get(db, run_id)], with_log=True))[0]


async def _stories(db: Db, found: list[Run], *, with_log: bool) -> list[RunStory]:
    ids = [each.run_id for each in found]
    objects = await runs.objects(db, ids)
    logs = await runs.log(db, ids) if with_log else {}
    return [RunStory(each, tuple(objects[each.run_id]), tuple(logs.get(each.run_id, ()))) for each in found]


async def explain(db: Db, record_id: str, *, runs_shown: int = 10) -> Story:
    """Everything known of one record by its 18-character id, or of one m3ter entity by its id."""
    rows = await inbox.find(db, record_id=record_id)
    told = await _stories(db, await runs.for_record(db, record_id, runs_shown), with_log=True)
    related = {record_id, *(each.salesforce_id for story in told for each in story.objects)}
    states = tuple(_state(row) for row in await database.fetch(db, _SQL["states"], record_id))
    events = await database.fetch(db, _SQL["events"], record_id, _STORY_EVENTS)
    parents = tuple(row["parent_id"] for row in await database.fetch(db, _SQL["parents"], record_id))
    open_intents = tuple(await intents.of_records(db, related))
    story = Story(
        record_id=record_id,
        parent_ids=parents,
        events=tuple(_event(row) for row in events),
        inbox=tuple(rows),
        runs=tuple(told),
        states=states,
        external_mappings=tuple(await external_mappings.of_records(db, related)),
        open_intents=open_intents,
        rereads=tuple(await rereads.latest(db, record_id=record_id)),
        next=(),
        copies=tuple(await entity_copies.of_record(db, record_id)),
    )
    return replace(story, next=next_steps.sentences(story))


def _event(row: Row) -> HeardEvent:
    return HeardEvent(**{**row, "changed_fields": tuple(row["changed_fields"])})


def _state(row: Row) -> RecordState:
    status = SyncStatus(row["sync_status"]) if row["sync_status"] else None
    return RecordState(**{**row, "sync_status": status})


async def figures(db: Db) -> Figures:
    """What the metrics show."""
    depths = {row["integration_id"]: row for row in await database.fetch(db, _SQL["depths"])}
    syncs = await database.fetch(db, _SQL["syncs"])
    totals = await database.fetch(db, _SQL["totals"])
    windows = await database.fetch(db, _SQL["windows"])
    (moments,) = await database.fetch(db, _SQL["moments"])
    inboxes = {row["name"]: _depth(depths.get(row["integration_id"])) for row in syncs}
    counted = {
        kind: {(row["name"], row["label"]): row["total"] for row in totals if row["kind"] == kind}
        for kind in ("run", "object", "window", "reread", "echo")
    }
    return Figures(
        inbox=inboxes,
        lag={name: _lag(depth) or timedelta(0) for name, depth in inboxes.items()},
        runs=counted["run"],
        objects=counted["object"],
        last_synchronized_at={row["name"]: row["last_at"] for row in syncs if row["last_at"]},
        last_event_at=moments["last_event_at"],
        open_intents=moments["open_intents"],
        echoes=counted["echo"],
        windows=counted["window"],
        rereads=counted["reread"],
        open_windows={row["name"]: row["open_windows"] for row in windows},
        health=tuple(await health.all(db)),
    )
