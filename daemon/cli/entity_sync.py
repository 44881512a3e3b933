"""`integrations edit|run|retry`: what an entity data sync is told, and what a person may ask of it."""

import dataclasses
import shlex
from typing import Annotated, Any
from uuid import UUID

import typer

from daemon.cli import (
    connections,
    entity_following,
    entity_options,
    entity_settings,
    entity_tables,
    headway,
    presence,
    printing,
    session,
)
from daemon.cli.entity_options import (
    AccountIds,
    Clear,
    Clearable,
    CustomFields,
    DryRun,
    InNamespace,
    Limit,
    Notify,
    NoWait,
    OnDeletion,
    OnLeaving,
    Restore,
    RestrictedIds,
    ScheduleText,
)
from daemon.cli.options import AsJson
from daemon.cli.session import FAILED, INTERRUPTED, UNCONFIGURED, CommandFailed, Session, command
from daemon.cli.watching import Ended, Watcher
from daemon.web import entity_wording
from state import entity_copies, entity_runs, entity_syncs, health, integrations
from state.database import Db
from state.entity_models import FLOW, EntitySync, RunCause
from state.models import RunStatus

Name = Annotated[str, typer.Argument(metavar="NAME")]
_CLEARED = {
    Clearable.ACCOUNT_IDS: "account_ids",
    Clearable.RESTRICTED_ACCOUNT_IDS: "restricted_account_ids",
    Clearable.NOTIFY: "notification_users",
    Clearable.CUSTOM_FIELDS: "custom_fields",
}


@command
async def edit(
    name: Name,
    *,
    namespace: InNamespace = None,
    account_id: AccountIds = None,
    restricted_account_id: RestrictedIds = None,
    notify: Notify = None,
    custom_field: CustomFields = None,
    schedule: ScheduleText = None,
    on_deletion: OnDeletion = None,
    on_leaving: OnLeaving = None,
    clear: Clear = None,
) -> None:
    """Change the settings of an entity data sync; what is not given stays, a list given replaces its list."""
    lists = (account_id, restricted_account_id, notify, custom_field)
    said = entity_options.given(None, namespace, lists, schedule, (on_deletion, on_leaving))
    cleared = [_CLEARED[each] for each in clear or ()]
    if not said.said() and not cleared:
        raise entity_settings.wrong("It was not said what to change.", "See m3sync integrations edit --help")
    if both := set(cleared) & set(said.said()):
        option = both.pop().replace("_", " ")
        raise entity_settings.wrong(f"The {option} are both given and cleared.", "Give one of the two.")
    async with session.opened() as opened:
        kept = await of_entities(opened.db, name)
        emptied: dict[str, Any] = {field: {} if field == "custom_fields" else () for field in cleared}
        wanted = entity_settings.laid_over(said, dataclasses.replace(kept.settings, **emptied))
        if wanted == kept.settings:
            printing.line(f"{kept.integration.name} is set so already; nothing was changed.")
            return
        made = await entity_syncs.edit(opened.db, kept.integration.name, wanted)
    printing.line(f"Changed {made.integration.name}.")
    if made.revision != kept.revision:
        printing.line(
            "With its next run all its copies are compared again, and those that differ are written."
        )
    warn(made)


def warn(made: EntitySync) -> None:
    """What is allowed and probably not meant."""
    if entity_settings.excludes_all(made.settings):
        printing.line("Every account allowed is restricted too, so that nothing is synced.", "yellow")


async def of_entities(db: Db, name: str) -> EntitySync:
    """Raises NotFound, and CommandFailed for an integration of another flow."""
    found = await integrations.get(db, name)
    if found.flow != FLOW:
        raise entity_settings.wrong(
            f"The integration {found.name} is a {found.flow}, and no {FLOW}.",
            "What it does is said by its field mapping, and m3sync sync runs it.",
        )
    return await entity_syncs.get(db, found.integration_id)


