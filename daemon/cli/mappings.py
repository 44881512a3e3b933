"""`mappings`: field mappings as documents: in, out, shown, and proved against both systems."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from connectors.m3ter import shapes
from connectors.salesforce import rest
from connectors.salesforce.models import SalesforceCredential
from daemon import clients
from daemon.cli import connections, options, printing, reading, session, writing
from daemon.cli.options import AsJson
from daemon.cli.session import FAILED, WRONG_USAGE, CommandFailed, Session, command
from daemon.doctor import proving
from daemon.to_m3ter import presets
from daemon.to_m3ter.mapping import check as checking
from daemon.to_m3ter.mapping import check_fields, described, document
from state import credentials, field_mappings

group = typer.Typer(help="Which Salesforce field feeds which m3ter field; by itself as `list`.")

Name = Annotated[str, typer.Argument(metavar="NAME")]


@group.callback(invoke_without_command=True)
def alone(context: typer.Context, *, as_json: AsJson = False) -> None:
    """Which Salesforce field feeds which m3ter field; by itself as `list`."""
    if options.is_alone(context):
        list_all(as_json=as_json)


@group.command("list")
@command
async def list_all(*, as_json: AsJson = False) -> None:
    """The field mappings kept, and the presets shipped."""
    async with session.opened() as opened:
        found = await field_mappings.list_all(opened.db)
    parsed = [(each, document.parse(each.document)) for each in found]
    if as_json:
        kept = [
            {"name": each.name, "flow": made.flow, "parent": made.parent, "revision": each.revision}
            | {"updated_at": each.updated_at}
            for each, made in parsed
        ]
        printing.document({"field_mappings": kept, "presets": presets.names()})
        return
    if parsed:
        printing.table(
            ("name", "flow", "parent", "revision", "changed (UTC)"),
            [(each.name, made.flow, made.parent, each.revision, each.updated_at) for each, made in parsed],
        )
    else:
        printing.line("There is no field mapping yet. Take a preset: m3sync mappings import --preset NAME")
    printing.line(f"presets: {', '.join(presets.names())}", printing.PALE)


@group.command()
@command
async def show(name: Name, *, as_json: AsJson = False) -> None:
    """One field mapping: what it watches, and which m3ter objects it makes of what."""
    async with session.opened() as opened:
        kept = await field_mappings.get(opened.db, name)
    made = document.parse(kept.document)
    if as_json:
        printing.document({"name": kept.name, "revision": kept.revision, **made.model_dump(mode="json")})
        return
    printing.heading(f"{kept.name} (revision {kept.revision})")
    criterion = (
        f"{made.criterion.holds.text}, fires {made.criterion.fires}" if made.criterion else "every record"
    )
    printing.facts(
        {
            "flow": made.flow,
            "watches": ", ".join(made.objects_watched),
            "channels": ", ".join(document.channels(made)),
            "criterion": criterion,
        }
    )
    printing.table(
        ("m3ter object", "made of", "fields"),
        [(kind, part.source or made.parent, ", ".join(part.fields)) for kind, part in made.in_order],
    )


@group.command("import")
@command
async def import_(
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="A TOML file, or - for stdin.")
    ] = None,
    *,
    preset: Annotated[str | None, typer.Option(help="One of those shipped, instead of a file.")] = None,
    name: Annotated[str | None, typer.Option(help="Another name than the document's own.")] = None,
) -> None:
    """Keep a field mapping, over an earlier one of its name; integrations take it up at once."""
    text = _given(file, preset)
    made = document.parse(text)
    async with session.opened() as opened:
        kept = await field_mappings.save(opened.db, name or made.name, text)
    printing.line(f"Kept the field mapping {kept.name}, revision {kept.revision}.")
    printing.line(f"Prove it: m3sync mappings check {shlex.quote(kept.name)}", printing.PALE)


def _given(file: Path | None, preset: str | None) -> str:
    if (file is None) == (preset is None):
        raise CommandFailed(
            "Say where the field mapping is.", "Give a file, or --preset NAME.", exit_code=WRONG_USAGE
        )
    if preset is not None:
        return presets.text(preset)
    assert file is not None  # noqa: S101 - exactly one was given
    return reading.text(file)


@group.command()
@command
async def export(
    name: Name, *, to: Annotated[Path | None, typer.Option(help="A file; else standard output.")] = None
) -> None:
    """Write a field mapping's document as it was imported."""
    async with session.opened() as opened:
        kept = await field_mappings.get(opened.db, name)
    writing.text(kept.document, to)


@group.command()
@command
async def check(
    name: Name,
    *,
    salesforce: Annotated[
        str | None, typer.Option(help="The Salesforce credential to ask with, if there are several.")
    ] = None,
    as_json: AsJson = False,
) -> int | None:
    """Prove a field mapping against the org's fields and m3ter's required fields and lengths."""
    async with session.opened() as opened:
        kept = await field_mappings.get(opened.db, name)
        made = document.parse(kept.document)
        credential = await _salesforce(opened, salesforce)
    findings = checking.check(made, await _describes(made, credential), shapes.shapes())
    has_errors = any(each.severity == "error" for each in findings)
    if as_json:
        printing.document({"name": kept.name, "is_sound": not has_errors, "findings": findings})
    else:
        _print_findings(kept.name, findings)
    return FAILED if has_errors else None


def _print_findings(name: str, findings: Sequence[check_fields.Finding]) -> None:
    for each in findings:
        printing.line(
            f"{each.severity}: {each.where}", printing.BAD if each.severity == "error" else "yellow"
        )
        printing.line(f"  {each.message} {each.instruction}")
    counts = [sum(each.severity == severity for each in findings) for severity in ("error", "warning")]
    said = [
        f"{n} {word}{'' if n == 1 else 's'}" for n, word in zip(counts, ("error", "warning"), strict=True)
    ]
    verdict = f"has {' and '.join(said)}" if findings else "is sound"
    printing.line(f"The field mapping {name} {verdict}.", printing.BAD if counts[0] else printing.GOOD)


async def _salesforce(opened: Session, name: str | None) -> SalesforceCredential:
    if name is None:
        known = [each.name for each in await credentials.list_all(opened.db) if each.system == "salesforce"]
        if len(known) != 1:
            raise CommandFailed(
                "A field mapping is proved against a Salesforce org, and "
                + (
                    f"there are several credentials: {', '.join(known)}."
                    if known
                    else "there is no credential."
                ),
                "Choose one by --salesforce NAME." if known else "Add one: m3sync credentials add ...",
                exit_code=WRONG_USAGE if known else session.UNCONFIGURED,
            )
        name = known[0]
    chosen = await connections.credential(opened.db, name, "salesforce")
    kept, secret = await credentials.get(opened.db, await opened.vault(), chosen.credential_id)
    return clients.usable(SalesforceCredential, kept, secret)


async def _describes(made: document.Mapping, credential: SalesforceCredential) -> described.Describes:
    async with rest.open(credential) as salesforce:
        return await proving.describes(made, salesforce)
