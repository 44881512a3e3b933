"""The whole examination in its order: each part only where what it stands on is sound."""

from daemon.clients import Links, Patience
from daemon.doctor import findings, flows, house, logins
from daemon.doctor.findings import Finding, Verdict
from daemon.settings import Settings
from daemon.to_salesforce.targets import Naming
from state import vault
from state.database import Pool


async def examine(settings: Settings, db: Pool, naming: Naming, patience: Patience) -> list[Finding]:
    """Everything beyond an open database; nothing is written but which credentials are accepted."""
    found = [await house.layout(db)]
    if findings.worst(found) is not Verdict.OK:
        return found
    found.append(await house.key(db, settings))
    if findings.worst(found) is not Verdict.OK:
        return found
    path = settings.vault_key_path
    if vault.is_absent(path):  # then there is no credential, and nobody to ask with one
        return found + logins.none()
    async with Links(db, vault.load_key(path), patience) as links:
        found += await logins.examine(db, links)
        found += await flows.examine(db, links, naming)
    return found
