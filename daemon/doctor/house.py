"""The house itself: the state directory, the vault's key and the database."""

import os

from daemon.doctor import findings
from daemon.doctor.findings import Finding
from daemon.settings import Settings
from state import credentials, migrations, vault
from state.database import Db
from state.errors import StateError, VaultError


def settling(settings: Settings) -> list[Finding]:
    """Whether a lost write is looked for only once it can no longer take effect; nothing where it is."""
    settle, answer = settings.worker.settle_seconds, settings.m3ter.total_seconds
    if settle >= answer:
        return []
    message = (
        f"worker.settle_seconds ({settle:g}) is less than m3ter.total_seconds ({answer:g}): a write to "
        "m3ter whose answer was lost may take effect after m3sync looked whether it did, and be made twice."
    )
    instruction = (
        f"Set worker.settle_seconds to {answer:g} or more, and worker.lease_seconds to no less than that; or "
        f"m3ter.total_seconds to {settle:g} or less."
    )
    return [findings.doubtful("settings", message, instruction)]


def directory(settings: Settings) -> Finding:
    """Whether the state directory can be used; an embedded database lives in it."""
    where, place = "state directory", settings.state_directory
    if not place.exists():
        message = f"{place} does not exist yet."
        if settings.database_url is not None:
            return findings.good(where, f"{message} It is not needed before the first credential.")
        return findings.absent(where, message, "Run `m3sync migrate`, or start the service once.")
    if not place.is_dir():
        return findings.bad(where, f"{place} is not a directory.", "Name another as `state_directory`.")
    if not os.access(place, os.R_OK | os.W_OK | os.X_OK):
        message = f"{place} cannot be written by this user."
        return findings.bad(where, message, "Run m3sync as its own user, or give that user the directory.")
    return findings.good(where, str(place))


async def layout(db: Db) -> Finding:
    """Whether the database is laid out for this version."""
    waiting = await migrations.pending(db)
    if waiting:
        message = f"It is not laid out for this version of m3sync: {len(waiting)} steps are to be made."
        return findings.absent("database", message, "Run `m3sync migrate`, or start the service once.")
    return findings.good("database", "It is reachable and laid out.")


async def key(db: Db, settings: Settings) -> Finding:
    """Whether the vault's key opens what was sealed; it is made with the first credential, not here."""
    where, path = "vault key", settings.vault_key_path
    kept = await credentials.list_all(db)
    if not kept and vault.is_absent(path):
        return findings.good(where, f"{path} will be made with the first credential.")
    try:
        opened = vault.load_key(path)
        for each in kept:
            await credentials.get(db, opened, each.credential_id)
    except (VaultError, StateError) as error:
        return findings.bad(where, error.reason, error.instruction)
    return findings.good(where, f"{path} opens {len(kept)} credential{'' if len(kept) == 1 else 's'}.")
