"""A web side with a known history behind it: a Completed, a Partial Success and a hostile Failed run."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import aiohttp

from daemon.settings import HttpSettings
from daemon.web import serving
from daemon.web.sources import Sources
from state import credentials, database, health, inbox, record_states, runs
from state.database import Pool
from state.models import Change, Integration, RecordState, RunStatus, SyncStatus, Target
from state.run_models import LogLine, NewRun, RunObject, RunResult
from tests.integration.state_rows import ORG, change, claimed, new_integration, record_id

HOSTILE = "<script>alert('x')</script>{{ 7 * 7 }}\x1b[31m\u202e\"><img src=x onerror=alert(1)>"
OPPORTUNITY, LINE, ACCOUNT = record_id(1), record_id(1, "00k"), record_id(1, "001")


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of the web side."""

    status: int
    headers: dict[str, str]
    text: str


@dataclass(frozen=True, slots=True)
class Site:
    """A served web side; `get` asks it."""

    address: str
    session: aiohttp.ClientSession

    async def get(self, path: str, **headers: str) -> Answer:
        async with self.session.get(self.address + path, headers=headers, allow_redirects=False) as answer:
            return Answer(answer.status, dict(answer.headers), await answer.text())


@asynccontextmanager
async def served(sources: Sources, **http: object) -> AsyncIterator[Site]:
    """The web side on a free port."""
    settings = HttpSettings.model_validate({"port": 0, **http})
    async with serving.serve(settings, sources) as address, aiohttp.ClientSession() as session:
        yield Site(address, session)


async def ready_integration(db: Pool) -> Integration:
    """An authorized, enabled integration whose stream listens."""
    found = await new_integration(db)
    for each in await credentials.list_all(db):
        await credentials.mark_authorized(db, each.credential_id)
        await health.report(db, f"{each.system}:{each.name}", True)
    await health.report(db, f"stream:{found.name}", True)
    return found


def _object(name: str, salesforce_id: str, *, message: str = "", action: str = "created") -> RunObject:
    success = action in ("created", "updated", "unchanged", "adopted")
    text = message or f"m3ter Identifier: d82738f3-d1d7-4a13-94a2-{name.lower():>012.12}"
    changes = (
        {"name": ["Old name", "New name"], "amount": ["100.00", "250.00"]} if action == "updated" else {}
    )
    return RunObject(name, salesforce_id, action, success, text, None, changes)


COMPLETED = RunResult(
    RunStatus.COMPLETE,
    True,
    "Sync process completed successfully",
    sync_status=SyncStatus.COMPLETED,
    objects=(
        _object("Account", ACCOUNT, action="unchanged"),
        _object("Contract", OPPORTUNITY, action="updated"),
        _object("Commitment", OPPORTUNITY),
        _object("Plan", LINE),
        _object("Pricing", LINE),
        _object("AccountPlan", LINE),
    ),
    log=(
        LogLine(
            "call",
            datetime.now(UTC),
            {
                "system": "m3ter",
                "method": "POST",
                "path": f"/organizations/{uuid4()}/accounts/{uuid4()}",
                "status": 200,
                "milliseconds": 12,
                "error": "",
            },
        ),
    ),
)
PARTIAL = RunResult(
    RunStatus.ERROR,
    False,
    "Sync process completed successfully",
    "End the earlier Commitment, or flag this one to not sync.",
    SyncStatus.PARTIAL_SUCCESS,
    objects=(
        _object("Account", ACCOUNT, action="unchanged"),
        _object(
            "Commitment",
            record_id(2),
            message="Commitment would overlap with existing Commitment 293b2bca-fa87-4036-9a0b-e0f1d3cd8c9e",
            action="failed",
        ),
        _object(
            "Plan",
            LINE,
            message=f"The object plans for the record {LINE} was flagged to not sync.",
            action="flagged",
        ),
    ),
)
FAILED = RunResult(
    RunStatus.ERROR,
    False,
    f"Sync process failed: {HOSTILE}",
    f"Mend {HOSTILE}",
    SyncStatus.FAILED,
    objects=(_object("Account", ACCOUNT, message=HOSTILE, action="failed"),),
)


async def write_history(db: Pool, integration: Integration) -> dict[str, UUID]:
    """Three events heard, three records synced; gives the run of each by its sync status."""
    target = Target(integration.integration_id, "Opportunity")
    heard: list[Change] = [change(number, changed_fields=("StageName", "Amount")) for number in (1, 2, 3)]
    async with database.transaction(db) as tx:
        await inbox.receive(tx, ORG, heard, [target])
    found = {}
    for result in (COMPLETED, PARTIAL, FAILED):
        claim = await claimed(db, integration.integration_id)
        new = NewRun(
            integration.integration_id, "Opportunity", claim.record_id, "change", 1, claim.first_changed_at
        )
        run_id = await runs.start(db, new)
        now = datetime.now(UTC) + timedelta(milliseconds=1)
        state = RecordState(
            integration.integration_id, claim.record_id, True, result.sync_status, run_id, now, now
        )
        async with database.transaction(db) as tx:
            await runs.finish(tx, run_id, result)
            await record_states.put(tx, state)
            await inbox.complete(tx, claim)
        found[str(result.sync_status)] = run_id
    return found
