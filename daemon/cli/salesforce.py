"""`salesforce`: what the Salesforce org needs before m3sync can keep copies there."""

from pathlib import Path
from typing import Annotated

import typer

from daemon import manners
from daemon.cli import printing, session
from daemon.cli.session import WRONG_USAGE, CommandFailed, command
from daemon.to_salesforce import metadata, targets

group = typer.Typer(help="What the Salesforce org needs.", no_args_is_help=True)


@group.callback()
def together() -> None:
    """What the Salesforce org needs before m3sync can keep copies there."""


@group.command("metadata")
@command
async def write_metadata(
    *,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where the package is written.")],
    namespace: Annotated[
        str, typer.Option(help="Only 'Custom Objects': the others are m3ter's own packages.")
    ] = targets.CUSTOM_OBJECTS,
) -> None:
    """Write the objects, fields, layouts, permission sets and the app as a metadata package."""
    try:
        files = metadata.package(namespace, manners.naming(session.load_settings()))
    except metadata.NotPackageable as error:
        raise CommandFailed(error.reason, error.instruction, exit_code=WRONG_USAGE) from None
    except targets.NoSuchTarget as error:
        raise CommandFailed(str(error), exit_code=WRONG_USAGE) from None
    _write(files, out)
    place = printing.short(out)
    printing.line(f"Wrote {len(files)} files to {place}.")
    printing.line(f"Deploy them: sf project deploy start --metadata-dir {place} --wait 10")
    printing.line(
        f"Then give the permission set {metadata.SYNC_PERMISSIONS} to the user m3sync signs in as, "
        f"and {metadata.REVIEW_PERMISSIONS} to those who look at the data."
    )
    printing.line("What an org still lacks: m3sync doctor", printing.PALE)


def _write(files: dict[str, bytes], out: Path) -> None:
    if out.exists() and not out.is_dir():
        raise CommandFailed(f"{out} is not a directory.", "Name another one.", exit_code=WRONG_USAGE)
    if out.is_dir() and any(out.iterdir()) and not (out / "package.xml").is_file():
        raise CommandFailed(
            f"{out} holds other files.", "Name a directory that is new, empty or a package of before."
        )
    for path, content in files.items():
        place = out / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