@command
async def run(
    name: Name,
    *,
    dry_run: DryRun = False,
    restore: Restore = False,
    limit: Limit = 100,
    no_wait: NoWait = False,
    as_json: AsJson = False,
) -> int | None:
    """Run an entity data sync now, or show what it would do."""
    if dry_run and no_wait:
        raise entity_settings.wrong("--dry-run and --no-wait exclude one another.", "Give one of them.")
    async with session.opened() as opened:
        sync = await of_entities(opened.db, name)
        connections.check(sync.integration)
        if not dry_run:
            _check_enabled(sync)
        if dry_run or restore:
            # These alone of this group need the daemon's own parts, which take long to import.
            from daemon.cli import entity_dry_run  # noqa: PLC0415

            if dry_run:
                asked = entity_dry_run.Asked(limit, as_json, restore)
                return await entity_dry_run.show(opened, sync, asked)
            await entity_dry_run.restore(opened, sync, as_json=as_json)
        run_id = await entity_runs.ask(opened.db, sync.integration.integration_id, RunCause.MANUAL)
        if no_wait:
            await _asked(opened, sync, run_id, as_json=as_json)
            return None
        return await _follow(opened, sync, run_id, as_json=as_json)


def _check_enabled(sync: EntitySync) -> None:
    if not sync.integration.enabled:
        name = shlex.quote(sync.integration.name)
        raise CommandFailed(
            f"The integration {sync.integration.name} is switched off, so that nobody runs it.",
            f"Switch it on: m3sync integrations enable {name}. What it would do: "
            f"m3sync integrations run {name} --dry-run",
            exit_code=UNCONFIGURED,
        )


async def _asked(opened: Session, sync: EntitySync, run_id: UUID, *, as_json: bool) -> None:
    if as_json:
        printing.document(entity_wording.run_document(await entity_runs.get(opened.db, run_id)))
        return
    if presence.is_absent(await health.all(opened.db), presence.fresh(opened.settings)):
        printing.line(f"Asked for it. No m3sync service is running. {presence.START} It takes it up.")
    else:
        printing.line(f"Asked the service to run {sync.integration.name}; `m3sync runs` shows how far it is.")


async def _follow(opened: Session, sync: EntitySync, run_id: UUID, *, as_json: bool) -> int | None:
    view = headway.view("Writing", is_silent=as_json)
    watcher = Watcher(opened.db, view, presence.fresh(opened.settings))
    ended, found = await entity_following.follow(watcher, run_id)
    if as_json:
        printing.document(entity_wording.run_document(found))
    if ended is Ended.INTERRUPTED:
        if not as_json:
            printing.line("The service goes on with it; `m3sync runs` shows how far it is.")
        return INTERRUPTED
    if ended is Ended.ABANDONED:
        raise CommandFailed(
            "Nothing works on it: no m3sync service is running.", f"{presence.START} It takes it up."
        )
    if not as_json:
        entity_tables.print_run(found)
        await _tell_refused(opened.db, sync)
    is_well = found.status is RunStatus.COMPLETE and not found.refused
    return None if is_well else FAILED


async def _tell_refused(db: Db, sync: EntitySync) -> None:
    issues = await entity_copies.issues(db, sync.integration.integration_id, 5)
    entity_tables.print_issues(issues)
    if issues:
        name = shlex.quote(sync.integration.name)
        printing.line(f"Mend what is said, then: m3sync integrations retry {name}", "yellow")


@command
async def retry(
    name: Name,
    ids: Annotated[list[str] | None, typer.Argument(metavar="[M3TER_ID]...", help="None: all.")] = None,
) -> None:
    """Try again what Salesforce refused, all of it or the entities named."""
    async with session.opened() as opened:
        sync = await of_entities(opened.db, name)
        wanted = list(dict.fromkeys(each.strip() for each in ids)) if ids else None
        count = await entity_copies.retry(opened.db, sync.integration.integration_id, wanted)
        if wanted is not None and count < len(wanted):
            printing.line(f"{len(wanted) - count} of those named are not refused, or not known.", "yellow")
        if not count:
            printing.line(f"Nothing of {sync.integration.name} is refused.")
            return
        is_on = sync.integration.enabled
        if is_on:
            await entity_runs.ask(opened.db, sync.integration.integration_id, RunCause.RETRY)
    what = "1 record is" if count == 1 else f"{count:,} records are"
    printing.line(f"{what} tried again. `m3sync status` shows what came of it.")
    if not is_on:
        name = shlex.quote(sync.integration.name)
        printing.line(f"The integration is switched off: m3sync integrations enable {name}", "yellow")
