"""`integrations`: the configured flows, what they use, and whether they are on."""

import shlex
from typing import Annotated

import typer

from daemon.cli import printing, running, session
from daemon.cli.running import AsJson
from daemon.cli.session import UNCONFIGURED, WRONG_USAGE, CommandFailed, command
from daemon.to_m3ter.mapping import document
from state import credentials, field_mappings, integrations
from state.models import Integration, NewIntegration

group = typer.Typer(help="The configured flows; by itself as `list`.")

Name = Annotated[str, typer.Argument(metavar="NAME")]
Salesforce = Annotated[str | None, typer.Option(help="The Salesforce credential to use.")]
M3ter = Annotated[str | None, typer.Option(help="The m3ter credential to use.")]


@group.command()
@command
async def add(
    name: Name,
    *,
    mapping: Annotated[str, typer.Option(help="The field mapping; it names the flow.")],
    salesforce: Salesforce = None,
    m3ter: M3ter = None,
) -> None:
    """Make an integration, switched off."""
    async with session.opened() as opened:
        kept = await field_mappings.get(opened.db, mapping)
        ids = [
            (await credentials.show(opened.db, each)).credential_id if each else None
            for each in (salesforce, m3ter)
        ]
        flow = document.parse(kept.document).flow
        made = await integrations.add(
            opened.db, NewIntegration(name, flow, kept.field_mapping_id, ids[0], ids[1])
        )
    printing.line(f"Made the integration {made.name} ({made.flow}). {_next_step(made)}")


def _next_step(made: Integration) -> str:
    name = shlex.quote(made.name)
    if made.salesforce_credential_id is None or made.m3ter_credential_id is None:
        return f"Connect it: m3sync integrations connect {name} --salesforce NAME --m3ter NAME"
    return "" if made.enabled else f"Switch it on: m3sync integrations enable {name}"


@group.callback(invoke_without_command=True)
def alone(context: typer.Context, *, as_json: AsJson = False) -> None:
    """The configured flows; by itself as `list`."""
    if running.is_alone(context):
        list_all(as_json=as_json)


@group.command("list")
@command
async def list_all(*, as_json: AsJson = False) -> None:
    """Every integration."""
    async with session.opened() as opened:
        found = await integrations.list_all(opened.db)
    if as_json:
        printing.document(found)
    elif not found:
        printing.line("There is no integration yet. Make one: m3sync integrations add NAME --mapping NAME")
    else:
        printing.table(
            ("name", "flow", "mapping", "authorized", "enabled"),
            [
                (each.name, each.flow, each.field_mapping_name, each.authorized, each.enabled)
                for each in found
            ],
        )


@group.command()
@command
async def show(name: Name, *, as_json: AsJson = False) -> None:
    """One integration with all it uses."""
    async with session.opened() as opened:
        found = await integrations.get(opened.db, name)
    if as_json:
        printing.document(found)
        return
    printing.heading(found.name)
    printing.facts(
        {
            "flow": found.flow,
            "field mapping": f"{found.field_mapping_name}, revision {found.field_mapping_revision}",
            "Salesforce credential": found.salesforce_credential_name,
            "m3ter credential": found.m3ter_credential_name,
            "authorized": found.authorized,
            "enabled": found.enabled,
            "made (UTC)": found.created_at,
            "changed (UTC)": found.updated_at,
        }
    )
    if step := _next_step(found):
        printing.line(step)


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
        ids = [
            (await credentials.show(opened.db, each)).credential_id if each else None
            for each in (salesforce, m3ter)
        ]
        found = await integrations.connect(
            opened.db, name, salesforce_credential_id=ids[0], m3ter_credential_id=ids[1]
        )
    printing.line(f"Connected {found.name}. {_next_step(found)}".rstrip())


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
    """Switch an integration on: a running service begins to listen at once."""
    async with session.opened() as opened:
        wanted = await integrations.get(opened.db, name)
        if wanted.salesforce_credential_id is None or wanted.m3ter_credential_id is None:
            missing = "m3ter" if wanted.salesforce_credential_id else "Salesforce"
            raise CommandFailed(
                f"The integration {wanted.name} has no {missing} credential.",
                _next_step(wanted),
                exit_code=UNCONFIGURED,
            )
        found = await integrations.enable(opened.db, name)
    printing.line(f"{found.name} is switched on.")
    if not found.authorized:
        printing.line("Its credentials have not both been accepted yet: m3sync credentials list", "yellow")


@group.command()
@command
async def disable(name: Name) -> None:
    """Switch an integration off; what waits in the inbox stays there."""
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
