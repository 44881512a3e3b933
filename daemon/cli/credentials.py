"""`credentials`: how to log in to the two systems, sealed in the database."""

import shlex
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from connectors.errors import AuthenticationError, SyncError
from connectors.m3ter import rest as m3ter_rest
from connectors.m3ter.models import M3terCredential
from connectors.salesforce import rest as salesforce_rest
from connectors.salesforce.models import SalesforceCredential
from daemon import clients
from daemon.cli import entering, options, printing, session
from daemon.cli.options import AsJson
from daemon.cli.session import FAILED, CommandFailed, Session, command
from daemon.web import wording
from state import credentials
from state.models import Credential

group = typer.Typer(help="How to log in to Salesforce and m3ter; by itself as `list`.")

Name = Annotated[str, typer.Argument(metavar="NAME")]


class System(StrEnum):
    """The two systems a credential may be for."""

    SALESFORCE = "salesforce"
    M3TER = "m3ter"


@group.command()
@command
async def add(
    name: Name,
    *,
    system: Annotated[System, typer.Option(help="Which system it is for.")],
    file: Annotated[
        Path | None, typer.Option(help="A JSON file with it, or - for standard input; else it is asked for.")
    ] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Replace the one of this name.")] = False,
    test: Annotated[bool, typer.Option("--test/--no-test", help="Try it at once.")] = True,
) -> None:
    """Keep a credential. Secrets are asked for without echo, or read as JSON; never from an argument."""
    given = entering.from_file(file) if file is not None else entering.from_prompts(system.value)
    credential = entering.parse(system.value, given)
    async with session.opened() as opened:
        made = entering.new(name, system.value, credential)
        kept = await credentials.add(opened.db, await opened.vault(), made, replace=replace)
        printing.line(f"Stored the {system.value} credential {name}.")
        if test:
            await _try(opened, kept, credential)


@group.callback(invoke_without_command=True)
def alone(context: typer.Context, *, as_json: AsJson = False) -> None:
    """How to log in to Salesforce and m3ter; by itself as `list`."""
    if options.is_alone(context):
        list_all(as_json=as_json)


@group.command("list")
@command
async def list_all(*, as_json: AsJson = False) -> None:
    """Every credential and whether its system accepts it; never a secret."""
    async with session.opened() as opened:
        found = await credentials.list_all(opened.db)
    if as_json:
        printing.document([{**wording.plain(each), "is_authorized": each.is_authorized} for each in found])
    elif not found:
        printing.line("There is no credential yet. Add one: m3sync credentials add NAME --system salesforce")
    else:
        printing.table(("name", "system", "authorized", "for"), [_row(each) for each in found])
        for each in found:
            if each.error:
                printing.line(f"{each.name}: {each.error}", printing.BAD)


def _row(each: Credential) -> tuple[object, ...]:
    verdict: object = each.is_authorized if each.authorized_at or each.error else "not tried"
    shown = [str(value) for key, value in each.summary.items() if key in ("url", "username", "org_id")]
    return each.name, each.system, verdict, " ".join(shown)


@group.command("test")
@command
async def prove(name: Name, *, as_json: AsJson = False) -> int | None:
    """Log in with a credential and say whether its system accepts it."""
    async with session.opened() as opened:
        kept, secret = await credentials.get(opened.db, await opened.vault(), name)
        credential = clients.usable(entering.MODELS[kept.system], kept, secret)
        if not as_json:
            await _try(opened, kept, credential)
            return None
        error = await _refusal(opened, kept, credential)
        printing.document(
            {
                "name": kept.name,
                "system": kept.system,
                "is_authorized": error is None,
                "message": error.message if error else "",
                "instruction": error.instruction if error else "",
            }
        )
    return FAILED if error else None


@group.command()
@command
async def remove(name: Name) -> None:
    """Forget a credential that no integration uses."""
    async with session.opened() as opened:
        await credentials.remove(opened.db, name)
    printing.line(f"Removed the credential {name}.")


async def _try(opened: Session, kept: Credential, credential: entering.SystemCredential) -> None:
    error = await _refusal(opened, kept, credential)
    if error is not None:
        raise CommandFailed(
            f"The credential {kept.name} does not work: {error.message}",
            error.instruction or f"Correct it: m3sync credentials add {shlex.quote(kept.name)} --replace ...",
        )
    printing.line(f"{kept.system} accepts the credential {kept.name}.", printing.GOOD)


async def _refusal(
    opened: Session, kept: Credential, credential: entering.SystemCredential
) -> SyncError | None:
    """What the system says against it, remembered when it is the credential that was refused."""
    try:
        await log_in(credential)
    except AuthenticationError as error:
        await credentials.mark_refused(opened.db, kept.credential_id, error.message)
        return error
    except SyncError as error:
        return error
    await credentials.mark_authorized(opened.db, kept.credential_id)
    return None


async def log_in(credential: entering.SystemCredential) -> None:
    """Raises AuthenticationError when the system refuses it, another SyncError when it cannot be asked."""
    match credential:
        case SalesforceCredential():
            async with salesforce_rest.open(credential) as salesforce:
                await salesforce.identity()
        case M3terCredential():
            async with m3ter_rest.open(credential) as m3ter:
                await m3ter.authenticate()
