"""`apply` and `export`: the configuration as one file for those who keep it in git."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from daemon.cli import configured, planning, printing, session, toml_text, writing
from daemon.cli.options import AsJson
from daemon.cli.planning import Change, Present
from daemon.cli.session import WRONG_USAGE, CommandFailed, command
from state import database

_COLOURS = {"+": printing.GOOD, "-": printing.BAD, "~": "yellow"}


@command
async def apply(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A TOML file, or - for stdin.")],
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would change, and end.")] = False,
    prune: Annotated[
        bool,
        typer.Option("--prune", help="Remove the integrations and field mappings that FILE does not name."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Bring field mappings and integrations in line with a file, having shown what changes.

    What the file does not name stays as it is. Credentials are named only, never made or removed.
    """
    wanted, texts = configured.read(file)
    async with session.opened() as opened:
        now = await planning.present(opened.db)
        found = planning.changes(now, wanted, texts, prune=prune)
        if not as_json:
            _show(found)
        if found and not dry_run:
            _ask(found, yes=yes, can_ask=not as_json and file.name != "-")
            async with database.transaction(opened.db) as tx:
                # Somebody else may have changed something since it was shown.
                again = planning.changes(await planning.present(tx), wanted, texts, prune=prune)
                if again != found:
                    raise CommandFailed(
                        "The configuration was changed by somebody else meanwhile; nothing was changed here.",
                        "Give the command again, and see what changes now.",
                    )
                for each in again:
                    await each.work(tx)
    is_applied = bool(found) and not dry_run
    if as_json:
        printing.document({"is_applied": is_applied, "changes": [_document(each) for each in found]})
    elif is_applied:
        printing.line(f"Applied {_counted(found)}.", printing.GOOD)


def _show(found: list[Change]) -> None:
    if not found:
        printing.line("Nothing differs: everything that the file names is so already.")
    for each in found:
        printing.line(f"{each.sign} {each.what} {each.name}", _COLOURS[each.sign])
        for name, before, after in each.fields:
            printing.line(f"    {name}: {after if each.sign == '+' else f'{before} -> {after}'}")
        for text in each.diff:
            style = {"+": printing.GOOD, "-": printing.BAD}.get(text[:1], printing.PALE)
            printing.line(f"    {text}", style)


def _ask(found: list[Change], *, yes: bool, can_ask: bool) -> None:
    if yes:
        return
    if not can_ask or not sys.stdin.isatty():
        raise CommandFailed(
            "Nobody can be asked whether to apply this; nothing was changed.",
            "Give --yes, or --dry-run to see it only.",
            exit_code=WRONG_USAGE,
        )
    if not typer.confirm(f"Apply {_counted(found)}?"):
        raise CommandFailed("Nothing was changed.", "Answer y, or give --yes.")


def _counted(found: list[Change]) -> str:
    return "1 change" if len(found) == 1 else f"{len(found)} changes"


def _document(each: Change) -> dict[str, Any]:
    return {
        "change": {"+": "add", "~": "edit", "-": "remove"}[each.sign],
        "what": each.what,
        "name": each.name,
        "fields": {name: {"before": before, "after": after} for name, before, after in each.fields},
    }


@command
async def export(
    *, out: Annotated[Path | None, typer.Option("--out", help="A file; else standard output.")] = None
) -> None:
    """Write the configuration as `apply` reads it: credentials by name, never a secret."""
    async with session.opened() as opened:
        now = await planning.present(opened.db)
    writing.text(toml_text.document(_tables(now)), out)


def _tables(now: Present) -> dict[str, dict[str, dict[str, Any]]]:
    return {
        "credentials": {name: {"system": each.system} for name, each in now.credentials.items()},
        "mappings": {name: {"document": each.document} for name, each in now.mappings.items()},
        "integrations": {name: _integration(now, name) for name in now.integrations},
    }


def _integration(now: Present, name: str) -> dict[str, Any]:
    found = now.integrations[name]
    values: dict[str, Any] = {"flow": found.flow, "mapping": found.field_mapping_name}
    if sync := now.syncs.get(name):
        settings = sync.settings
        values |= {
            "entity": settings.entity_type.value,
            "namespace": settings.namespace.value,
            "account_ids": list(settings.account_ids),
            "restricted_account_ids": list(settings.restricted_account_ids),
            "notify": list(settings.notification_users),
            "schedule": settings.schedule,
            "on_deletion": settings.on_deletion.value,
            "on_leaving": settings.on_leaving.value,
            "custom_fields": dict(settings.custom_fields),
        }
    values |= {
        "salesforce": found.salesforce_credential_name,
        "m3ter": found.m3ter_credential_name,
        "enabled": found.enabled,
    }
    return {name: value for name, value in values.items() if value is not None}
