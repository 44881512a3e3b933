"""What people and metrics ask of the entity data syncs: their statuses and figures; it writes nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from state import database, entity_copies, entity_runs, entity_syncs, sentence, sql
from state.database import Db, Row
from state.entity_models import Backlog, CopyIssue, EntityRun, EntitySync
from state.insight_models import CurrentStatus, FirstSynchronization
from state.models import RunStatus

_SQL = sql.load("entity_insights")


@dataclass(frozen=True, slots=True)
class EntityStatus:
    """The synchronization information of one entity data sync.

    `last_synchronized_at`: when a run last ended well, `last_scanned_at`: one that had read everything.
    `disabled_because`: of one that a streak of errors has disabled, what happened and what to do; '' else.
    `issues`: the foremost of what Salesforce refused or did not take at the last attempt, `issue_count` all.
    """

    sync: EntitySync
    first_synchronization: FirstSynchronization
    current: CurrentStatus
    disabled_because: str
    last_run: EntityRun | None
    last_synchronized_at: datetime | None
    last_scanned_at: datetime | None
    backlog: Backlog
    issues: tuple[CopyIssue, ...]

    @property
    def name(self) -> str:
        return self.sync.integration.name

    @property
    def issue_count(self) -> int:
        return self.backlog.refused + self.backlog.retrying


@dataclass(frozen=True, slots=True)
class EntityFigures:
    """What the metrics show, by the name of the integration."""

    backlogs: Mapping[str, Backlog]
    last_synchronized_at: Mapping[str, datetime]
    under_way: Mapping[str, EntityRun]
    records: Mapping[tuple[str, str], int]  # of ended runs, by what became of them
    calls: Mapping[tuple[str, str], int]  # of ended runs, by kind


async def statuses(db: Db, *, issues: int = 20) -> list[EntityStatus]:
    """Of every entity data sync, by name, each with its foremost issues."""
    return [await _status(db, each, await _moments(db), issues) for each in await entity_syncs.list_all(db)]


async def status(db: Db, name_or_id: str | UUID, *, issues: int = 20) -> EntityStatus:
    """Of one. Raises NotFound, also for an integration of another flow."""
    return await _status(db, await entity_syncs.get(db, name_or_id), await _moments(db), issues)


async def _status(db: Db, sync: EntitySync, moments: Mapping[UUID, Row], issues: int) -> EntityStatus:
    integration_id = sync.integration.integration_id
    backlog = (await entity_copies.backlogs(db)).get(integration_id, Backlog())
    troubled = backlog.refused + backlog.retrying
    last = await entity_runs.last(db, integration_id)
    known = moments.get(integration_id)
    enabled = sync.integration.enabled
    disabling = None if enabled else (await entity_runs.disabling(db)).get(integration_id)
    return EntityStatus(
        sync=sync,
        first_synchronization=_first(sync, last),
        current=_current(sync, last, backlog),
        disabled_because=f"{sentence.ended(disabling.error)} {disabling.instruction}" if disabling else "",
        last_run=last,
        last_synchronized_at=known["completed_at"] if known else None,
        last_scanned_at=known["scanned_at"] if known else None,
        backlog=backlog,
        issues=tuple(await entity_copies.issues(db, integration_id, issues)) if troubled and issues else (),
    )


def _first(sync: EntitySync, last: EntityRun | None) -> FirstSynchronization:
    if sync.first_completed_at is not None:
        return FirstSynchronization.DONE
    return FirstSynchronization.NOT_STARTED if last is None else FirstSynchronization.IN_PROGRESS


def _current(sync: EntitySync, last: EntityRun | None, backlog: Backlog) -> CurrentStatus:
    if last is not None and last.status is RunStatus.STARTED:
        # A credential that is refused lets the run wait: it is no less under way, but nothing moves.
        return CurrentStatus.SYNCING if sync.integration.authorized else CurrentStatus.NOT_AUTHORIZED
    if not sync.integration.enabled:
        return CurrentStatus.DISABLED
    if not sync.integration.authorized:
        return CurrentStatus.NOT_AUTHORIZED
    if last is None or last.status is RunStatus.WAITING or backlog.waiting > backlog.retrying:
        return CurrentStatus.WAITING
    is_ill = last.status is not RunStatus.COMPLETE or backlog.refused or backlog.retrying
    return CurrentStatus.ISSUES if is_ill else CurrentStatus.IN_STEP


async def _moments(db: Db) -> dict[UUID, Row]:
    return {row["integration_id"]: row for row in await database.fetch(db, _SQL["moments"])}


async def figures(db: Db) -> EntityFigures:
    """What the metrics show; what runs came to is counted with those of the other flows."""
    moments = await _moments(db)
    backlogs = await entity_copies.backlogs(db)
    totals = await database.fetch(db, _SQL["totals"])
    counted = {
        kind: {(row["name"], row["label"]): row["total"] for row in totals if row["kind"] == kind}
        for kind in ("entity", "entity call")
    }
    last = {row["name"]: await entity_runs.last(db, each) for each, row in moments.items()}
    return EntityFigures(
        backlogs={row["name"]: backlogs.get(each, Backlog()) for each, row in moments.items()},
        last_synchronized_at={
            row["name"]: row["completed_at"] for row in moments.values() if row["completed_at"]
        },
        under_way={name: run for name, run in last.items() if run and run.status is RunStatus.STARTED},
        records=counted["entity"],
        calls=counted["entity call"],
    )
