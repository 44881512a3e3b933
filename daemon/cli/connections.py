"""Whether an integration is connected to both its systems, in words, and what to do when it is not."""

import shlex
from uuid import UUID

from daemon.cli import printing
from daemon.cli.entity_settings import wrong
from daemon.cli.session import UNCONFIGURED, CommandFailed
from daemon.web import wording
from state import credentials
from state.database import Db
from state.errors import NotFound
from state.models import Integration

# As m3ter's own pages show an integration whose credential works.
CONNECTED = "CONNECTED"


async def ids(db: Db, salesforce: str | None, m3ter: str | None) -> tuple[UUID | None, UUID | None]:
    """Of the credentials of these names. Raises CommandFailed for one that is not there, or for the other
    system."""
    found: list[UUID | None] = []
    for system, name in (("salesforce", salesforce), ("m3ter", m3ter)):
        if name is None:
            found.append(None)
            continue
        try:
            kept = await credentials.show(db, name)
        except NotFound as error:
            raise CommandFailed(
                error.reason,
                f"Add it: m3sync credentials add {shlex.quote(name)} --system {system}",
                exit_code=UNCONFIGURED,
            ) from None
        if kept.system != system:
            raise wrong(f"The credential {name} is for {kept.system}, not for {system}.", "Name another.")
        found.append(kept.credential_id)
    return found[0], found[1]


def next_step(made: Integration) -> str:
    """What it lacks to run: nothing said when that is nothing."""
    name = shlex.quote(made.name)
    if made.salesforce_credential_id is None or made.m3ter_credential_id is None:
        return f"Connect it: m3sync integrations connect {name} --salesforce NAME --m3ter NAME"
    return "" if made.enabled else f"Switch it on: m3sync integrations enable {name}"


def shown(found: Integration) -> str:
    """CONNECTED, or that it is not."""
    return CONNECTED if found.authorized else "not connected"


async def print_warning(db: Db, found: Integration) -> None:
    """Why it is not connected; nothing when it is."""
    lacking = [
        system
        for system, credential_id in (
            ("Salesforce", found.salesforce_credential_id),
            ("m3ter", found.m3ter_credential_id),
        )
        if credential_id is None
    ]
    if lacking:
        printing.line(f"! It is not yet connected to {' and '.join(lacking)}.", "yellow")
    for credential_id in (found.salesforce_credential_id, found.m3ter_credential_id):
        if credential_id is not None:
            await _print_not_accepted(db, credential_id)


async def _print_not_accepted(db: Db, credential_id: UUID) -> None:
    kept = await credentials.show(db, credential_id)
    test = f"m3sync credentials test {shlex.quote(kept.name)}"
    if kept.error is not None:
        said = wording.sentence(kept.error)
        printing.line(
            f"! It is not connected: the credential {kept.name} is not accepted. {said} "
            f"When it is mended: {test}",
            printing.BAD,
        )
    elif kept.authorized_at is None:
        printing.line(
            f"! It is not yet connected: the credential {kept.name} was not tried. {test}", "yellow"
        )
