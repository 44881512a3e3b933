"""Entity data syncs: their settings, and how far schedule and feed have got."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from state import database, entity_copies, entity_runs, integrations, sql
from state.database import Connection, Db, Row
from state.entity_models import (
    FLOW,
    EntitySync,
    EntitySyncSettings,
    EntityType,
    Namespace,
    Removal,
    RunClaim,
)
from state.errors import Conflict, NotFound
from state.models import Integration, NewIntegration

_SQL = sql.load("entity_syncs")


@dataclass(frozen=True, slots=True)
class Refusal:
    """A credential that its system does not accept: `error` and `instruction` are of the last attempt."""

    name: str
    system: str
    error: str
    instruction: str


async def add(
    db: Db,
    name: str,
    settings: EntitySyncSettings,
    *,
    salesforce_credential_id: UUID | None = None,
    m3ter_credential_id: UUID | None = None,
) -> EntitySync:
    """Make one, switched off.

    Raises Conflict when the name is taken or a credential is for the other system, NotFound for a credential
    that does not exist, NameUnusable.
    """
    new = NewIntegration(name, FLOW, None, salesforce_credential_id, m3ter_credential_id)
    async with database.transaction(db) as tx:
        made = await integrations.add(tx, new)
        await database.execute(tx, _SQL["add"], made.integration_id, *_columns(settings))
        return await get(tx, made.integration_id)


async def edit(db: Db, name_or_id: str | UUID, settings: EntitySyncSettings) -> EntitySync:
    """Give it other settings; when they change what is written, its revision grows and a scan begins anew.

    What waits, or was refused, is looked at anew by a scan before any of it is sent. In another namespace it
    begins from nothing: what was written in the former one is left as it is there.
    Raises NotFound, Conflict for another entity type.
    """
    async with database.transaction(db) as tx:
        integration_id = (await get(tx, name_or_id)).integration.integration_id
        await hold(tx, integration_id)
        before = await get(tx, integration_id)
        if settings.entity_type is not before.settings.entity_type:
            raise Conflict(
                f"The integration {before.integration.name} is for {before.settings.entity_type}.",
                f"Make another integration for {settings.entity_type}.",
            )
        is_other = _writes(settings) != _writes(before.settings)
        if is_other:
            for row in await database.fetch(tx, _SQL["scan_anew"], integration_id):
                await database.execute(tx, _SQL["unsee"], row["run_id"])
        if settings.namespace is not before.settings.namespace:
            await database.execute(tx, _SQL["forget_copies"], integration_id)
            await database.execute(tx, _SQL["begin_anew"], integration_id)
        elif is_other:
            while await entity_copies.withhold(tx, integration_id):
                pass
        await database.execute(tx, _SQL["edit"], integration_id, *_columns(settings), int(is_other))
        await database.execute(tx, _SQL["announce"])
        return await get(tx, integration_id)


async def get(db: Db, name_or_id: str | UUID) -> EntitySync:
    """Raises NotFound, also for an integration of another flow."""
    found = await integrations.get(db, name_or_id)
    syncs = await _with_settings(db, [found])
    if not syncs:
        raise NotFound(
            f"The integration {found.name} is no entity data sync: its flow is {found.flow}.",
            "`m3sync integrations` lists them with their flows.",
        )
    return syncs[0]


async def list_all(db: Db) -> list[EntitySync]:
    """All of them by name."""
    return await _with_settings(db, await integrations.list_all(db))


async def enabled(db: Db) -> list[EntitySync]:
    """Those switched on, by name."""
    return await _with_settings(db, await integrations.enabled(db))


async def met(tx: Connection, integration_id: UUID, at: datetime) -> bool:
    """The schedule's time `at` is met; False when it, or a later one, was met already: ask for nothing."""
    return bool(await database.execute(tx, _SQL["met"], integration_id, at))


async def is_unchanged(tx: Connection, sync: EntitySync) -> bool:
    """Whether it is switched on, with the settings and credentials that `sync` has, to the end of the
    transaction. One that somebody is changing just now, or has removed, is not."""
    row = await database.fetch_one(tx, _SQL["held"], sync.integration.integration_id)
    if row is None or not row["enabled"]:
        return False
    return (row["revision"], row["salesforce_credential_id"], row["m3ter_credential_id"]) == sync.stamp


