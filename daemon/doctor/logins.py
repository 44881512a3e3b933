"""Each credential tried against its system, and how many API calls the org has left."""

import shlex
from collections.abc import Iterable

from connectors.errors import AuthenticationError, SyncError
from connectors.salesforce.rest import Salesforce
from daemon.clients import Links
from daemon.doctor import findings
from daemon.doctor.findings import Finding
from state import credentials
from state.database import Pool
from state.errors import StateError
from state.models import Credential

# Below this part of the day's API calls a first synchronization may use them up.
_SCARCE_PERCENT = 20
_CALLS = "DailyApiRequests"


async def examine(db: Pool, links: Links) -> list[Finding]:
    """Findings about all credentials; that a system refused one is remembered, as everywhere."""
    kept = await credentials.list_all(db)
    found = none(each.system for each in kept)
    for each in kept:
        found += await _one(db, links, each)
    return found


def none(systems: Iterable[str] = ()) -> list[Finding]:
    """What is said of the systems for which there is no credential; `systems` have one."""
    instruction = "Add one: m3sync credentials add {0} --system {0} --file FILE"
    return [
        findings.absent("credentials", f"There is none for {system}.", instruction.format(system))
        for system in sorted({"salesforce", "m3ter"} - set(systems), reverse=True)
    ]


async def _one(db: Pool, links: Links, kept: Credential) -> list[Finding]:
    where = f"credential {kept.name}"
    try:
        more = await _logged_in(links, kept, where)
    except AuthenticationError as error:
        await credentials.mark_refused(db, kept.credential_id, error.message)
        return [findings.bad(where, error.message, error.instruction or _again(kept))]
    except SyncError as error:
        return [
            findings.bad(where, error.message, error.instruction or "Look at the system and its address.")
        ]
    except StateError as error:
        return [findings.bad(where, error.reason, error.instruction)]
    await credentials.mark_authorized(db, kept.credential_id)
    return [findings.good(where, f"{kept.system} accepts it."), *more]


async def _logged_in(links: Links, kept: Credential, where: str) -> list[Finding]:
    if kept.system == "salesforce":
        salesforce = (await links.org(kept.credential_id)).client.salesforce
        await salesforce.identity()
        return [await _budget(salesforce, where)]
    await (await links.organization(kept.credential_id)).client.m3ter.authenticate()
    return []


async def _budget(salesforce: Salesforce, where: str) -> Finding:
    told = (await salesforce.limits()).get(_CALLS) or {}
    limit, left = told.get("Max"), told.get("Remaining")
    if not limit or left is None:
        message = "Salesforce does not tell how many API calls the org has left."
        return findings.doubtful(where, message, "Give the user the permission View Setup and Configuration.")
    message = f"The org has {left:,} of {limit:,} API calls left in these 24 hours."
    if left * 100 < limit * _SCARCE_PERCENT:
        instruction = "Find out who uses them (Setup, System Overview), or wait, or buy more."
        return findings.doubtful(where, message, instruction)
    return findings.good(where, message)


def _again(kept: Credential) -> str:
    name = shlex.quote(kept.name)
    return f"Correct it: m3sync credentials add {name} --system {kept.system} --replace --file FILE"
