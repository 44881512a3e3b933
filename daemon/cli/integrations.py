"""`integrations`: the configured flows, what they use, and whether they are on."""

import shlex
from typing import Annotated
from uuid import UUID

import typer

from daemon.cli import (
    connections,
    entity_options,
    entity_settings,
    entity_sync,
    entity_tables,
    options,
    planning,
    printing,
    session,
)
from daemon.cli.entity_options import (
    AccountIds,
    CustomFields,
    Entity,
    InNamespace,
    Notify,
    OnDeletion,
    OnLeaving,
    RestrictedIds,
    ScheduleText,
)
from daemon.cli.entity_settings import Given, wrong
from daemon.cli.options import AsJson
from daemon.cli.session import WRONG_USAGE, CommandFailed, command
from daemon.to_m3ter.mapping import document
from daemon.web import entity_wording, wording
from state import entity_insights, entity_runs, entity_syncs, field_mappings, integrations
from state.database import Db
from state.entity_insights import EntityStatus
from state.entity_models import FLOW, EntitySync, EntitySyncSettings
from state.models import Integration, NewIntegration

group = typer.Typer(help="The configured flows; by itself as `list`.")
group.command("edit")(entity_sync.edit)
group.command("run")(entity_sync.run)
group.command("retry")(entity_sync.retry)

Name = Annotated[str, typer.Argument(metavar="NAME")]
Salesforce = Annotated[str | None, typer.Option(help="The Salesforce credential to use.")]
M3ter = Annotated[str | None, typer.Option(help="The m3ter credential to use.")]


@group.command()
@command
async def add(
    name: Name,
    *,
    mapping: Annotated[
        str | None, typer.Option(help="To m3ter: the field mapping; it names the flow.")
    ] = None,
    entity: Entity = None,
    namespace: InNamespace = None,
    account_id: AccountIds = None,
    restricted_account_id: RestrictedIds = None,
    notify: Notify = None,
    custom_field: CustomFields = None,
    schedule: ScheduleText = None,
    on_deletion: OnDeletion = None,
    on_leaving: OnLeaving = None,
    salesforce: Salesforce = None,
    m3ter: M3ter = None,
) -> None:
    """Make an integration, switched off: to m3ter by --mapping, to Salesforce by --entity."""
    lists = (account_id, restricted_account_id, notify, custom_field)
    said = entity_options.given(entity, namespace, lists, schedule, (on_deletion, on_leaving))
    _check_direction(mapping, said)
    async with session.opened() as opened:
        await _check_free(opened.db, name)
        ids = await connections.ids(opened.db, salesforce, m3ter)
        if mapping is not None:
            made = await _add_flow(opened.db, name, mapping, ids)
        else:
            made = await _add_entity_sync(opened.db, name, said, ids)
    printing.line(f"Made the integration {made.name} ({made.flow}). {connections.next_step(made)}")


def _check_direction(mapping: str | None, said: Given) -> None:
    """Exactly one of the two forms."""
    if mapping is None and said.entity_type is None:
        raise wrong(
            "It was not said which flow.",
            "To m3ter: --mapping NAME. To Salesforce: --entity Account, or another of the five.",
        )
    if mapping is not None and said.said():
        raise wrong(
            "--mapping is for the flows to m3ter; it does not go with --entity and what is said of entities.",
            "Give one of the two.",
        )


async def _check_free(db: Db, name: str) -> None:
    for each in await integrations.list_all(db):
        if each.name == name:
            raise wrong(
                f"There is an integration called {name} already.",
                f"Choose another name. {_ways_to_change(each)}",
            )


def _ways_to_change(taken: Integration) -> str:
    name = shlex.quote(taken.name)
    if taken.flow == FLOW:
        return f"To change that one: m3sync integrations edit {name} ..."
    return (
        f"What that one does is said by its field mapping; its credentials are changed by "
        f"m3sync integrations connect {name} ..."
    )


async def _add_flow(db: Db, name: str, mapping: str, ids: tuple[UUID | None, UUID | None]) -> Integration:
    kept = await field_mappings.get(db, mapping)
    flow = document.parse(kept.document).flow
    return await integrations.add(db, NewIntegration(name, flow, kept.field_mapping_id, *ids))


async def _add_entity_sync(
    db: Db, name: str, said: Given, ids: tuple[UUID | None, UUID | None]
) -> Integration:
    assert said.entity_type is not None  # noqa: S101 - one of the two forms was given
    settings = entity_settings.laid_over(said, EntitySyncSettings(said.entity_type))
    made = await entity_syncs.add(
        db, name, settings, salesforce_credential_id=ids[0], m3ter_credential_id=ids[1]
    )
    entity_sync.warn(made)
    return made.integration


@group.callback(invoke_without_command=True)
def alone(context: typer.Context, *, as_json: AsJson = False) -> None:
    """The configured flows; by itself as `list`."""
    if options.is_alone(context):
        list_all(as_json=as_json)