async def belong(tx: Connection, claim: RunClaim, salesforce_org_id: str, m3ter_org_id: str) -> bool:
    """The run's copies are in this Salesforce org, and of this m3ter organization; True when they were
    others': these copies are forgotten, and integration and run begin anew. Hold the run's fence."""
    integration_id = claim.integration_id
    before = await orgs(tx, integration_id)
    if before == (salesforce_org_id, m3ter_org_id):
        return False
    await database.execute(tx, _SQL["belong"], integration_id, salesforce_org_id, m3ter_org_id)
    if before == (None, None):
        return False
    for statement in ("forget_copies", "begin_anew", "leave"):
        await database.execute(tx, _SQL[statement], integration_id)
    await entity_runs.begin_anew(tx, claim)
    await database.execute(tx, _SQL["announce"])
    return True


async def hold(tx: Connection, integration_id: UUID) -> None:
    """Nobody else changes its settings before the transaction ends."""
    await database.execute(tx, _SQL["hold"], integration_id)


async def orgs(db: Db, integration_id: UUID) -> tuple[str | None, str | None]:
    """The Salesforce org its copies are in, and the m3ter organization they are of; None before any run."""
    row = await database.fetch_one(db, _SQL["orgs"], integration_id)
    return (row["salesforce_org_id"], row["m3ter_org_id"]) if row else (None, None)


async def refusal(db: Db, integration_id: UUID, lasting: timedelta) -> Refusal | None:
    """A credential of the integration that was refused for so long; None while both may still be accepted."""
    row = await database.fetch_one(db, _SQL["refusal"], integration_id, lasting)
    return Refusal(**row) if row else None


async def keep_job(tx: Db, integration_id: UUID, job_id: str | None) -> None:
    """A Bulk job is about to be filled, or its end was seen (None)."""
    await database.execute(tx, _SQL["keep_job"], integration_id, job_id)


async def job(db: Db, integration_id: UUID) -> str | None:
    """The Bulk job that an earlier process left, and which may still be writing."""
    found: str | None = await database.fetch_value(db, _SQL["job"], integration_id)
    return found


async def fed(tx: Connection, integration_id: UUID, at: datetime, event_id: str | None) -> None:
    """m3ter's events were read up to `at`, the last of them being `event_id`."""
    await database.execute(tx, _SQL["fed"], integration_id, at, event_id)


async def _with_settings(db: Db, some: Sequence[Integration]) -> list[EntitySync]:
    by_id = {each.integration_id: each for each in some if each.flow == FLOW}
    if not by_id:
        return []
    rows = {row["integration_id"]: row for row in await database.fetch(db, _SQL["find"], list(by_id))}
    return [_sync(each, rows[key]) for key, each in by_id.items() if key in rows]


def _sync(integration: Integration, row: Row) -> EntitySync:
    return EntitySync(
        integration,
        EntitySyncSettings(
            entity_type=EntityType(row["entity_type"]),
            namespace=Namespace(row["namespace"]),
            account_ids=tuple(row["account_ids"]),
            restricted_account_ids=tuple(row["restricted_account_ids"]),
            notification_users=tuple(row["notification_users"]),
            custom_fields=row["custom_fields"],
            schedule=row["schedule"],
            on_deletion=Removal(row["on_deletion"]),
            on_leaving=Removal(row["on_leaving"]),
        ),
        revision=row["revision"],
        scheduled_at=row["scheduled_at"],
        feed_at=row["feed_at"],
        feed_event_id=row["feed_event_id"],
        first_completed_at=row["first_completed_at"],
    )


def _columns(settings: EntitySyncSettings) -> list[Any]:
    return [
        *(settings.entity_type.value, settings.namespace.value),
        *(list(settings.account_ids), list(settings.restricted_account_ids)),
        *(list(settings.notification_users), dict(settings.custom_fields), settings.schedule),
        *(settings.on_deletion.value, settings.on_leaving.value),
    ]


def _writes(settings: EntitySyncSettings) -> EntitySyncSettings:
    """The settings without those that change nothing of what is written; lists of accounts are sets."""
    return replace(
        settings,
        schedule="",
        notification_users=(),
        account_ids=tuple(sorted(set(settings.account_ids))),
        restricted_account_ids=tuple(sorted(set(settings.restricted_account_ids))),
    )
