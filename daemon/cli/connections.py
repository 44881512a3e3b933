"""Whether an integration is connected to both its systems, in words, and what to do when it is not."""

import shlex
from uuid import UUID

from daemon.cli import printing
from daemon.cli.entity_settings import wrong
from daemon.cli.session import UNCONFIGURED, CommandFailed
from state import credentials, sentence, systems
from state.database import Db
from state.errors import NotFound
from state.models import Credential, Integration

# As m3ter's own pages show an integration whose credential works.
CONNECTED = "CONNECTED"


async def ids(db: Db, salesforce: str | None, m3ter: str | None) -> tuple[UUID | None, UUID | None]:
    """Of the credentials of these names. Raises CommandFailed for one that is not there, or for the other
    system."""
    found = [
        (await credential(db, name, system)).credential_id if name is not None else None
        for system, name in (("salesforce", salesforce), ("m3ter", m3ter))
    ]
    return found[0], found[1]


async def credential(db: Db, name: str, system: str) -> Credential:
    """The one of this name for this system. Raises CommandFailed."""
    try:
        kept = await credentials.show(db, name)
    except NotFound:
        kept = None
    return fitting(kept, name, system)


def fitting(kept: Credential | None, name: str, system: str) -> Credential:
    """What is kept under the name, if it is for this system.

    Raises CommandFailed, also where nothing is kept.
    """
    if kept is None:
        raise CommandFailed(
            f"There is no credential {name}.",
            f"Add it, its secret is asked for: m3sync credentials add {shlex.quote(name)} --system {system}",
            exit_code=UNCONFIGURED,
        )
    if kept.system != system:
        raise wrong(f"The credential {name} is for {kept.system}, not for {system}.", "Name another.")
    return kept


def next_step(made: Integration) -> str:
    """What it lacks to run: nothing said when that is nothing."""
    if systems.lacking(made):
        return f"Connect it: {systems.connecting(made)}"
    return "" if made.enabled else f"Switch it on: m3sync integrations enable {shlex.quote(made.name)}"


def check(found: Integration) -> None:
    """Raises CommandFailed for one that lacks a credential."""
    if lacking := systems.lacking(found):
        raise CommandFailed(
            f"The integration {found.name} has {systems.no_credential(lacking)}.",
            next_step(found),
            exit_code=UNCONFIGURED,
        )


def shown(found: Integration) -> str:
    """CONNECTED, or that it is not."""
    return CONNECTED if found.authorized else "not connected"


async def print_warning(db: Db, found: Integration) -> None:
    """Why it is not connected; nothing when it is."""
    if lacking := systems.lacking(found):
        others = " and ".join(systems.written(system) for system in lacking)
        printing.line(f"! It is not yet connected to {others}.", "yellow")
    for credential_id in (found.salesforce_credential_id, found.m3ter_credential_id):
        if credential_id is not None:
            await _print_not_accepted(db, credential_id)


async def _print_not_accepted(db: Db, credential_id: UUID) -> None:
    kept = await credentials.show(db, credential_id)
    test = f"m3sync credentials test {shlex.quote(kept.name)}"
    if kept.error is not None:
        said = sentence.ended(kept.error)
        printing.line(
            f"! It is not connected: the credential {kept.name} is not accepted. {said} "
            f"When it is mended: {test}",
            printing.BAD,
        )
    elif kept.authorized_at is None:
        printing.line(
            f"! It is not yet connected: the credential {kept.name} was not tried. {test}", "yellow"
        )