@group.command("list")
@command
async def list_all(*, as_json: AsJson = False) -> None:
    """Every integration."""
    async with session.opened() as opened:
        found = await integrations.list_all(opened.db)
        syncs = {each.integration.name: each for each in await entity_syncs.list_all(opened.db)}
        disabling = await entity_runs.disabling(opened.db)
    if as_json:
        printing.document([entity_tables.integration(each, syncs.get(each.name)) for each in found])
    elif not found:
        printing.line(entity_tables.NO_INTEGRATION)
    else:
        off = f"no, {entity_runs.STREAK} errors"
        printing.table(
            ("name", "flow", "mapping or entity", "authorized", "enabled"),
            [
                (
                    *(each.name, each.flow, each.field_mapping_name or _entity_of(syncs[each.name])),
                    *(each.authorized, off if each.integration_id in disabling else each.enabled),
                )
                for each in found
            ],
        )
        for run in disabling.values():
            printing.line(f"! {wording.advised(run.error, run.instruction)}", "yellow")


def _entity_of(sync: EntitySync) -> str:
    return entity_wording.entity_type(sync.settings.entity_type)


@group.command()
@command
async def show(name: Name, *, as_json: AsJson = False) -> None:
    """One integration with all it uses."""
    async with session.opened() as opened:
        found = await integrations.get(opened.db, name)
        is_sync = found.flow == FLOW
        status = await entity_insights.status(opened.db, found.name) if is_sync else None
        if as_json:
            printing.document(entity_tables.integration(found, status.sync if status else None))
            return
        _print(found, status)
        await connections.print_warning(opened.db, found)
    if step := connections.next_step(found):
        printing.line(step)


def _print(found: Integration, status: EntityStatus | None) -> None:
    sync = status.sync if status else None
    about = (
        planning.told(sync.settings)
        if sync
        else {"field mapping": f"{found.field_mapping_name}, revision {found.field_mapping_revision}"}
    )
    printing.heading(found.name)
    printing.facts(
        {
            "flow": found.flow,
            **about,
            "Salesforce credential": found.salesforce_credential_name,
            "m3ter credential": found.m3ter_credential_name,
            "connection": connections.shown(found),
            "enabled": found.enabled,
            "made (UTC)": found.created_at,
            "changed (UTC)": found.updated_at,
            "integration id": found.integration_id,
        }
    )
    if status:
        printing.line()
        entity_tables.print_status(status)


@group.command()
@command
async def connect(name: Name, *, salesforce: Salesforce = None, m3ter: M3ter = None) -> None:
    """Give an integration its credentials; one left out stays as it is."""
    if salesforce is None and m3ter is None:
        raise CommandFailed(
            "No credential was named.",
            "Give --salesforce NAME, --m3ter NAME, or both.",
            exit_code=WRONG_USAGE,
        )
    async with session.opened() as opened:
        ids = await connections.ids(opened.db, salesforce, m3ter)
        found = await integrations.connect(
            opened.db, name, salesforce_credential_id=ids[0], m3ter_credential_id=ids[1]
        )
    printing.line(f"Connected {found.name}. {connections.next_step(found)}".rstrip())
    if found.flow == FLOW:
        printing.line(
            "Where another Salesforce org or m3ter organization is behind it, it begins from nothing there.",
            printing.PALE,
        )


@group.command()
@command
async def disconnect(name: Name) -> None:
    """Take an integration's credentials away and switch it off."""
    async with session.opened() as opened:
        found = await integrations.disconnect(opened.db, name)
    printing.line(f"Disconnected {found.name}; it is switched off.")


@group.command()
@command
async def enable(name: Name) -> None:
    """Switch an integration on: a running service begins at once."""
    async with session.opened() as opened:
        wanted = await integrations.get(opened.db, name)
        connections.check(wanted)
        found = await integrations.enable(opened.db, name)
    printing.line(f"{found.name} is switched on.")
    if not found.authorized:
        printing.line("Its credentials have not both been accepted yet: m3sync credentials list", "yellow")


@group.command()
@command
async def disable(name: Name) -> None:
    """Switch an integration off; what waits stays, and is taken up when it is on again."""
    async with session.opened() as opened:
        found = await integrations.disable(opened.db, name)
    printing.line(f"{found.name} is switched off.")


@group.command()
@command
async def remove(
    name: Name, *, yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False
) -> None:
    """Forget an integration with its inbox and its runs; nothing changes in Salesforce or m3ter."""
    if not yes and not typer.confirm(f"Forget the integration {name}, its inbox and all its runs?"):
        raise CommandFailed("Nothing was removed.", "Answer y, or give --yes.")
    async with session.opened() as opened:
        await integrations.remove(opened.db, name)
    printing.line(f"Removed the integration {name}.")
